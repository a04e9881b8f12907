"""Reads image files."""

import contextlib
import io
import os
import stat
import warnings

from keras_sagan.data.pixels import UnreadableImage
from keras_sagan.data.pixels import converted
from keras_sagan.data.pixels import require_pillow
from keras_sagan.files import is_of_the_system

# A 1-pixel image can be enlarged, but there is nothing in it to learn.
SMALLEST_SIDE = 8
# Pillow keeps four bytes per pixel, and conversion needs a second copy: an
# image of this size takes 400 MB for a moment.
MOST_PIXELS = 50_000_000
_ORIENTATION = 0x0112  # EXIF's tag for the orientation.


def read_image(file, channels=3):
    """Reads an image of any common kind as 8-bit gray, RGB or RGBA.

    Gray, palette, CMYK and 16-bit images are converted, and images that EXIF
    marks as turned are set upright. Transparent images are composited onto
    white, unless there is a channel for their alpha. In that case, the colour
    of invisible pixels is set to black, so that no network learns it. The first
    picture of an animation is read. A JPEG of more than `MOST_PIXELS` (50
    million) is decoded at a half, a quarter or an eighth of its size, and any
    other image of that size is not decoded.

    Args:
        file: Path, or file object in binary mode.
        channels: 1 for gray, 3 for RGB, or 4 for RGB and alpha.

    Returns:
        A `PIL.Image.Image` of mode "L", "RGB" or "RGBA" whose shorter side
        has at least 8 pixels.

    Raises:
        UnreadableImage: If the file does not hold a whole image. The message is
            what the decoder says.
        OSError: If the file cannot be read. This says nothing about the image,
            and may be temporary.
        MemoryError: If there is no memory for the image.
        ImportError: If Pillow is missing.
    """
    pillow = require_pillow()
    with _opened(file, pillow) as image:
        _bound_pixels(image)
        image.load()
        upright = pillow.ImageOps.exif_transpose(image)
        return converted(upright, channels, pillow)


def read_header(file):
    """Reads only the size and the kind; raises what `read_image` raises.

    Returns:
        The width, the height, whether the file says that its pixels are gray,
        and whether it says that some may be transparent.
    """
    with _opened(file, require_pillow()) as image:
        gray = image.mode in ("1", "L", "LA", "La") or image.mode[:1] == "I"
        size = image.size
        # Other formats must be decoded for EXIF, and rarely have it.
        may_be_turned = image.format in ("JPEG", "MPO", "TIFF", "WEBP")
        if may_be_turned and image.getexif().get(_ORIENTATION, 1) >= 5:
            size = size[::-1]  # Turned by 90 degrees.
        return *size, gray, image.has_transparency_data


def is_transparent(file):
    """Reads an image, and returns whether any of its pixels is transparent."""
    alpha = read_image(file, 4).getchannel("A")
    return alpha.getextrema()[0] < 255


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
        # A library that used the descriptor would hide how reading failed.
        raise io.UnsupportedOperation("fileno")


@contextlib.contextmanager
def _stream(file):
    """Yields a file object to read, and the object that records failures."""
    if hasattr(file, "read"):
        yield file, file
        return
    with _File(file) as raw, io.BufferedReader(raw) as stream:
        yield stream, raw


@contextlib.contextmanager
def _opened(file, pillow):
    """Opens an image; an error of the decoder becomes an `UnreadableImage`."""
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
    """Returns the error of the system, or None if the bytes are bad."""
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
    """Makes Pillow decode a large JPEG at a smaller size, or raises."""
    width, height = image.size
    scale = 1
    while width * height > MOST_PIXELS * scale**2 and scale < 8:
        scale *= 2
    image.draft(None, (width // scale, height // scale))  # Only for JPEG.
    if image.width * image.height > MOST_PIXELS:
        raise UnreadableImage(
            f"{width:,}x{height:,} pixels, more than {MOST_PIXELS:,}: make it "
            "smaller first"
        )


def _why_unknown(file):
    if not hasattr(file, "read") and os.path.getsize(file) == 0:
        return "empty file"
    return "not an image"
