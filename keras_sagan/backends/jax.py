"""SAGAN on JAX."""

import contextlib

import jax
import keras
from jax import numpy as jnp

from keras_sagan.backends import jax_convolution
from keras_sagan.backends import jax_values
from keras_sagan.backends import variables as plain
from keras_sagan.backends.chunked_attention import number_of_chunks
from keras_sagan.backends.folding import fold_mean
from keras_sagan.backends.folding import upsample_by_phases
from keras_sagan.backends.jax_replicas import has_accelerator
from keras_sagan.backends.jax_replicas import in_groups_of_replicas
from keras_sagan.backends.jax_steps import several_steps
from keras_sagan.backends.memory import keep_freed_memory
from keras_sagan.backends.precision import standardize_by_moments

SeedGenerator = keras.random.SeedGenerator
RUNS_EAGERLY = False


def prepare_training():
    """Tunes malloc for training; see `memory.keep_freed_memory`.

    Call it before the first array is made, if possible: XLA starts its threads
    with that array, and a thread never leaves its arena. On two CPU cores, a
    step at 64 pixels, width 32, batch 16 took 1041 ms after such an early
    call, and 1261 ms if `fit` was the first to call it.
    """
    keep_freed_memory(one_arena=True)


class Trainer:
    """The JAX part of `SAGAN`: each step takes and returns the state.

    A `keras.StatelessScope` over all variables runs the algorithm, which is
    written with state, as a pure function. In the scope, variables read and
    write its values, and the step returns the values at the end.
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

    def make_train_function(self, force=False):
        """Makes the function that Keras' `fit` calls.

        On an accelerator, it is a scan over steps. Keras 3.15.1 has no scan,
        and 3.16 has one on every device.
        """
        if self.train_function is not None and not force:
            return
        n = self.steps_per_execution
        self.steps_per_execution = 1
        try:
            super().make_train_function(force)
        finally:
            self.steps_per_execution = n
        if n > 1:
            compiled = self.jit_compile and not self.run_eagerly
            self.train_function = several_steps(
                self.train_step,
                n,
                self.train_function,
                as_scan=compiled and has_accelerator(),
            )

    def value_and_gradients(self, loss_fn, variables):
        """Returns `((loss, aux), gradients)` of `loss_fn() -> (loss, aux)`."""
        ids = {id(v) for v in variables}
        others = [v for v in self.variables if id(v) not in ids]
        others_before = [v.value for v in others]

        def pure_loss_fn(values):
            mapping = [*zip(variables, values), *zip(others, others_before)]
            with keras.StatelessScope(mapping) as scope:
                loss, aux = loss_fn()
            others_after = [scope.get_current_value(v) for v in others]
            return loss, (aux, others_after)

        (loss, (aux, others_after)), gradients = jax.value_and_grad(
            pure_loss_fn, has_aux=True
        )([v.value for v in variables])
        for variable, value in zip(others, others_after):
            variable.assign(value)
        return (loss, aux), gradients

    def run_learn(self, inputs):
        """Runs `learn`; Keras' trainer compiles the whole step."""
        return self.learn(inputs)

    def is_due(self, every):
        """Returns whether `every` divides the step count: a bool or tensor."""
        return every == 1 or self.steps_trained % every == 0

    def set_jit_compile(self, jit_compile):
        """Returns the value for the Keras trainer."""
        return jit_compile

    def broadcast_variables(self):
        """Does nothing: Keras gives all devices and processes equal values."""

    def sync_variables(self):
        """Updates the variables: in `fit`, the trainer has their values."""
        self.jax_state_sync()

    @contextlib.contextmanager
    def keeping_variables(self):
        """Keeps the values after an error in Keras' `fit` or `evaluate`.

        Keras takes the values out of the variables before each step, and puts
        them back at the end of an epoch.
        """
        self.sync_variables()  # A callback of `fit` may evaluate.
        self._jax_state = None  # An earlier call may have left one.
        variables = [
            *self.variables,
            *self.optimizer.variables,
            *self.metrics_variables,
        ]
        before = [(v, v.value) for v in variables]
        try:
            yield
        except BaseException:
            self.jax_state_sync()
            for variable, value in before:
                if _is_lost(variable):  # No step was run.
                    variable.assign(value)
            raise


def _is_lost(variable):
    """Returns whether Keras has taken the value out of a variable."""
    try:
        return variable.value is None
    except TypeError:  # Keras calls the initializer, which is gone.
        return True


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


def cond(predicate, true_fn, false_fn):
    """Returns `true_fn()` or `false_fn()`; neither may change any state."""
    if isinstance(predicate, bool):
        return true_fn() if predicate else false_fn()
    return jax.lax.cond(predicate, true_fn, false_fn)


def input_gradient(function, x):
    """Returns the gradient of a scalar function at `x`, differentiable."""
    return jax.grad(function)(x)


def conv2d(x, kernel, bias=None):
    return _add_bias(jax_convolution.convolve(x, kernel, 1, "SAME"), bias)


