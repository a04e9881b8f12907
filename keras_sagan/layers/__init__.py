"""Layers, each of which can be used on its own in any Keras model.

The package finds layers by their methods and attributes, not by their type.
Any layer, including your own, may have the following. The package treats a
layer without them as a plain Keras layer.

- `folded()` returns a built layer of the same name that computes the same in
  inference, without the parts that only training needs. The exporters write
  this layer.
- `class_tables()` returns what the layer stores for each class, as tensors
  with one row per class. `with_class_tables(*tables)` returns a copy with
  other rows. `class_weights=` of `SAGAN.generate` uses both to blend classes.
- `with_classes(rows)` returns a copy with new classes. Each new class is a
  blend of the old ones, with one row of weights. `SAGAN.with_classes` uses it.
- `parts()` returns a dict of the layer's variables and inner layers by name.
  `keras_sagan.convert` uses it to find the tensors of other implementations.
- `moving_mean`, `moving_variance` and `momentum` mean the same as in
  `keras.layers.BatchNormalization`. `standing_statistics=` of
  `SAGAN.generate` sets them.
- `num_classes` is the number of classes, an integer or None. `SAGAN` reads it
  if its own `num_classes` is not given.
- `logs()` returns a dict of scalar tensors that `SAGAN.fit` logs.
- `sigma()` returns a spectral norm, a scalar tensor. `SAGAN.fit` logs the
  largest one.
- `after_averaging(momentum)` is called on the layers of the EMA generator after
  each step; see `SpectralNormalization`.
- `call_with_kernel(kernel, ...)` is `call` with another kernel. If the wrapped
  layer has it, `SpectralNormalization` uses it instead of a scope.
- `keras_sagan.visualization.attention_maps` can show a layer that has
  `call(..., return_attention_scores=True)` and a weight `gamma`.
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
