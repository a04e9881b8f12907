"""Layers, each usable on its own in any Keras model.

The package finds layers by their methods and attributes, not by their type.
Any layer, also one of yours, may have these; the package treats a layer without
them as a plain Keras layer.

- `folded()` returns a built layer of the same name that computes the same in
  inference, without what only training needs: the exporters write that one.
- `class_tables()` returns what the layer knows of each class, tensors with
  one row per class, and `with_class_tables(*tables)` a copy with other rows:
  `class_weights=` of `SAGAN.generate` blends classes by them.
- `with_classes(rows)` returns a copy with other classes, each the blend of
  these that a row of weights says: `SAGAN.with_classes` needs it.
- `parts()` returns a dict of the layer's variables and inner layers by name:
  `keras_sagan.convert` finds the tensors of other implementations by it.
- `moving_mean`, `moving_variance` and `momentum`, as those of
  `keras.layers.BatchNormalization`, are what `standing_statistics=` of
  `SAGAN.generate` sets.
- `num_classes` is the number of classes, an integer or None: `SAGAN` takes it
  from there if it is not given.
- `logs()` returns a dict of scalar tensors that `SAGAN.fit` logs.
- `sigma()` returns a spectral norm, a scalar tensor: `SAGAN.fit` logs the
  largest one.
- `after_averaging(momentum)` is called on the layers of the EMA generator after
  each step; see `SpectralNormalization`.
- `call_with_kernel(kernel, ...)` is `call` on another kernel:
  `SpectralNormalization` uses it instead of a scope, if the wrapped layer has
  it.
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
