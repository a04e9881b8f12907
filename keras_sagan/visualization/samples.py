"""Labelled grids of generated images."""

import numpy as np

from keras_sagan.arguments import check_bool
from keras_sagan.arguments import check_class_names
from keras_sagan.arguments import check_has
from keras_sagan.arguments import check_integer
from keras_sagan.visualization.grids import image_grid


def class_grid(
    model,
    classes=None,
    columns=10,
    seed=None,
    class_names=None,
    truncation=None,
    ema=True,
    scale=1,
    path=None,
    in_columns=False,
    share_latents=False,
):
    """Draws images of each class, one class per row, with its name.

    Args:
        model: A `SAGAN` with classes.
        classes: Integers, in the order of the rows. Defaults to the first ten
            classes.
        columns: Positive integer, images per class.
        seed: As in `SAGAN.generate`.
        class_names: Strings, the names of all classes. Defaults to their
            numbers.
        truncation: As in `SAGAN.generate`.
        ema: As in `SAGAN.generate`.
        scale: As in `image_grid`.
        path: File to save to, or None. The suffix decides the format.
        in_columns: Whether each class is a column instead, with its name above.
        share_latents: Whether the n-th images of all classes have the same
            latents, so that only the class differs between them.

    Returns:
        A uint8 array, `(grid height, grid width, 3)`.

    Raises:
        ValueError: If the model has no classes, an argument is out of range,
            or there are not as many names as classes.
        ImportError: If Pillow is missing.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> grid = keras_sagan.visualization.class_grid(model, [3, 1, 4], seed=0)
    >>> len(grid)
    52
    """
    check_sagan(model)
    if model.num_classes is None:
        raise ValueError(
            "`model` must have classes; for others, use `image_grid(model."
            "generate(num_images=...))`. Received: a model without classes"
        )
    if classes is None:
        classes = range(min(10, model.num_classes))
    check_has("classes", classes, "a list of integers", "__iter__")
    classes = list(classes)
    check_class_names(class_names, model.num_classes)
    check_integer("columns", columns, 1)
    check_bool("share_latents", share_latents)
    labels = np.repeat(classes, columns)
    drawn = {"seed": seed, "truncation": truncation}
    if share_latents and classes:
        latents, _ = model.draw_inputs(labels[:columns], **drawn)
        drawn = {"latents": np.tile(latents, (len(classes), 1))}
    images = model.generate(labels=labels, ema=ema, **drawn)
    return grid_of_classes(
        images, classes, class_names, in_columns, scale=scale, path=path
    )


def grid_of_classes(images, classes, class_names, in_columns, **picture):
    """Lays out equally many images of each class, with the class names.

    Args:
        images: uint8 `(classes * n, height, width, channels)`, in the order of
            the classes.
        classes: Integers.
        class_names: Strings, the names of all classes. Defaults to their
            numbers.
        in_columns: Whether each class is a column instead of a row.
        **picture: `scale` and `path` of `image_grid`.
    """
    names = [str(class_names[i] if class_names else i) for i in classes]
    n = len(images) // len(names)
    if not in_columns:
        return image_grid(images, n, row_names=names, **picture)
    by_class = images.reshape(-1, n, *images.shape[1:])
    turned = by_class.swapaxes(0, 1).reshape(images.shape)
    return image_grid(turned, len(names), column_names=names, **picture)


def truncation_grid(
    model,
    truncations=(0.25, 0.5, 1.0, 2.0, None),
    labels=None,
    columns=10,
    seed=0,
    ema=True,
    scale=1,
    path=None,
):
    """Draws images at several truncations of their latents, one per row.

    The images of a column have the same label and the same latent vector,
    except for the entries that a truncation draws again. Smaller truncations
    make the images more alike.

    Args:
        model: A `SAGAN`.
        truncations: Positive floats, or None for no truncation, as in
            `SAGAN.generate`.
        labels: Integer, or integers `(columns,)`. If `None`, they are drawn at
            random, the same for all rows; a model without classes has no
            labels.
        columns: Positive integer, images per row.
        seed: Integer.
        ema: As in `SAGAN.generate`.
        scale: As in `image_grid`.
        path: File to save to, or None. The suffix decides the format.

    Returns:
        A uint8 array, `(grid height, grid width, 3)`.

    Raises:
        ValueError: If an argument is out of range.
        ImportError: If Pillow is missing.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> grid = keras_sagan.visualization.truncation_grid(
    ...     model, (0.5, None), columns=3)
    >>> len(grid)
    35
    """
    check_sagan(model)
    check_integer("columns", columns, 1)
    if not isinstance(truncations, (list, tuple)) or not truncations:
        raise ValueError(
            "`truncations` must be one or more positive floats or None. "
            f"Received: truncations={truncations}"
        )
    # Redrawing latents would change the labels that are drawn after them.
    _, labels = model.draw_inputs(labels, columns, seed)
    rows = [
        model.generate(
            labels, num_images=columns, seed=seed, truncation=t, ema=ema
        )
        for t in truncations
    ]
    names = ["none" if t is None else f"{t:g}" for t in truncations]
    return image_grid(
        np.concatenate(rows), columns, scale, path=path, row_names=names
    )


def check_sagan(model):
    """Raises a `ValueError` unless `model` generates as a `SAGAN` does."""
    check_has("model", model, "a `SAGAN`", "generate", "draw_inputs")
