"""Precision, where Keras' operations give less than is needed."""

import contextlib
import math

import keras
from keras import ops


def at_least_float32(dtype):
    """Returns float32 for lower precisions, and float64 for itself.

    `keras.backend.result_type` gives float32 for float64 on JAX and PyTorch.
    """
    dtype = keras.backend.standardize_dtype(dtype)
    return dtype if dtype == "float64" else "float32"


@contextlib.contextmanager
def dtype_policy(name):
    """Layers made inside have this dtype policy; None: the global one."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(before if name is None else name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def mean(x, axis):
    """Returns the mean over known axes, in the precision of `x`.

    `keras.ops.mean` computes in float32 at most on JAX and PyTorch.
    """
    sizes = ops.shape(x)
    n = math.prod(sizes[i] for i in axis)
    if not isinstance(n, int):  # Unknown to TensorFlow before it runs.
        n = ops.cast(n, x.dtype)
    return ops.sum(x, axis=axis) / n


def standardize_by_moments(x, epsilon, over_replicas=lambda moment: moment):
    """Returns `(x - mean) / sqrt(variance + epsilon)` and both moments.

    Over all axes but the last, in at least float32; `over_replicas` makes a
    moment of the whole batch of one of a part, differentiably.
    """
    dtype, x = x.dtype, ops.cast(x, at_least_float32(x.dtype))
    axes = tuple(range(len(x.shape) - 1))
    mu = over_replicas(mean(x, axes))  # (channels,)
    variance = over_replicas(mean(ops.square(x - mu), axes))
    y = (x - mu) * ops.rsqrt(variance + epsilon)
    return ops.cast(y, dtype), mu, variance
