"""The networks, and SAGAN itself."""

from keras_sagan.models.discriminator import build_discriminator
from keras_sagan.models.generator import build_generator

__all__ = ["build_discriminator", "build_generator"]
