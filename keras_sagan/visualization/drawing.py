"""Draws heat maps, overlays, text and dots on arrays."""

import io

import numpy as np

from keras_sagan.data.arrays import as_arrays
from keras_sagan.data.pixels import as_rgb
from keras_sagan.sizes import CHANNELS

# Colours of queries, in order, unlike each other and unlike the heat.
QUERY_COLORS = (
    (230, 50, 50),
    (40, 150, 255),
    (60, 190, 75),
    (255, 120, 235),
    (255, 215, 0),
    (0, 210, 210),
    (160, 90, 250),
    (255, 140, 30),
)
_HEAT = np.array(
    [(0, 0, 0), (80, 20, 110), (190, 55, 80), (250, 145, 20), (255, 250, 170)]
)


class Picture(np.ndarray):
    """An array of uint8 `(height, width, 3)` that notebooks show."""

    def _repr_png_(self):
        # IPython calls this. Slices of a picture may have other shapes.
        if self.ndim != 3 or self.shape[-1] != 3 or self.dtype != np.uint8:
            return None
        file = io.BytesIO()
        pillow()[0].fromarray(np.asarray(self)).save(file, "PNG")
        return file.getvalue()


def pillow():
    """Returns Pillow's `Image`, `ImageDraw` and `ImageFont`."""
    try:
        from PIL import Image
        from PIL import ImageDraw
        from PIL import ImageFont
    except ImportError as error:
        raise ImportError(
            "Pictures need Pillow: pip install 'keras_sagan[data]'"
        ) from error
    return Image, ImageDraw, ImageFont


def check_images(name, images):
    """Returns images as RGB, with transparent ones on a checkerboard.

    Args:
        name: Name of the argument.
        images: uint8 `(N, height, width)`, or `(N, height, width, channels)`
            with 1, 3 or 4 channels.

    Returns:
        uint8 `(N, height, width, 3)`.

    Raises:
        ValueError: If they are not such images.
    """
    given = np.asarray(images)
    images = as_arrays(given)
    if (
        images.ndim != 4
        or images.shape[-1] not in CHANNELS
        or images.dtype != np.uint8
        or not len(images)
    ):
        raise ValueError(
            f"`{name}` must be uint8 of shape (N, height, width), or (N, "
            "height, width, channels) with 1, 3 or 4 channels. Received: "
            f"{name} of shape {given.shape} and dtype {given.dtype}"
        )
    if images.shape[-1] != 4:
        return as_rgb(images)
    _, height, width, _ = images.shape
    side = max(1, max(height, width) // 16)
    rows, columns = np.indices((height, width)) // side
    board = np.where((rows + columns) % 2, 255, 204).astype("uint8")
    return as_rgb(images, board[..., None])


def heat(values):
    """Returns colours of values in [0, 1], dark to bright: `(..., 3)` uint8."""
    at = np.linspace(0, 1, len(_HEAT))
    channels = [np.interp(values, at, channel) for channel in _HEAT.T]
    return np.rint(np.stack(channels, axis=-1)).astype("uint8")


def resized(values, height, width, smooth):
    """Enlarges a map `(h, w)` of floats: smoothly, or in squares."""
    image, _, _ = pillow()
    method = image.Resampling.BICUBIC if smooth else image.Resampling.NEAREST
    picture = image.fromarray(np.asarray(values, "float32"))
    return np.asarray(picture.resize((width, height), method))


def overlaid(image, values):
    """Overlays an image `(H, W, 3)` with the heat of values in [0, 1] `(H, W)`.

    The image is gray and dimmed where the heat is low.
    """
    values = np.clip(values, 0, 1)
    gray = 0.6 * image.mean(axis=-1, keepdims=True)
    share = (0.8 * values**0.7)[..., None]
    return np.rint((1 - share) * gray + share * heat(values)).astype("uint8")


def framed(image, color, width=3, margin=1):
    """Puts a frame around an image, and a white margin around the frame."""
    inner = np.pad(image, ((width, width), (width, width), (0, 0)))
    edge = np.ones(inner.shape[:2], bool)
    edge[width:-width, width:-width] = False
    inner[edge] = color
    around = ((margin, margin), (margin, margin), (0, 0))
    return np.pad(inner, around, constant_values=255)


def with_dots(image, points, colors, radius):
    """Draws dots with a white rim at points (x, y) on an image."""
    picture, draw, _ = pillow()
    canvas = picture.fromarray(np.ascontiguousarray(image))
    pen = draw.Draw(canvas)
    for (x, y), color in zip(points, colors):
        pen.circle(
            (float(x), float(y)),
            radius,
            fill=color,
            outline="white",
            width=max(1, round(radius / 4)),
        )
    return np.asarray(canvas)


def words(text, width, height, size=13, align="left"):
    """Draws a line of text, black on white, as an image of the given size.

    Text that is too long is shortened, and then ends in an ellipsis.
    """
    picture, draw, font = pillow()
    text = _shortened(text, width - 4, size)
    canvas = picture.new("RGB", (width, height), "white")
    place, anchor = {
        "left": ((2, height / 2), "lm"),
        "middle": ((width / 2, height / 2), "mm"),
        "right": ((width - 4, height / 2), "rm"),
    }[align]
    draw.Draw(canvas).text(
        place, text, "black", font.load_default(size), anchor=anchor
    )
    return np.asarray(canvas)


def text_width(text, size=13):
    """Returns the width of a line of text in pixels."""
    _, _, font = pillow()
    return int(np.ceil(font.load_default(size).getlength(text)))


def _shortened(text, width, size):
    """Returns a text, or as much of its start as fits, with an ellipsis."""
    if text_width(text, size) <= width:
        return text
    fit = (f"{text[:n].rstrip()}\u2026" for n in range(len(text) - 1, 0, -1))
    return next((t for t in fit if text_width(t, size) <= width), "")
