"""How the Inception network of FID resizes images."""

import numpy as np
from keras import ops


def resize_as_tf1(images, size):
    """Resizes bilinearly, bit for bit as TensorFlow 1's `resize_bilinear`.

    Pixel i of the output lies at `i * length / size`, the corner of a pixel
    and not its centre, and nothing is averaged when images shrink. This
    function must not be compiled: XLA would multiply and add with a single
    rounding.

    Args:
        images: Float tensor `(batch, height, width, channels)`.
        size: Positive integer.

    Returns:
        A float tensor `(batch, size, size, channels)`.

    Example:

    >>> from keras_sagan.metrics.resizing import resize_as_tf1
    >>> image = keras.ops.convert_to_tensor([[[[0.0]], [[2.0]]]])
    >>> keras.ops.convert_to_numpy(resize_as_tf1(image, 4))[0, :, 0, 0]
    array([0., 1., 2., 2.], dtype=float32)
    """
    for axis in (2, 1):  # Columns first.
        length = np.float32(images.shape[axis])
        place = np.arange(size, dtype="float32") * (length / np.float32(size))
        low = np.floor(place)
        high = np.minimum(low + 1, length - 1)
        a, b = (
            ops.take(images, index.astype("int32"), axis=axis)
            for index in (low, high)
        )
        shape = [1, 1, 1, 1]
        shape[axis] = size
        images = a + (b - a) * ops.reshape(place - low, shape)
    return images
