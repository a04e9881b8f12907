"""Grids of images."""

import numpy as np

from keras_sagan.arguments import check_has
from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_path
from keras_sagan.data.pixels import as_picture
from keras_sagan.files import replacing
from keras_sagan.visualization.drawing import Picture
from keras_sagan.visualization.drawing import check_images
from keras_sagan.visualization.drawing import pillow
from keras_sagan.visualization.drawing import text_width
from keras_sagan.visualization.drawing import words

_LARGEST = 1000  # Largest scale and padding.


def image_grid(
    images,
    columns=None,
    scale=1,
    padding=1,
    path=None,
    row_names=None,
    column_names=None,
):
    """Lays images out in a grid, row by row.

    Args:
        images: uint8 `(N, height, width)` or `(N, height, width, channels)`,
            as `SAGAN.generate` gives them. Transparent ones (4 channels) are
            laid on a checkerboard.
        columns: Positive integer, number of images per row. If `None`, the grid
            is as square as N allows.
        scale: Positive integer, enlargement of each pixel. If `None`, small
            images are made about 64 pixels wide.
        padding: Non-negative integer, white pixels around each image.
        path: File to save to, or None. The suffix decides the format.
        row_names: Strings, one per row, written to the left of it, or None.
        column_names: Strings, one per column, written above it, or None. Text
            that is wider than its column is cut.

    Returns:
        A uint8 array, `(grid height, grid width, 3)`. A notebook shows it as a
        picture.

    Raises:
        ValueError: If `images` is not such an array, `columns` or `scale` is
            not positive, or there is not a name for each row or column.
        ImportError: If Pillow is missing and a path or names are given.

    Example:

    >>> images = np.zeros((6, 8, 8, 3), "uint8")
    >>> keras_sagan.visualization.image_grid(images, columns=3).shape
    (19, 28, 3)
    """
    images = check_images("images", images)
    check_integer("columns", columns, 1, optional=True)
    check_integer("scale", scale, 1, _LARGEST, optional=True)
    check_integer("padding", padding, 0, _LARGEST)
    columns = columns or int(np.ceil(np.sqrt(len(images))))
    if scale is None:
        scale = max(1, 64 // images.shape[2])
    images = images.repeat(scale, axis=1).repeat(scale, axis=2)
    _, height, width, _ = images.shape
    rows = -(-len(images) // columns)
    step_y, step_x = height + padding, width + padding
    shape = (rows * step_y + padding, columns * step_x + padding, 3)
    grid = np.full(shape, 255, "uint8")
    for i, image in enumerate(images):
        y = i // columns * step_y + padding
        x = i % columns * step_x + padding
        grid[y : y + height, x : x + width] = image
    if column_names is not None:
        check_has("column_names", column_names, "a list of strings", "__iter__")
        grid = _with_column_names(
            grid, list(column_names), columns, step_x, padding
        )
    if row_names is not None:
        check_has("row_names", row_names, "a list of strings", "__iter__")
        above = len(grid) - shape[0]
        grid = _with_row_names(
            grid, list(row_names), rows, step_y, padding + above
        )
    return finished(grid, path)


def finished(picture, path):
    """Saves a picture if there is a path, and returns it as a `Picture`."""
    if path is not None:
        save_image(picture, path)
    return picture.view(Picture)


def _with_row_names(grid, names, rows, step, above):
    _check_count("row_names", names, "rows", rows)
    size = int(np.clip(step // 2, 8, 16))
    width = 6 + max(text_width(name, size) for name in names)
    margin = np.full((len(grid), width, 3), 255, "uint8")
    for i, name in enumerate(names):
        part = margin[above + i * step :][: step - 1]
        part[:] = words(name, *part.shape[1::-1], size, "right")
    return np.concatenate([margin, grid], axis=1)


def _with_column_names(grid, names, columns, step, padding):
    _check_count("column_names", names, "columns", columns)
    size = int(np.clip(step // 3, 8, 16))
    margin = np.full((size + 6, grid.shape[1], 3), 255, "uint8")
    for i, name in enumerate(names):
        part = margin[:, padding + i * step :][:, : step - 1]
        part[:] = words(name, *part.shape[1::-1], size, "middle")
    return np.concatenate([margin, grid])


def _check_count(argument, names, what, count):
    if len(names) != count:
        raise ValueError(
            f"`{argument}` must be as many as there are {what}, {count}. "
            f"Received: {argument}={names}"
        )


def save_image(image, path):
    """Saves a uint8 image `(height, width, channels)`, whole or not at all."""
    picture, _, _ = pillow()
    path = check_path("path", path)
    suffixes = picture.registered_extensions()
    if suffixes.get(path.suffix.lower()) not in picture.SAVE:
        raise ValueError(
            "`path` must end in the suffix of a picture, such as .png. "
            f"Received: path={path}"
        )
    with replacing(path) as temporary:
        as_picture(image).save(temporary)
