"""SAGAN on TensorFlow."""

import contextlib
import gc

import keras
import tensorflow as tf

from keras_sagan.backends import tensorflow_functions
from keras_sagan.backends import tensorflow_replicas
from keras_sagan.backends import variables as plain
from keras_sagan.backends.folding import fold_mean
from keras_sagan.backends.folding import fold_transposed
from keras_sagan.backends.memory import keep_freed_memory
from keras_sagan.backends.precision import standardize_by_moments

SeedGenerator = keras.random.SeedGenerator
RUNS_EAGERLY = False


def prepare_training():
    """Tunes malloc for training; see `memory.keep_freed_memory`."""
    keep_freed_memory()


class Trainer:
    """The TensorFlow part of `SAGAN`: variables are assigned in place."""

    def train_step(self, data):
        # At the end of a dataset the step fails, because there is no data.
        # Without this, the seeds and the step count would still change.
        tensors = [x for x in tf.nest.flatten(data) if x is not None]
        with tf.control_dependencies(tensors):
            return self.step(data)

    def test_step(self, data):
        return self.evaluation_step(data)

    def value_and_gradients(self, loss_fn, variables):
        """Returns `((loss, aux), gradients)` of `loss_fn() -> (loss, aux)`."""
        values = [v.value for v in variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            loss, aux = loss_fn()
        gradients = tape.gradient(loss, values, unconnected_gradients="zero")
        # The gradient of a table is IndexedSlices. With it, Keras' Adam would
        # update only some rows, unlike on the other backends.
        return (loss, aux), [tf.convert_to_tensor(g) for g in gradients]

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
        """Does nothing: a strategy gives every replica the same values."""

    def sync_variables(self):
        """Does nothing: variables always have their current values."""

    @contextlib.contextmanager
    def keeping_variables(self):
        """Frees the data; variables keep their values after an error anyway.

        A `fit` that was stopped within an epoch leaves an iterator over the
        data. It must be freed before Python ends; otherwise it would write a
        warning.
        """
        yield
        if self.stop_training:
            gc.collect()


def cond(predicate, true_fn, false_fn):
    """Returns `true_fn()` or `false_fn()`; neither may change any state."""
    if isinstance(predicate, bool):
        return true_fn() if predicate else false_fn()
    return tf.cond(predicate, true_fn, false_fn)


def input_gradient(function, x):
    """Returns the gradient of a scalar function at `x`, differentiable."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x)


def conv2d(x, kernel, bias=None):
    return _add_bias(tf.nn.conv2d(x, kernel, 1, "SAME"), bias)


def convolve(x, kernel, bias, stride, padding):
    """Convolves with any kernel; "same" padding requires a stride of 1."""
    return _add_bias(tf.nn.conv2d(x, kernel, stride, padding.upper()), bias)


@contextlib.contextmanager
def full_float32():
    """In this block, a GPU does not round float32 to TF32 in products."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def upsample_conv2d(x, kernel, bias=None):
    batch, (height, width) = tf.shape(x)[0], x.shape[1:3]
    kernel = tf.transpose(fold_transposed(kernel), (0, 1, 3, 2))
    shape = (batch, 2 * height, 2 * width, kernel.shape[2])
    y = tf.nn.conv2d_transpose(x, kernel, shape, 2, "SAME")
    return _add_bias(y, bias)


def conv2d_downsample(x, kernel, bias=None):
    # With its own padding, TensorFlow uses slow gradients (2.21).
    x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    return _add_bias(tf.nn.conv2d(x, fold_mean(kernel), 2, "VALID"), bias)


def _add_bias(x, bias):
    # `tf.nn.bias_add` is fused into the convolution before it.
    return x if bias is None else tf.nn.bias_add(x, bias)


def normalize(vector, epsilon, otherwise):
    """`vector / max(norm, epsilon)`, and `otherwise` for a zero vector."""
    norm = tf.norm(vector)
    return tf.where(norm > 0, vector / tf.maximum(norm, epsilon), otherwise)


def standardize(x, epsilon, synchronized=True):
    """Returns `(x - mean) / sqrt(variance + epsilon)` and both moments.

    In a step with several replicas, `x` is standardized by the moments of the
    whole batch, or by those of this part if `synchronized` is False. The
    returned moments are means over the replicas.
    """
    if not tensorflow_replicas.stepping():
        return _standardize(x, epsilon)
    mean_moment = tensorflow_replicas.mean_moment
    if synchronized:
        return standardize_by_moments(x, epsilon, mean_moment)
    y, *own = _standardize(x, epsilon)
    return y, *(mean_moment(tf.stop_gradient(moment)) for moment in own)


def _standardize(x, epsilon):
    if x.dtype == "float64" or len(x.shape) != 4:
        return standardize_by_moments(x, epsilon)
    channels, n = x.shape[-1], tf.size(x) // x.shape[-1]
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=tf.ones(channels),
        offset=tf.zeros(channels),
        mean=tf.zeros(0),
        variance=tf.zeros(0),
        epsilon=epsilon,
        is_training=True,
    )
    n = tf.cast(n, "float32")
    return y, mean, variance * ((n - 1) / n)


def snapshot(x):
    """Returns `x`, because assigning to a variable changes no tensor here."""
    return x


def scale_and_shift(x, gain, offset):
    return x * gain + offset


def max_pool(x, size):
    return tf.nn.max_pool2d(x, size, size, "VALID")


def move_average(averages, variables, momentum):
    """Assigns `momentum * average + (1 - momentum) * variable` to each."""
    weights = {}
    for dtype in {average.dtype for average in averages}:
        kept = tf.cast(momentum, dtype)
        weights[dtype] = kept, 1 - kept
    for average, variable in zip(averages, variables):
        kept, added = weights[average.dtype]
        average.assign(kept * average + added * variable)


def constant(array, like):
    """Returns a NumPy array as a tensor of the dtype of `like`."""
    return tf.constant(array, like.dtype)


def copies(variables):
    """Returns the current values of variables."""
    return [tf.identity(v.value) for v in variables]


def restore(variables, before, keep):
    """Restores the values of variables, unless `keep` is true."""
    if tensorflow_replicas.stepping():
        raise ValueError(
            "A network in float16 must not be trained by several devices on "
            "TensorFlow: build it with 'mixed_bfloat16'. Received: "
            f"{tensorflow_replicas.replicas()} devices"
        )
    plain.restore(variables, before, keep)


def to_host(values):
    """Returns a list with tensors as NumPy arrays."""
    return [x.numpy() if tf.is_tensor(x) else x for x in values]


attend = tensorflow_functions.attend
global_norm = plain.global_norm
move = plain.move
divide_by_norm = tensorflow_functions.divide_by_norm
reshape = tf.reshape
tanh = tf.tanh


def compiled(function, variables):
    """Returns a compiled version of a function of variables only."""
    return tf.function(function)


def has_accelerator():
    return bool(tf.config.list_physical_devices("GPU"))
