"""Self-attention GANs for Keras 3, on TensorFlow, JAX and PyTorch."""

from keras_sagan import backends  # noqa: F401 First: it looks for Keras' own.
from keras_sagan import callbacks
from keras_sagan import convert
from keras_sagan import data
from keras_sagan import distribution
from keras_sagan import export
from keras_sagan import layers
from keras_sagan import losses
from keras_sagan import metrics
from keras_sagan import models
from keras_sagan import training
from keras_sagan import visualization
from keras_sagan.hub.folders import upload_preset
from keras_sagan.models.presets import get_preset
from keras_sagan.models.presets import list_presets
from keras_sagan.models.sagan import SAGAN
from keras_sagan.training.on_images import train_on_images
from keras_sagan.training.recipes import choose_recipe
from keras_sagan.training.run import train
from keras_sagan.version import __version__

__all__ = [
    "SAGAN",
    "__version__",
    "callbacks",
    "choose_recipe",
    "convert",
    "data",
    "distribution",
    "export",
    "get_preset",
    "layers",
    "list_presets",
    "losses",
    "metrics",
    "models",
    "train",
    "train_on_images",
    "training",
    "upload_preset",
    "visualization",
]
