"""Self-attention GANs for Keras 3, on TensorFlow, JAX and PyTorch.

The public names are imported when they are first used (PEP 562), except for
those that Keras must know to load a saved model.
"""

import contextlib
import importlib
import pathlib
import sys
import typing

from keras_sagan.quiet import quiet
from keras_sagan.version import __version__

if typing.TYPE_CHECKING:  # For editors; `__getattr__` does it at run time.
    from keras_sagan import app
    from keras_sagan import callbacks
    from keras_sagan import convert
    from keras_sagan import data
    from keras_sagan import distribution
    from keras_sagan import export
    from keras_sagan import hub
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
    from keras_sagan.models.shipped import describe_weights
    from keras_sagan.models.shipped import list_weights
    from keras_sagan.training.on_images import train_on_images
    from keras_sagan.training.recipes import choose_recipe
    from keras_sagan.training.run import train

__all__ = [
    "SAGAN",
    "__version__",
    "app",
    "callbacks",
    "choose_recipe",
    "convert",
    "data",
    "describe_weights",
    "distribution",
    "export",
    "get_preset",
    "hub",
    "layers",
    "list_presets",
    "list_weights",
    "losses",
    "metrics",
    "models",
    "train",
    "train_on_images",
    "training",
    "upload_preset",
    "visualization",
]

# The modules that define the public names. Names of modules are not here.
_HOMES = {
    "SAGAN": "models.sagan",
    "choose_recipe": "training.recipes",
    "describe_weights": "models.shipped",
    "get_preset": "models.presets",
    "list_presets": "models.presets",
    "list_weights": "models.shipped",
    "train": "training.run",
    "train_on_images": "training.on_images",
    "upload_preset": "hub.folders",
}
# The modules that define classes which `keras.saving.load_model` looks up.
_SERIALIZABLE = ("layers", "losses", "models.sagan", "metrics.inception")


def __getattr__(name):
    if name in _HOMES:
        value = getattr(_import(_HOMES[name]), name)
    elif name in __all__ or name == "backends":
        value = _import(name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _import(name):
    # Import the backends first: they say what to do if Keras' is missing.
    with quiet() if _ON_COMMAND_LINE else contextlib.nullcontext():
        importlib.import_module("keras_sagan.backends")
    return importlib.import_module(f"keras_sagan.{name}")


def __dir__():
    return sorted({*globals(), *__all__})


def _runs_the_command_line():
    """Returns whether this is `keras-sagan`, whose help must appear at once."""
    program = pathlib.Path(getattr(sys, "argv", [""])[0] or "")
    # While Python looks for the module of `python -m`, it puts "-m" there.
    return program.stem in ("keras-sagan", "-m")


_ON_COMMAND_LINE = _runs_the_command_line()
if not _ON_COMMAND_LINE:
    # Keras finds the classes of a saved model only where they are registered,
    # which is when their modules are imported. It does not import them.
    for _module in _SERIALIZABLE:
        _import(_module)
