"""Exports generators for other programs, without the parts for training."""

from keras_sagan.export.formats import to_keras
from keras_sagan.export.formats import to_litert
from keras_sagan.export.formats import to_onnx
from keras_sagan.export.formats import to_safetensors
from keras_sagan.export.formats import to_saved_model
from keras_sagan.export.plain import plain_generator
from keras_sagan.export.site import to_site

__all__ = [
    "plain_generator",
    "to_keras",
    "to_litert",
    "to_onnx",
    "to_safetensors",
    "to_saved_model",
    "to_site",
]
