"""A sum that keeps the dtype of its terms."""

import keras


@keras.saving.register_keras_serializable(package="keras_sagan")
class Add(keras.layers.Add):
    """Adds two tensors of the same shape and dtype.

    `keras.layers.Add` of Keras' nightly 3.16.0.dev2026102704 rounds float64
    sums to float32 on PyTorch, as its `ops.add` does.

    Call arguments:
        inputs: List of two tensors.

    Returns:
        A tensor of their shape and dtype.
    """

    def call(self, inputs):
        x, y = inputs
        return x + y
