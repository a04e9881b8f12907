"""Reads the image files that a verb is given."""

from keras_sagan.sizes import CHANNELS


def read_images(paths, shape):
    """Reads images, cropped and resized to a shape.

    Args:
        paths: `pathlib.Path`s.
        shape: `(height, width, channels)`.

    Returns:
        uint8 `(N, height, width, channels)`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a file does not hold an image.
    """
    import numpy as np

    from keras_sagan.data.images import read_image
    from keras_sagan.data.pixels import crop_and_resize

    if shape[-1] not in CHANNELS:
        raise ValueError(
            "Files can be read for models of images of 1, 3 or 4 channels. "
            f"Received: a model of images of {shape[-1]} channels"
        )
    images = []
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        try:
            image = read_image(path, shape[-1])
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        images.append(crop_and_resize(image, shape[:2]))
    return np.stack(images)
