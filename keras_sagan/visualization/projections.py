"""Pictures of projections: how images were found, and walks between them."""

import numpy as np

from keras_sagan.arguments import check_has
from keras_sagan.arguments import check_integer
from keras_sagan.visualization.drawing import check_images
from keras_sagan.visualization.drawing import words
from keras_sagan.visualization.grids import finished
from keras_sagan.visualization.grids import image_grid
from keras_sagan.visualization.samples import check_sagan
from keras_sagan.visualization.walks import between
from keras_sagan.visualization.walks import linear_interpolation
from keras_sagan.visualization.walks import spherical_interpolation

_LINE = 18  # Height of the line above the columns in pixels.
_WIDTH = 64  # Least width of a column, so that its title fits.


def projection_sheet(images, projection, scale=None, path=None):
    """Draws targets and the progress of their reconstructions.

    There is one row per image. It shows the target, then the images of the
    latents during the projection, with their steps above. The last one is the
    reconstruction.

    Args:
        images: The targets, uint8 `(N, height, width, channels)`.
        projection: What `SAGAN.project` returned for them.
        scale: Positive integer, enlargement of each pixel. If `None`, images
            are made at least 64 pixels wide.
        path: File to save to, or None. The suffix decides the format.

    Returns:
        A uint8 array, `(sheet height, sheet width, 3)`.

    Raises:
        ValueError: If there are not as many images as in the projection.
        ImportError: If Pillow is missing.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> images = model.generate(labels=[3, 7], seed=5)
    >>> found = model.project(images, labels=[3, 7], steps=10)
    >>> keras_sagan.visualization.projection_sheet(images, found).shape
    (149, 196, 3)
    """
    _check(projection)
    check_integer("scale", scale, 1, 1000, optional=True)
    images = check_images("images", images)
    if len(images) != len(projection.images):
        raise ValueError(
            f"`images` must be the {len(projection.images)} targets of the "
            f"projection. Received: {len(images)} images"
        )
    scale = scale or -(-_WIDTH // images.shape[2])
    history = [check_images("history", x) for x in projection.history]
    columns = np.stack([images, *history], axis=1)  # (N, columns, H, W, 3)
    grid = image_grid(
        columns.reshape(-1, *columns.shape[2:]), columns.shape[1], scale
    )
    width = grid.shape[1] // columns.shape[1]
    titles = ["target", *(f"step {step}" for step in projection.steps)]
    line = np.full((_LINE, grid.shape[1], 3), 255, "uint8")
    for i, title in enumerate(titles):
        line[:, i * width : (i + 1) * width] = words(
            title, width, _LINE, 12, "middle"
        )
    return finished(np.concatenate([line, np.asarray(grid)]), path)


def projection_walk(model, projection, steps=16, ema=True):
    """Generates the images on the way from one projected image to the next.

    Latents are interpolated spherically, as in `latent_walk`, and class weights
    linearly.

    Args:
        model: The `SAGAN` that projected the images.
        projection: What `SAGAN.project` returned for two or more images.
        steps: Positive integer, number of steps from one image to the next.
        ema: As in `SAGAN.generate`.

    Returns:
        uint8 `((N - 1) * steps + 1, 1, height, width, channels)`, for
        `save_video`.

    Raises:
        ValueError: If there is only one image, an argument is out of range, or
            the classes differ and the generator cannot blend them.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> images = model.generate(labels=[3, 7], seed=5)
    >>> found = model.project(images, labels=[3, 7], steps=10)
    >>> walk = keras_sagan.visualization.projection_walk(model, found, steps=4)
    >>> walk.shape
    (5, 1, 16, 16, 3)
    """
    check_sagan(model)
    _check(projection)
    check_integer("steps", steps, 1, 10_000)
    if len(projection.latents) < 2:
        raise ValueError(
            "`projection` must be of two images or more, to walk between them. "
            "Received: a projection of one image"
        )
    latents = between(projection.latents, steps, spherical_interpolation)
    weights, labels = projection.class_weights, projection.labels
    if labels is not None and len(set(labels.tolist())) > 1:
        weights, labels = np.eye(model.num_classes)[labels], None
    if labels is not None:
        labels = labels[0]
    if weights is not None:
        weights = between(weights, steps, linear_interpolation)
        weights = weights / weights.sum(axis=1, keepdims=True)
    images = model.generate(
        labels,
        latents=latents,
        class_weights=weights,
        num_images=len(latents),
        ema=ema,
    )
    return images[:, None]


def _check(projection):
    check_has(
        "projection",
        projection,
        "what `SAGAN.project` returns",
        "latents",
        "history",
        "steps",
    )
