"""SAGAN on TensorFlow."""

import tensorflow as tf
from keras import ops

from keras_sagan.backends.folding import fold
from keras_sagan.backends.folding import fold_transposed


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
        """Returns `loss_fn()`, a dict, and the gradients of its first item."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([v.value for v in variables])
            scalars = loss_fn()
        loss = next(iter(scalars.values()))
        gradients = tape.gradient(loss, [v.value for v in variables])
        # A table's gradient comes as IndexedSlices, of which Keras' Adam
        # would move only the rows seen: another algorithm than the others'.
        return scalars, [tf.convert_to_tensor(g) for g in gradients]

    def sync_variables(self):
        """Variables always hold the current values here."""


def conv2d(x, kernel):
    return tf.nn.conv2d(x, kernel, 1, "SAME")


def upsample_conv2d(x, kernel):
    batch, (height, width) = tf.shape(x)[0], x.shape[1:3]
    kernel = tf.transpose(fold_transposed(kernel), (0, 1, 3, 2))
    shape = (batch, 2 * height, 2 * width, kernel.shape[2])
    return tf.nn.conv2d_transpose(x, kernel, shape, 2, "SAME")


def conv2d_downsample(x, kernel):
    x = ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    return tf.nn.conv2d(x, fold(kernel) / 4, 2, "VALID")


tanh = tf.tanh
