"""SAGAN on JAX."""

import jax
import keras

from keras_sagan.backends.folding import fold
from keras_sagan.backends.folding import upsample_by_phases


class Trainer:
    """The JAX side of `SAGAN`: state goes in and comes out of each step.

    A `keras.StatelessScope` over every variable lets the one stateful-looking
    algorithm run as a pure function: inside it, variables read and write the
    scope, and the step returns what the scope holds at the end.
    """

    def train_step(self, state, data):
        variables = (
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        )
        return _run_statelessly(self.step, variables, state, data)

    def test_step(self, state, data):
        variables = (
            self.trainable_variables,
            self.non_trainable_variables,
            self.metrics_variables,
        )
        return _run_statelessly(self.evaluation_step, variables, state, data)

    def value_and_gradients(self, loss_fn, variables):
        """Returns `loss_fn()`, a dict, and the gradients of its first item."""
        ids = {id(v) for v in variables}
        others = [v for v in self.variables if id(v) not in ids]
        others_before = [v.value for v in others]

        def pure_loss_fn(values):
            mapping = [*zip(variables, values), *zip(others, others_before)]
            with keras.StatelessScope(mapping) as scope:
                scalars = loss_fn()
            others_after = [scope.get_current_value(v) for v in others]
            return next(iter(scalars.values())), (scalars, others_after)

        (_, (scalars, others_after)), gradients = jax.value_and_grad(
            pure_loss_fn, has_aux=True
        )([v.value for v in variables])
        for variable, value in zip(others, others_after):
            variable.assign(value)
        return scalars, gradients

    def sync_variables(self):
        """During `fit` the values live in the trainer, not in the variables."""
        self.jax_state_sync()


def _run_statelessly(function, variables, state, data):
    mapping = [
        pair
        for group, values in zip(variables, state)
        for pair in zip(group, values)
    ]
    with keras.StatelessScope(mapping) as scope:
        logs = function(data)
    state = tuple(
        [scope.get_current_value(v) for v in group] for group in variables
    )
    return logs, state


def conv2d(x, kernel, strides=1, padding="SAME"):
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (strides, strides),
        padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def upsample_conv2d(x, kernel):
    # On a CPU, XLA's transposed convolution (JAX 0.10.2) is 5 to 12 times
    # slower than upsampling and convolving one after the other.
    return upsample_by_phases(x, kernel, lambda x, k: conv2d(x, k, 1, "VALID"))


def conv2d_downsample(x, kernel):
    return conv2d(x, fold(kernel) / 4, 2, [(1, 1), (1, 1)])


tanh = jax.numpy.tanh
