"""The sum of a feature map and another one of half its size."""

import keras
from keras import ops

from keras_sagan import backends


@keras.saving.register_keras_serializable(package="keras_sagan")
class AddUpsampled(keras.layers.Layer):
    """Adds a feature map of half the size, upsampled to the nearest pixel.

    The upsampled map is never stored. Gradients of every order are correct.

    Call arguments:
        inputs: Tensor `(batch, 2 * height, 2 * width, channels)`.
        shortcut: Tensor `(batch, height, width, channels)`.

    Returns:
        A tensor of the shape of `inputs`.

    Raises:
        ValueError: If `shortcut` is not half the size of `inputs`.

    Example:

    >>> y = keras_sagan.layers.AddUpsampled()(
    ...     np.zeros((1, 4, 4, 1), "float32"), np.ones((1, 2, 2, 1), "float32"))
    >>> tuple(y.shape)
    (1, 4, 4, 1)
    """

    def call(self, inputs, shortcut):
        _, height, width, channels = shortcut.shape
        if tuple(inputs.shape[1:]) != (2 * height, 2 * width, channels):
            raise ValueError(
                "`shortcut` must have half the height and width of `inputs` "
                f"and its channels. Received: inputs of shape {inputs.shape}, "
                f"shortcut of shape {shortcut.shape}"
            )
        row = 2 * width * channels
        wide = ops.concatenate([shortcut, shortcut], axis=-1)  # (B, H, W, 2 C)
        wide = backends.reshape(wide, (-1, height, 1, row))
        y = backends.reshape(inputs, (-1, height, 2, row)) + wide
        return backends.reshape(y, (-1, *inputs.shape[1:]))

    def compute_output_shape(self, inputs_shape, shortcut_shape):
        return inputs_shape
