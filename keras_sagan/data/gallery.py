"""Shows a batch of images with keras-cv."""

import numpy as np

from keras_sagan.data.augmentation import require_keras_cv
from keras_sagan.files import replacing


def plot_gallery(images, columns=8, path=None):
    """Shows or saves images with keras-cv's `plot_image_gallery`.

    `keras_sagan.visualization.image_grid` makes a grid without keras-cv.

    Args:
        images: uint8 `(N, height, width, 3)`. Images that do not fill a row
            of `columns` are left out.
        columns: Positive integer, number of images in a row.
        path: Picture to write. If `None`, it is shown, for example in a
            notebook.

    Raises:
        ImportError: If keras-cv, TensorFlow or matplotlib is missing.
        ValueError: If there are fewer images than columns.

    Example:

    >>> images, labels = keras_sagan.data.load_digits()
    >>> keras_sagan.data.plot_gallery(images[:16], path="digits.png")
    """
    plot = require_keras_cv().visualization.plot_image_gallery
    images = np.asarray(images)
    rows = len(images) // columns if columns >= 1 else 0
    if not rows:
        raise ValueError(
            "`columns` must be from 1 to the number of images. "
            f"Received: columns={columns}, {len(images)} images"
        )
    arguments = {"value_range": (0, 255), "rows": rows, "cols": columns}
    images = images[: rows * columns]
    if path is None:
        plot(images, show=True, **arguments)
        return
    with replacing(path) as temporary:
        plot(images, path=str(temporary), transparent=False, **arguments)
