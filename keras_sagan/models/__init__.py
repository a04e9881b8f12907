"""The networks, the model `SAGAN`, and the content of saved models."""

from keras_sagan.models.blocks import residual_control
from keras_sagan.models.discriminator import build_discriminator
from keras_sagan.models.generator import build_generator
from keras_sagan.models.saved_file import describe_file

__all__ = [
    "build_discriminator",
    "build_generator",
    "describe_file",
    "residual_control",
]
