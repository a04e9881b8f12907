"""Reads an image file, and makes a square of it."""

import contextlib
import warnings

import numpy as np

# A 1-pixel image can be enlarged, but there is nothing in it to learn.
SMALLEST_SIDE = 8
_BILINEAR = 2


class UnreadableImage(ValueError):
    """Raised for an image that cannot be used; the message says why."""


def read_image(file):
    """Reads an image of any common kind as 8-bit RGB.

    Gray, palette, CMYK and 16-bit images are converted. Transparent images
    are laid on white, and images that EXIF says are turned are set upright.
    Of an animation, the first picture is read.

    Args:
        file: Path, or file object in binary mode.

    Returns:
        A `PIL.Image.Image` of mode "RGB" whose shorter side has at least 8
        pixels.

    Raises:
        UnreadableImage: If the file does not hold a whole image.
        ImportError: If Pillow is missing.
    """
    pillow = require_pillow()
    with _opened(file, pillow) as image:
        image.load()
        return _to_rgb(pillow.ImageOps.exif_transpose(image), pillow)


def read_size(file):
    """Reads only the width and height; raises what `read_image` raises."""
    with _opened(file, require_pillow()) as image:
        return image.size


@contextlib.contextmanager
def _opened(file, pillow):
    """Opens an image; every error becomes an `UnreadableImage`."""
    try:
        with warnings.catch_warnings():
            # Pillow warns about odd metadata and about large images.
            warnings.simplefilter("ignore")
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
    # Damaged bytes can make Pillow's decoders raise any exception.
    except Exception as error:
        raise UnreadableImage(f"damaged: {error}") from error


def fit_square(image, resolution):
    """Crops the centre square and resizes it bilinearly.

    Args:
        image: Array `(height, width, 3)` of uint8 or floats, or a
            `PIL.Image.Image` of mode "RGB".
        resolution: Side of the result in pixels.

    Returns:
        An array `(resolution, resolution, 3)` of the same dtype. A square of
        that size is returned as it is.
    """
    image = np.asarray(image)
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    # Cropped first: Pillow's `resize(box=...)` uses pixels beyond the box.
    image = image[top : top + side, left : left + side]
    if side == resolution:
        return image
    from_array = require_pillow().Image.fromarray
    size = (resolution, resolution)
    if image.dtype == np.uint8:
        image = from_array(np.ascontiguousarray(image))
        return np.asarray(image.resize(size, _BILINEAR))
    channels = [
        from_array(channel.astype("float32")).resize(size, _BILINEAR)
        for channel in np.moveaxis(image, -1, 0)
    ]
    return np.stack(channels, axis=-1).astype(image.dtype)


def normalize(images):
    """Maps uint8 images to `x / 127.5 - 1`, the range that networks take.

    `SAGAN.fit` does this by itself. Call it for networks of your own.

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
    """Returns the package `PIL`, or says how to install it."""
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
    if image.mode.startswith("I"):  # 16-bit values, stored in 16 or 32 bits.
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
