"""Shows samples beside the training images that are nearest to them."""

import numpy as np

from keras_sagan import metrics
from keras_sagan.arguments import check_integer
from keras_sagan.metrics.images import Images
from keras_sagan.visualization.grids import finished
from keras_sagan.visualization.grids import image_grid


def nearest_neighbors(
    samples, images, count=5, feature_extractor=None, scale=1, path=None
):
    """Draws samples, each in a row with its nearest training images.

    If the generator has memorized training images, the first neighbour
    is the same image as the sample. The distances are those of
    `metrics.nearest_neighbors`.

    Args:
        samples: uint8 `(N, H, W, channels)`, as `SAGAN.generate` gives them.
        images: Training images of the same size and kind, as for `real` of
            `metrics.evaluate`.
        count: Positive integer, number of neighbours per row. The nearest comes
            first.
        feature_extractor: As in `metrics.evaluate`. If `None`, pixels are
            compared.
        scale: Positive integer, enlargement of each pixel.
        path: File to save to, or None. The suffix decides the format.

    Returns:
        A uint8 array, `(grid height, grid width, 3)`.

    Raises:
        ValueError: If an argument is not as above.
        ImportError: If Pillow is missing and a path is given.

    Example:

    >>> x = np.zeros((4, 8, 8, 3), "uint8")
    >>> keras_sagan.visualization.nearest_neighbors(x[:2], x, count=3).shape
    (19, 42, 3)
    """
    check_integer("scale", scale, 1)
    indices, _ = metrics.nearest_neighbors(
        samples, images, count, feature_extractor
    )
    # The images are read again, one row at a time.
    images = Images("images", images)
    found = [image for row in indices for image in images.take(row)[0]]
    left = image_grid(samples, columns=1, scale=scale)
    right = image_grid(np.stack(found), columns=count, scale=scale)
    gap = np.full((len(left), max(2, 4 * scale), 3), 255, "uint8")
    grid = np.concatenate([left, gap, right], axis=1)
    return finished(grid, path)
