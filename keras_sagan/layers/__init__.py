"""Layers, each usable on its own in any Keras model.

What the rest of the package wants to know of a layer, it asks the layer. Any
layer, of a user too, may have these methods; the rest of the package treats a
layer without them as a plain Keras layer.

- `folded()` returns a built layer of the same name that computes the same in
  inference, without what only training needs: the exporters write that one.
- `class_tables()` returns what the layer knows of each class, tensors with
  one row per class, and `with_class_tables(*tables)` a copy with other rows:
  `class_weights=` of `SAGAN.generate` blends classes by them.
- `parts()` returns a dict of the layer's variables and inner layers by name:
  `keras_sagan.convert` finds the tensors of other implementations by it.
- `moving_mean`, `moving_variance` and `momentum`, as those of
  `keras.layers.BatchNormalization`, are what `standing_statistics=` of
  `SAGAN.generate` sets.
- `call(..., return_attention_scores=True)` and a weight `gamma` make a layer
  one that `keras_sagan.visualization.attention_maps` can show.
"""

from keras_sagan.layers.add_upsampled import AddUpsampled
from keras_sagan.layers.batch_norm import BatchNorm
from keras_sagan.layers.conditional_batch_norm import ConditionalBatchNorm
from keras_sagan.layers.convolutions import DownsampleConv2D
from keras_sagan.layers.convolutions import UpsampleConv2D
from keras_sagan.layers.diff_augment import DiffAugment
from keras_sagan.layers.self_attention_2d import SelfAttention2D
from keras_sagan.layers.spectral_normalization import SpectralNormalization

__all__ = [
    "AddUpsampled",
    "BatchNorm",
    "ConditionalBatchNorm",
    "DiffAugment",
    "DownsampleConv2D",
    "SelfAttention2D",
    "SpectralNormalization",
    "UpsampleConv2D",
]
