"""One image file to one square of pixels."""

import contextlib
import warnings

import numpy as np

# A 1-pixel image can be enlarged, but there is nothing in it to learn.
SMALLEST_SIDE = 8
_BILINEAR = 2


class UnreadableImage(ValueError):
    """An image that cannot be used; the message says why."""


def read_image(file):
    """Reads an image of any common kind as 8-bit RGB.

    Gray, palette, CMYK and 16-bit images are converted, transparent ones laid
    on white, those turned by EXIF turned upright; of an animation the first
    picture counts.

    Args:
        file: Path, or file object in binary mode.

    Returns:
        A `PIL.Image.Image` of mode "RGB", shorter side at least 8 pixels.

    Raises:
        UnreadableImage: If it is not a whole image of that kind.
        ImportError: If Pillow is missing.
    """
    pillow = require_pillow()
    with _opened(file, pillow) as image:
        image.load()
        return _to_rgb(pillow.ImageOps.exif_transpose(image), pillow)


def read_size(file):
    """Reads the width and height alone; raises as `read_image`."""
    with _opened(file, require_pillow()) as image:
        return image.size


@contextlib.contextmanager
def _opened(file, pillow):
    """An opened image of sufficient size; any error is `UnreadableImage`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of odd metadata and large sizes.
            with pillow.Image.open(file) as image:
                if min(image.size) < SMALLEST_SIDE:
                    raise UnreadableImage(
                        f"{image.width}x{image.height} pixels, less than "
                        f"{SMALLEST_SIDE} a side"
                    )
                yield image
    except UnreadableImage:
        raise
    except pillow.UnidentifiedImageError as error:
        raise UnreadableImage(_why_unknown(file)) from error
    # Pillow's decoders raise whatever the bytes lead them to.
    except Exception as error:
        raise UnreadableImage(f"damaged: {error}") from error


def fit_square(image, resolution):
    """Crops the centre square and resizes it bilinearly.

    Args:
        image: `PIL.Image.Image` of mode "RGB".
        resolution: Side of the result in pixels.

    Returns:
        A uint8 array `(resolution, resolution, 3)`.
    """
    side = min(image.size)
    left, top = ((n - side) // 2 for n in image.size)
    box = (left, top, left + side, top + side)
    # Cut first: `resize(box=...)` lets pixels beyond the box in.
    image = image.crop(box)
    return np.asarray(image.resize((resolution, resolution), _BILINEAR))


def normalize(images):
    """Maps uint8 to `x / 127.5 - 1`, as networks take it.

    `fit` of `SAGAN` does it by itself; other networks need it.

    Args:
        images: uint8 `(..., 3)`.

    Returns:
        A float32 array in [-1, 1].

    Example:
    >>> keras_sagan.data.normalize(np.array([0, 255], "uint8")).tolist()
    [-1.0, 1.0]
    """
    return images.astype("float32") / 127.5 - 1


def require_pillow():
    """Returns the package `PIL` with the modules used, or says what to do."""
    try:
        import PIL
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        raise ImportError(
            "Images are read by Pillow: pip install 'keras_sagan[data]'"
        ) from error
    return PIL


def _why_unknown(file):
    try:
        with open(file, "rb") as stream:
            return "not an image" if stream.read(1) else "empty file"
    except (OSError, TypeError):
        return "not an image"


def _to_rgb(image, pillow):
    if image.mode.startswith("I"):  # 16 bits, in 16 or 32.
        pixels = np.asarray(image).astype("float64")
        if pixels.min() < 0 or pixels.max() > 65535:
            raise UnreadableImage("pixels of more than 16 bits")
        pixels = np.rint(pixels / 257).astype("uint8")
        image = pillow.Image.fromarray(pixels)
    elif image.mode == "F":
        raise UnreadableImage("floating-point pixels, of unknown range")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = pillow.Image.new("RGBA", image.size, "white")
        image = pillow.Image.alpha_composite(white, image)
    return image.convert("RGB")
