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
    """Returns the values of variables as they are now."""
    return [v.value for v in variables]


def to_host(values):
    """Returns a list in which scalars on a device are NumPy's, in one wait."""
    return jax.device_get(list(values))


def compiled(function, variables):
    """Returns a function without arguments, as `function`, of variables."""

    @jax.jit
    def run(values):
        with keras.StatelessScope(list(zip(variables, values))):
            return function()

    return lambda: run([v.value for v in variables])
