"""Layers, each usable on its own in any Keras model."""

from keras_sagan.layers.add_upsampled import AddUpsampled
from keras_sagan.layers.batch_norm import BatchNorm
from keras_sagan.layers.conditional_batch_norm import ConditionalBatchNorm
from keras_sagan.layers.convolutions import Conv2D
from keras_sagan.layers.convolutions import DownsampleConv2D
from keras_sagan.layers.convolutions import UpsampleConv2D
from keras_sagan.layers.dense import Dense
from keras_sagan.layers.diff_augment import DiffAugment
from keras_sagan.layers.self_attention_2d import SelfAttention2D
from keras_sagan.layers.spectral_normalization import SpectralNormalization

__all__ = [
    "AddUpsampled",
    "BatchNorm",
    "ConditionalBatchNorm",
    "Conv2D",
    "Dense",
    "DiffAugment",
    "DownsampleConv2D",
    "SelfAttention2D",
    "SpectralNormalization",
    "UpsampleConv2D",
]