def convolve(x, kernel, bias, stride, padding):
    """Convolves with any kernel; "same" padding requires a stride of 1."""
    y = jax_convolution.convolve(x, kernel, stride, padding.upper())
    return _add_bias(y, bias)


def full_float32():
    """In this block, a GPU does not round float32 to TF32 in products."""
    return jax.default_matmul_precision("highest")


def upsample_conv2d(x, kernel, bias=None):
    # On a CPU, XLA's transposed convolution (JAX 0.10.2) is 5 to 12 times
    # slower than upsampling and convolving one after the other.
    y = upsample_by_phases(
        x, kernel, lambda x, k: jax_convolution.convolve(x, k, 1, "VALID")
    )
    return _add_bias(y, bias)


def conv2d_downsample(x, kernel, bias=None):
    y = jax_convolution.convolve(x, fold_mean(kernel), 2, [(1, 1), (1, 1)])
    return _add_bias(y, bias)


def _add_bias(x, bias):
    return x if bias is None else x + bias


@jax.custom_jvp
def divide_by_norm(matrix, sigma, u, v):
    """`matrix / sigma`, where `sigma = v matrix u^T` for constant `u` and `v`.

    The value of `sigma` is already known. A matrix of zeros stays zero.
    """
    return matrix * _inverse_norm(matrix, sigma, u, v)


@divide_by_norm.defjvp
def _derivative_of_divide_by_norm(primals, tangents):
    normalized, inverse = divide_by_norm(*primals), _inverse_norm(*primals)
    tangent = tangents[0] * inverse
    along = _norm(tangent, *primals[1:])
    return normalized, tangent - along * normalized


@jax.custom_jvp
def _inverse_norm(matrix, sigma, u, v):
    return 1 / jnp.where(sigma > 0, sigma, 1.0)


@_inverse_norm.defjvp
def _derivative_of_inverse_norm(primals, tangents):
    inverse = _inverse_norm(*primals)
    d_sigma = _norm(tangents[0], *primals[1:])
    return inverse, -jnp.square(inverse) * d_sigma


def _norm(matrix, sigma, u, v):
    # Sums instead of matrix products, because XLA fuses their transposes.
    norm = jnp.sum(jnp.sum(matrix * u, axis=1) * v)
    return jnp.where(sigma > 0, norm, 0.0)


def normalize(vector, epsilon, otherwise):
    """`vector / max(norm, epsilon)`, and `otherwise` for a zero vector."""
    norm = jnp.linalg.norm(vector)
    return jnp.where(norm > 0, vector / jnp.maximum(norm, epsilon), otherwise)


def attend(query, key, value):
    """Returns `softmax(query key^T) value`, a tensor `(B, N, C)`.

    The inputs are `(B, N, D)`, `(B, M, D)` and `(B, M, C)`. Attention on a
    large map is chunked: only the scores of a part of the queries are in memory
    at a time, and they are computed again for the gradient.
    """
    batch, n, depth = query.shape
    blocks = number_of_chunks(n, key.shape[1])
    if blocks == 1:
        return _attend(query, key, value)
    query = query.reshape(batch, blocks, n // blocks, depth).swapaxes(0, 1)
    block = jax.checkpoint(lambda q: _attend(q, key, value))
    o = jax.lax.map(block, query).swapaxes(0, 1)  # (B, blocks, N / blocks, C)
    return o.reshape(batch, n, -1)


def _attend(query, key, value):
    scores = query @ key.transpose(0, 2, 1)  # (B, N, M)
    scores = scores.astype(jnp.promote_types(scores.dtype, "float32"))
    return jax.nn.softmax(scores).astype(value.dtype) @ value


def standardize(x, epsilon, synchronized=True):
    """Returns `(x - mean) / sqrt(variance + epsilon)` and both moments.

    An array holds the whole batch, wherever its parts are stored. The moments
    are those of the whole batch too, unless each replica uses its own
    (`synchronized=False`).
    """
    groups = in_groups_of_replicas(x) if not synchronized else None
    if groups is None:
        return standardize_by_moments(x, epsilon)
    y, mean, variance = jax.vmap(
        lambda part: standardize_by_moments(part, epsilon)
    )(groups)
    return y.reshape(x.shape), mean.mean(0), variance.mean(0)


def snapshot(x):
    """Returns `x`, because assigning to a variable changes no tensor here."""
    return x


def scale_and_shift(x, gain, offset):
    return x * gain + offset


def max_pool(x, size):
    window = (1, size, size, 1)
    return jax.lax.reduce_window(
        x, -jnp.inf, jax.lax.max, window, window, "VALID"
    )


compiled = jax_values.compiled
constant = jax_values.constant
copies = jax_values.copies
global_norm = plain.global_norm
move = plain.move
move_average = jax_values.move_average
reshape = jnp.reshape
restore = plain.restore
to_host = jax_values.to_host
tanh = jnp.tanh
