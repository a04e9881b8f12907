"""Reads an image file, and makes a square of it."""

import contextlib
import io
import os
import stat
import warnings

import numpy as np

from keras_sagan.files import is_of_the_system

# A 1-pixel image can be enlarged, but there is nothing in it to learn.
SMALLEST_SIDE = 8
# Pillow keeps four bytes for a pixel, and conversion needs a second copy: an
# image of this size takes 400 MB for a moment.
MOST_PIXELS = 50_000_000
_BILINEAR = 2


class UnreadableImage(ValueError):
    """Raised for an image that cannot be used; the message says why."""


def read_image(file):
    """Reads an image of any common kind as 8-bit RGB.

    Gray, palette, CMYK and 16-bit images are converted. Transparent images
    are laid on white, and images that EXIF says are turned are set upright.
    Of an animation, the first picture is read. A JPEG of more than
    `MOST_PIXELS` (50 million) is decoded at a half, a quarter or an eighth of
    its size, and any other image of that size is not decoded.

    Args:
        file: Path, or file object in binary mode.

    Returns:
        A `PIL.Image.Image` of mode "RGB" whose shorter side has at least 8
        pixels.

    Raises:
        UnreadableImage: If the file does not hold a whole image: what the
            decoder says of its bytes.
        OSError: If the file cannot be read. This says nothing about the
            image, and may pass.
        MemoryError: If there is no memory for the image.
        ImportError: If Pillow is missing.
    """
    pillow = require_pillow()
    with _opened(file, pillow) as image:
        _bound_pixels(image)
        image.load()
        return _to_rgb(pillow.ImageOps.exif_transpose(image), pillow)


def read_size(file):
    """Reads only the width and height; raises what `read_image` raises."""
    with _opened(file, require_pillow()) as image:
        return image.size


class _File(io.FileIO):
    """A regular file that remembers if the system could not read it."""

    failure = None

    def __init__(self, path):
        # Opening a named pipe would wait for a writer, maybe forever.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UnreadableImage("not a regular file")
        super().__init__(path)

    def readinto(self, buffer):
        try:
            return super().readinto(buffer)
        except OSError as error:
            self.failure = error
            raise

    def fileno(self):
        # A library that took the descriptor would hide how reading failed.
        raise io.UnsupportedOperation("fileno")


@contextlib.contextmanager
def _stream(file):
    """Gives a file object to read from, and what tells if it failed."""
    if hasattr(file, "read"):
        yield file, file
        return
    with _File(file) as raw, io.BufferedReader(raw) as stream:
        yield stream, raw


@contextlib.contextmanager
def _opened(file, pillow):
    """Opens an image; what the decoder says becomes an `UnreadableImage`."""
    source = None
    try:
        with warnings.catch_warnings(), _stream(file) as (stream, source):
            # Pillow warns about odd metadata and about large images.
            warnings.simplefilter("ignore")
            with pillow.Image.open(stream) as image:
                if min(image.size) < SMALLEST_SIDE:
                    raise UnreadableImage(
                        f"{image.width}x{image.height} pixels, less than "
                        f"{SMALLEST_SIDE} a side"
                    )
                yield image
    except UnreadableImage:
        raise
    except MemoryError as error:
        raise MemoryError(f"There is no memory to read {file}") from error
    # Damaged bytes can make Pillow's decoders raise any exception.
    except Exception as error:
        failure = _failure(error, source)
        if failure is not None:
            raise _naming(failure, file) from error
        if isinstance(error, pillow.UnidentifiedImageError):
            raise UnreadableImage(_why_unknown(file)) from error
        raise UnreadableImage(f"damaged: {error}") from error


def _failure(error, source):
    """Returns the error by which the system failed, or None for bad bytes."""
    failure = getattr(source, "failure", None)
    if failure is not None:  # The decoder may have raised another one since.
        return failure
    return error if is_of_the_system(error) else None


def _naming(error, file):
    """Returns an `OSError` of the same kind that names the file."""
    if error.filename is not None or hasattr(file, "read"):
        return error
    return type(error)(error.errno, error.strerror, str(file))


def _bound_pixels(image):
    """Makes a JPEG decode smaller if it is too large, or refuses the image."""
    width, height = image.size
    scale = 1
    while width * height > MOST_PIXELS * scale**2 and scale < 8:
        scale *= 2
    image.draft(None, (width // scale, height // scale))  # JPEG alone can.
    if image.width * image.height > MOST_PIXELS:
        raise UnreadableImage(
            f"{width:,}x{height:,} pixels, more than {MOST_PIXELS:,}: make it "
            "smaller first"
        )


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
    if not hasattr(file, "read") and os.path.getsize(file) == 0:
        return "empty file"
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
