"""Figures of attention, like Figures 1 and 5 of the paper."""

import pathlib

import numpy as np

from keras_sagan.arguments import check_has
from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_path
from keras_sagan.arguments import check_strings
from keras_sagan.visualization.drawing import QUERY_COLORS
from keras_sagan.visualization.drawing import check_images
from keras_sagan.visualization.drawing import framed
from keras_sagan.visualization.drawing import heat
from keras_sagan.visualization.drawing import overlaid
from keras_sagan.visualization.drawing import resized
from keras_sagan.visualization.drawing import text_width
from keras_sagan.visualization.drawing import with_dots
from keras_sagan.visualization.drawing import words
from keras_sagan.visualization.grids import finished

_WHITE = (255, 255, 255)
_LARGEST = 10_000  # Side of a panel in pixels.
_LINE = 20  # Height of a line of text in pixels.
_BRIGHTEST = 3  # Least weight at full brightness, in multiples of uniform.


def attention_figure(maps, index=0, panel=160, class_names=None, path=None):
    """Draws where the queries of one image look.

    The upper row shows the image with its queries as dots, then for each query
    the image in gray, overlaid with a heat map of where the query looks. The
    lower row shows the image again, then the same maps alone, with one square
    per key. The captions give the largest weight of each map, in multiples of
    the weight of a uniform map. The heat is linear from 0 to that weight, or to
    3x if that is larger, so that a flat map looks flat.

    Args:
        maps: An `AttentionMaps`.
        index: Integer, which of its images.
        panel: Positive integer, the side in pixels that each picture in the
            figure should have. Images are enlarged by whole factors, so a
            picture may be smaller.
        class_names: Strings, the names of the classes, for the title. Defaults
            to their numbers.
        path: File to save to, or None. The suffix decides the format.

    Returns:
        A uint8 array `(figure height, figure width, 3)`.

    Raises:
        ValueError: If there is no such image.
        ImportError: If Pillow is missing.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> maps = keras_sagan.visualization.attention_maps(
    ...     model, labels=3, seed=0, queries=3)
    >>> keras_sagan.visualization.attention_figure(maps).shape
    (376, 672, 3)
    """
    _check(maps, panel)
    n = len(maps.images)
    check_integer("index", index, -n, n - 1)
    check_strings("class_names", class_names, optional=True)
    above, below = _panels(maps, index, panel)
    width = above[0].shape[1]
    peaks = maps.maps[index].max(axis=(1, 2)) * maps.maps[index, 0].size
    captions = [words("", width, _LINE)] + [
        words(f"max {peak:.1f}x", width, _LINE, align="middle")
        for peak in peaks
    ]
    rows = [np.concatenate(row, axis=1) for row in (above, below, captions)]
    body = np.concatenate(rows)
    title = _title(maps, index, class_names)
    width = max(body.shape[1], text_width(title) + 4)
    body = np.pad(
        body,
        ((0, 0), (0, width - body.shape[1]), (0, 0)),
        constant_values=255,
    )
    return finished(np.concatenate([words(title, width, _LINE), body]), path)


def attention_sheet(maps, panel=96, path=None):
    """Draws where the queries of all images look, one row per image.

    Each row is the upper row of the `attention_figure` of its image.

    Args:
        maps: An `AttentionMaps`.
        panel: As in `attention_figure`.
        path: File to save to, or None. The suffix decides the format.

    Returns:
        A uint8 array `(sheet height, sheet width, 3)`.

    Raises:
        ImportError: If Pillow is missing.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> maps = keras_sagan.visualization.attention_maps(
    ...     model, labels=[3, 7], seed=0, queries=3)
    >>> keras_sagan.visualization.attention_sheet(maps).shape
    (208, 416, 3)
    """
    _check(maps, panel)
    rows = [
        np.concatenate(_panels(maps, i, panel)[0], axis=1)
        for i in range(len(maps.images))
    ]
    return finished(np.concatenate(rows), path)


def save_attention(maps, directory, class_names=None):
    """Saves a figure of each image, and a sheet of all images.

    Args:
        maps: An `AttentionMaps`.
        directory: Folder. The files are named after the network and the layer:
            `generator_attention_32_000.png` and so on, and `..._sheet.png`.
        class_names: As in `attention_figure`.

    Returns:
        A list of paths. The last one is the sheet.

    Raises:
        ImportError: If Pillow is missing.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> maps = keras_sagan.visualization.attention_maps(model, labels=3, seed=0)
    >>> paths = keras_sagan.visualization.save_attention(maps, "attention")
    >>> [path.name for path in paths]
    ['ema_generator_attention_8_000.png', 'ema_generator_attention_8_sheet.png']
    """
    name = check_path("directory", directory) / f"{maps.network}_{maps.layer}"
    paths = []
    for i in range(len(maps.images)):
        paths.append(pathlib.Path(f"{name}_{i:03d}.png"))
        attention_figure(maps, i, class_names=class_names, path=paths[-1])
    paths.append(pathlib.Path(f"{name}_sheet.png"))
    attention_sheet(maps, path=paths[-1])
    return paths


def _check(maps, panel):
    check_has("maps", maps, "an `AttentionMaps`", "maps", "queries")
    check_integer("panel", panel, 1, _LARGEST)


def _panels(maps, index, panel):
    """Returns the upper and the lower pictures. The image itself is first."""
    (image,) = check_images("images", maps.images[index][None])
    scale = max(1, panel // max(image.shape[:2]))
    image = image.repeat(scale, axis=0).repeat(scale, axis=1)
    height, width, _ = image.shape
    # Dots lie in the middle of the location that they stand for.
    rows, columns = maps.scores.shape[1:3]
    centres = (maps.locations[index][:, ::-1] + 0.5) * (
        width / columns,
        height / rows,
    )
    colors = [QUERY_COLORS[i % len(QUERY_COLORS)] for i in range(len(centres))]
    radius = max(3, max(height, width) / 22)
    above = [framed(with_dots(image, centres, colors, radius), _WHITE)]
    below = [framed(image, _WHITE)]
    for values, centre, color in zip(maps.maps[index], centres, colors):
        values = values / max(values.max(), _BRIGHTEST / values.size)
        smooth = resized(values, height, width, smooth=True)
        over = with_dots(overlaid(image, smooth), [centre], [color], radius)
        squares = heat(resized(values, height, width, smooth=False))
        above.append(framed(over, color))
        below.append(framed(squares, color))
    return above, below


def _title(maps, index, class_names):
    rows, columns, height, width = maps.scores.shape[1:]
    title = (
        f"{maps.network}, {maps.layer}: {rows}x{columns} queries on "
        f"{height}x{width} keys, gamma {maps.gamma:+.3f}"
    )
    if maps.labels is None:
        return title
    label = int(maps.labels[index])
    return f"{class_names[label] if class_names else label} | {title}"
