"""Values of variables on JAX: averages, copies, and moves to the host."""

import jax
import keras
from jax import numpy as jnp


def move_average(averages, variables, momentum):
    """Assigns `momentum * average + (1 - momentum) * variable` to each."""
    for average, variable in zip(averages, variables):
        m = momentum.astype(average.dtype)
        average.assign(m * average.value + (1 - m) * variable.value)


def constant(array, like):
    """Returns a NumPy array as a tensor of the dtype of `like`."""
    return jnp.asarray(array, like.dtype)


def copies(variables):
    """Returns the current values of variables."""
    return [v.value for v in variables]


def to_host(values):
    """Returns a list with device scalars as NumPy scalars, with one wait."""
    return jax.device_get(list(values))


def compiled(function, variables):
    """Returns a compiled version of a function of variables only."""

    @jax.jit
    def run(values):
        with keras.StatelessScope(list(zip(variables, values))):
            return function()

    return lambda: run([v.value for v in variables])
