"""Functions for more precision than Keras' operations give."""

import contextlib
import math

import keras
from keras import ops


def at_least_float32(dtype):
    """Returns float64 for float64, and float32 for lower precisions.

    `keras.backend.result_type` gives float32 for float64 on JAX and PyTorch.
    """
    dtype = keras.backend.standardize_dtype(dtype)
    return dtype if dtype == "float64" else "float32"


@contextlib.contextmanager
def dtype_policy(name):
    """Sets the dtype policy in a block; None keeps the global one."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(before if name is None else name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def mean(x, axis):
    """Returns the mean over known axes, in the precision of `x`.

    On JAX and PyTorch, `keras.ops.mean` computes in float32 at most.
    """
    sizes = ops.shape(x)
    n = math.prod(sizes[i] for i in axis)
    if not isinstance(n, int):  # TensorFlow may know it only at run time.
        n = ops.cast(n, x.dtype)
    return ops.sum(x, axis=axis) / n


def standardize_by_moments(x, epsilon, over_replicas=lambda moment: moment):
    """Returns `(x - mean) / sqrt(variance + epsilon)` and both moments.

    The moments are over all axes but the last, in at least float32.
    `over_replicas` is a differentiable function that returns the moment of the
    whole batch from that of a part.
    """
    dtype, x = x.dtype, ops.cast(x, at_least_float32(x.dtype))
    axes = tuple(range(len(x.shape) - 1))
    mu = over_replicas(mean(x, axes))  # (channels,)
    variance = over_replicas(mean(ops.square(x - mu), axes))
    y = (x - mu) * ops.rsqrt(variance + epsilon)
    return ops.cast(y, dtype), mu, variance
