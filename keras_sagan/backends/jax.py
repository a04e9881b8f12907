"""SAGAN on JAX."""

import contextlib

import jax
import keras
from jax import numpy as jnp

from keras_sagan.backends import jax_values
from keras_sagan.backends import variables as plain
from keras_sagan.backends.chunked_attention import number_of_chunks
from keras_sagan.backends.folding import fold_mean
from keras_sagan.backends.folding import upsample_by_phases
from keras_sagan.backends.jax_replicas import in_groups_of_replicas
from keras_sagan.backends.jax_steps import several_steps
from keras_sagan.backends.memory import keep_freed_memory
from keras_sagan.backends.precision import standardize_by_moments

SeedGenerator = keras.random.SeedGenerator
NORMALIZES_TOGETHER = False


def prepare_training():
    """Tunes malloc for training; see `memory.keep_freed_memory`.

    Call it before the first array is made, where that is possible. XLA starts
    its threads then, and a thread never leaves its arena. On two CPU cores a
    step at 64 pixels, width 32, batch 16 took 1041 ms after such an early
    call, and 1261 ms where `fit` was the first to call.
    """
    keep_freed_memory(one_arena=True)


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

    def make_train_function(self, force=False):
        """Makes what Keras' `fit` calls, on a device with a scan over steps.

        Keras 3.15.1 has no scan, and 3.16 has one everywhere.
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
        """Whether the step count is a multiple of `every`, a bool or tensor."""
        return every == 1 or self.steps_trained % every == 0

    def set_jit_compile(self, jit_compile):
        """Returns what the Keras trainer is to be told."""
        return jit_compile

    def broadcast_variables(self):
        """Keras gives every device and process the same values."""

    def sync_variables(self):
        """During `fit` the values live in the trainer, not in the variables."""
        self.jax_state_sync()

    @contextlib.contextmanager
    def keeping_variables(self):
        """Around Keras' `fit` or `evaluate`: an error leaves the values.

        Keras takes them out of the variables before each step, and puts them
        back when an epoch has come to its end.
        """
        self.sync_variables()  # A callback of `fit` may evaluate.
        self._jax_state = None  # What an earlier call may have left there.
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
                if _is_lost(variable):  # No step has been run.
                    variable.assign(value)
            raise


def _is_lost(variable):
    """Whether Keras has taken the value out of a variable."""
    try:
        return variable.value is None
    except TypeError:  # It asks the initializer, and there is none left.
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
    """Returns the gradient of a scalar function in `x`, differentiable."""
    return jax.grad(function)(x)


def conv2d(x, kernel, bias=None):
    return _add_bias(_convolve(x, kernel, 1, "SAME"), bias)


def convolve(x, kernel, bias, stride, padding):
    """Convolves with any kernel; "same" padding needs a stride of 1."""
    return _add_bias(_convolve(x, kernel, stride, padding.upper()), bias)


def full_float32():
    """Inside, a GPU multiplies float32 as such, not rounded to TF32."""
    return jax.default_matmul_precision("highest")


def upsample_conv2d(x, kernel, bias=None):
    # On a CPU, XLA's transposed convolution (JAX 0.10.2) is 5 to 12 times
    # slower than upsampling and convolving one after the other.
    y = upsample_by_phases(x, kernel, lambda x, k: _convolve(x, k, 1, "VALID"))
    return _add_bias(y, bias)


def conv2d_downsample(x, kernel, bias=None):
    y = _convolve(x, fold_mean(kernel), 2, [(1, 1), (1, 1)])
    return _add_bias(y, bias)


def _convolve(x, kernel, strides, padding):
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (strides, strides),
        padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _add_bias(x, bias):
    return x if bias is None else x + bias


@jax.custom_jvp
def divide_by_norm(matrix, sigma, u, v):
    """`matrix / sigma`; `sigma = v matrix u^T`, with `u` and `v` constants.

    The value of `sigma` is known already. A matrix of zeros stays one.
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
    # As sums, not as products of matrices: XLA fuses their transposes.
    norm = jnp.sum(jnp.sum(matrix * u, axis=1) * v)
    return jnp.where(sigma > 0, norm, 0.0)


def normalize(vector, epsilon, otherwise):
    """`vector / max(norm, epsilon)`, and `otherwise` for a zero vector."""
    norm = jnp.linalg.norm(vector)
    return jnp.where(norm > 0, vector / jnp.maximum(norm, epsilon), otherwise)


def attend(query, key, value):
    """`softmax(query key^T) value`, of `(B, N, D)`, `(B, M, D)`, `(B, M, C)`.

    Attention on a large map is chunked: the scores of a part of the queries
    are in memory at a time, and are computed again for the gradient.
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

    An array is that of the whole batch, wherever its parts lie: so are its
    moments, unless each replica is to use its own (`synchronized=False`).
    """
    groups = in_groups_of_replicas(x) if not synchronized else None
    if groups is None:
        return standardize_by_moments(x, epsilon)
    y, mean, variance = jax.vmap(
        lambda part: standardize_by_moments(part, epsilon)
    )(groups)
    return y.reshape(x.shape), mean.mean(0), variance.mean(0)


def snapshot(x):
    """Returns `x`: assigning to a variable changes no tensor here."""
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
restore = plain.restore
to_host = jax_values.to_host
tanh = jnp.tanh


def has_accelerator():
    return jax.default_backend() != "cpu"
