"""Precision, where Keras' operations give less than is needed."""

import math

import keras
from keras import ops


def at_least_float32(dtype):
    """Returns float32 for lower precisions, and float64 for itself.

    `keras.backend.result_type` gives float32 for float64 on JAX and PyTorch.
    """
    dtype = keras.backend.standardize_dtype(dtype)
    return dtype if dtype == "float64" else "float32"


def mean(x, axis):
    """Returns the mean over known axes, in the precision of `x`.

    `keras.ops.mean` computes in float32 at most on JAX and PyTorch.
    """
    sizes = ops.shape(x)
    return ops.sum(x, axis=axis) / ops.cast(
        math.prod(sizes[i] for i in axis), x.dtype
    )
