"""Reads an image file, and gives it the size and channels that are wanted."""

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
# Pillow's name of what each number of channels is.
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class UnreadableImage(ValueError):
    """Raised for an image that cannot be used; the message says why."""


def read_image(file, channels=3):
    """Reads an image of any common kind as 8-bit gray, RGB or RGBA.

    Gray, palette, CMYK and 16-bit images are converted, and images that EXIF
    says are turned are set upright. Transparent images are laid on white,
    unless there is a channel for their alpha: then the colour of pixels that
    cannot be seen is set to black, so that nobody learns it. Of an animation,
    the first picture is read. A JPEG of more than `MOST_PIXELS` (50 million)
    is decoded at a half, a quarter or an eighth of its size, and any other
    image of that size is not decoded.

    Args:
        file: Path, or file object in binary mode.
        channels: 1 for gray, 3 for RGB, or 4 for RGB and alpha.

    Returns:
        A `PIL.Image.Image` of mode "L", "RGB" or "RGBA" whose shorter side
        has at least 8 pixels.

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
        upright = pillow.ImageOps.exif_transpose(image)
        return _converted(upright, channels, pillow)


def read_header(file):
    """Reads only the size and the kind; raises what `read_image` raises.

    Returns:
        The width, the height, and whether the file says that its pixels are
        gray, and that some may be transparent.
    """
    with _opened(file, require_pillow()) as image:
        gray = image.mode in ("1", "L", "LA", "La") or image.mode[:1] == "I"
        return *image.size, gray, image.has_transparency_data


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


def crop_and_resize(image, resolution):
    """Crops the centre to the shape that is wanted, and resizes bilinearly.

    Colours are weighed by their alpha where there is one, so that those that
    cannot be seen are not mixed in.

    Args:
        image: Array `(height, width, channels)` of uint8 or floats in [-1, 1],
            or a `PIL.Image.Image`.
        resolution: Side of the result in pixels, or `(height, width)`.

    Returns:
        An array `(height, width, channels)` of the same dtype. An image of
        that size is returned as it is.
    """
    image = as_array(image)
    height, width = _sides(resolution)
    # Cropped first: Pillow's `resize(box=...)` uses pixels beyond the box.
    image = _crop(image, height, width)
    if image.shape[:2] == (height, width):
        return image
    if image.dtype == np.uint8:
        picture = as_picture(image)
        return as_array(picture.resize((width, height), _BILINEAR))
    from_array = require_pillow().Image.fromarray

    def resized(x):
        planes = [
            np.asarray(
                from_array(plane.astype("float32")).resize(
                    (width, height), _BILINEAR
                )
            )
            for plane in np.moveaxis(x, -1, 0)
        ]
        return np.stack(planes, axis=-1)

    if image.shape[-1] < 4:
        return resized(image).astype(image.dtype)
    # As Pillow does it for bytes: colours from 0, times their alpha.
    visible = (image + 1) / 2
    alpha = resized(visible[..., 3:])
    colors = resized(visible[..., :3] * visible[..., 3:])
    colors = np.where(alpha > 0, colors / np.where(alpha > 0, alpha, 1), 0)
    result = 2 * np.concatenate([colors, alpha], axis=-1) - 1
    return result.astype(image.dtype)


def _crop(image, height, width):
    """Returns the largest part around the centre of this shape."""
    rows, columns = image.shape[:2]
    if rows * width > columns * height:
        keep = max(1, columns * height // width), columns
    else:
        keep = rows, max(1, rows * width // height)
    top, left = (rows - keep[0]) // 2, (columns - keep[1]) // 2
    return image[top : top + keep[0], left : left + keep[1]]


def _sides(resolution):
    if isinstance(resolution, (tuple, list)):
        return tuple(resolution)
    return resolution, resolution


def as_array(image):
    """Returns an image, of Pillow's or not, as `(height, width, channels)`."""
    image = np.asarray(image)
    return image[..., None] if image.ndim == 2 else image


def as_picture(image):
    """Returns uint8 `(height, width, channels)` as a `PIL.Image.Image`."""
    image = image[..., 0] if image.shape[-1] == 1 else image
    return require_pillow().Image.fromarray(np.ascontiguousarray(image))


def with_channels(image, channels):
    """Returns uint8 `(height, width, c)` with another number of channels.

    Colours become gray by their luminance (ITU-R 601), gray is repeated,
    alpha is laid on white where it is dropped, and is 255 where it is new.
    """
    if image.shape[-1] == channels:
        return image
    return as_array(_converted(as_picture(image), channels, require_pillow()))


def as_rgb(images, background=None):
    """Returns gray, RGB or RGBA images as RGB ones.

    Gray is repeated, and transparent images are laid on a background.

    Args:
        images: uint8, or floats in [-1, 1], `(..., height, width, channels)`
            with 1, 3 or 4 channels.
        background: Array of the same dtype and range that can be broadcast to
            `(..., height, width, 3)`. None: white.

    Returns:
        An array `(..., height, width, 3)` of the same dtype.
    """
    channels = images.shape[-1]
    if channels == 3:
        return images
    if channels == 1:
        return np.repeat(images, 3, axis=-1)
    is_uint8 = images.dtype == np.uint8
    colors, alpha = images[..., :3], images[..., 3:].astype("float32")
    share = alpha / 255 if is_uint8 else (alpha + 1) / 2
    if background is None:
        background = 255 if is_uint8 else 1
    laid = background + share * (colors - np.float32(background))
    return (np.rint(laid) if is_uint8 else laid).astype(images.dtype)


def normalize(images):
    """Maps uint8 images to `x / 127.5 - 1`, the range that networks take.

    `SAGAN.fit` does this by itself. Call it for networks of your own.

    Args:
        images: uint8 of any shape.

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


def _converted(image, channels, pillow):
    """Returns a Pillow image in the mode that so many channels have."""
    if image.mode.startswith("I"):  # 16-bit values, stored in 16 or 32 bits.
        pixels = np.asarray(image).astype("float64")
        if pixels.min() < 0 or pixels.max() > 65535:
            raise UnreadableImage("pixels of more than 16 bits")
        pixels = np.rint(pixels / 257).astype("uint8")
        image = pillow.Image.fromarray(pixels)
    elif image.mode == "F":
        raise UnreadableImage("floating-point pixels, of unknown range")
    if channels == 4:
        return _without_unseen_colors(image.convert("RGBA"), pillow)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = pillow.Image.new("RGBA", image.size, "white")
        image = pillow.Image.alpha_composite(white, image)
    return image.convert(MODES[channels])


def _without_unseen_colors(image, pillow):
    seen = image.getchannel("A").point(lambda alpha: 255 * (alpha > 0))
    nothing = pillow.Image.new("RGBA", image.size, (0, 0, 0, 0))
    return pillow.Image.composite(image, nothing, seen)
