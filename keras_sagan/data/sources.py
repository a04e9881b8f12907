"""Where images come from."""

import numpy as np


def load_digits(resolution=16):
    """Loads scikit-learn's handwritten digits: real images, no download.

    1,797 digits of 8x8 pixels and 17 gray levels, 10 classes, from 43 people
    (UCI, "Optical Recognition of Handwritten Digits"); enlarged bilinearly.

    Args:
        resolution: Side of the returned images in pixels, at least 8.

    Returns:
        `(images, labels)`: uint8 `(1797, resolution, resolution, 3)`, the
        three channels equal, and int32 `(1797,)`.

    Raises:
        ImportError: If scikit-learn or Pillow is missing.
        ValueError: If `resolution` is less than 8.

    Example:
    >>> images, labels = keras_sagan.data.load_digits(16)
    >>> images.shape, labels.shape
    ((1797, 16, 16, 3), (1797,))
    """
    if resolution < 8:
        raise ValueError(
            "`resolution` must be at least 8, that of the digits. "
            f"Received: resolution={resolution}"
        )
    try:
        from PIL import Image
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(
            "The digits come with scikit-learn and are enlarged by Pillow: "
            "pip install 'keras_sagan[data]'"
        ) from error
    digits = datasets.load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype("uint8")
    images = [
        np.asarray(Image.fromarray(image).resize((resolution, resolution), 2))
        for image in pixels
    ]
    images = np.repeat(np.stack(images)[..., None], 3, axis=-1)
    return images, digits.target.astype("int32")
