"""A linear layer that keeps float64."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_sagan")
class Dense(keras.layers.Dense):
    """`keras.layers.Dense` of rank 2 in the precision of its inputs.

    `keras.ops.matmul` rounds float64 to float32 on PyTorch, where a training
    step could then not be compared with other implementations' to 1e-8.
    Gradients of every order are right.

    Args:
        units: Positive integer, output features.
        **kwargs: As in `keras.layers.Dense`.

    Call arguments:
        inputs: Float tensor `(batch, features)`.

    Returns:
        A tensor `(batch, units)`.

    Example:

    >>> dense = keras_sagan.layers.dense.Dense(3)
    >>> tuple(dense(np.ones((2, 5), "float32")).shape)
    (2, 3)
    """

    def call(self, inputs):
        return self.call_with_kernel(self.kernel, inputs)

    def call_with_kernel(self, kernel, inputs):
        """Runs on another kernel: `SpectralNormalization` calls it so."""
        inputs, kernel, bias = (
            x if x is None else ops.cast(x, self.compute_dtype)
            for x in (inputs, kernel, self.bias)
        )
        outputs = inputs @ kernel
        return self.activation(outputs if bias is None else outputs + bias)
