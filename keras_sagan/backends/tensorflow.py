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
NORMALIZES_TOGETHER = False


def prepare_training():
    """Tunes malloc for training; see `memory.keep_freed_memory`."""
    keep_freed_memory()


class Trainer:
    """The TensorFlow side of `SAGAN`: variables are assigned in place."""

    def train_step(self, data):
        # At the end of a dataset the step fails for want of data, but what
        # needs none, the seeds and the step count, would run all the same.
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
        # A table's gradient comes as IndexedSlices, of which Keras' Adam
        # would move only the rows seen: another algorithm than the others'.
        return (loss, aux), [tf.convert_to_tensor(g) for g in gradients]

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
        """A strategy gives every replica the same values."""

    def sync_variables(self):
        """Variables always hold the current values here."""

    @contextlib.contextmanager
    def keeping_variables(self):
        """Variables always hold their values here, after an error too.

        A `fit` that was stopped within an epoch leaves an iterator over the
        data. It must go before Python ends: later it would write a warning.
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
    """Returns the gradient of a scalar function in `x`, differentiable."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x)


def conv2d(x, kernel, bias=None):
    return _add_bias(tf.nn.conv2d(x, kernel, 1, "SAME"), bias)


def convolve(x, kernel, bias, stride, padding):
    """Convolves with any kernel; "same" padding needs a stride of 1."""
    return _add_bias(tf.nn.conv2d(x, kernel, stride, padding.upper()), bias)


@contextlib.contextmanager
def full_float32():
    """Inside, a GPU multiplies float32 as such, not rounded to TF32."""
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
    # With its own padding TensorFlow takes slow gradients (2.21).
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

    In a step of several replicas: of the whole batch, or, if not
    `synchronized`, of this part; the moments returned are the mean ones.
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
    """Returns `x`: assigning to a variable changes no tensor here."""
    return x


def scale_and_shift(x, gain, offset):
    return x * gain + offset


def max_pool(x, size):
    return tf.nn.max_pool2d(x, size, size, "VALID")


def move_average(averages, variables, momentum):
    """Assigns `momentum * average + (1 - momentum) * variable` to each."""
    for average, variable in zip(averages, variables):
        m = tf.cast(momentum, average.dtype)
        average.assign(m * average + (1 - m) * variable)


def constant(array, like):
    """Returns a NumPy array as a tensor of the dtype of `like`."""
    return tf.constant(array, like.dtype)


def copies(variables):
    """Returns the values of variables as they are now."""
    return [tf.identity(v.value) for v in variables]


def restore(variables, before, keep):
    """Gives variables their values of before, unless `keep` is true."""
    if tensorflow_replicas.stepping():
        raise ValueError(
            "A network in float16 must not be trained by several devices on "
            "TensorFlow: build it under 'mixed_bfloat16'. Received: "
            f"{tensorflow_replicas.replicas()} devices"
        )
    plain.restore(variables, before, keep)


def to_host(values):
    """Returns a list in which tensors are NumPy's."""
    return [x.numpy() if tf.is_tensor(x) else x for x in values]


attend = tensorflow_functions.attend
global_norm = plain.global_norm
move = plain.move
divide_by_norm = tensorflow_functions.divide_by_norm
tanh = tf.tanh


def compiled(function, variables):
    """Returns a function without arguments, as `function`, of variables."""
    return tf.function(function)


def has_accelerator():
    return bool(tf.config.list_physical_devices("GPU"))
