"""A linear layer that does not round float64."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_sagan")
class Dense(keras.layers.Dense):
    """`keras.layers.Dense` for inputs of rank 2, in their precision.

    On PyTorch, `keras.ops.matmul` rounds float64 to float32, so that a
    training step could not be compared with other implementations to 1e-8.
    Gradients of every order are correct.

    Args:
        units: Positive integer, the number of output features.
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
        """Runs with another kernel; `SpectralNormalization` calls this."""
        inputs, kernel, bias = (
            x if x is None else ops.cast(x, self.compute_dtype)
            for x in (inputs, kernel, self.bias)
        )
        outputs = inputs @ kernel
        return self.activation(outputs if bias is None else outputs + bias)
