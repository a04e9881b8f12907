"""Pixels of images: their size, channels and range."""

import numpy as np

from keras_sagan.sizes import as_pair

_BILINEAR = 2
# Pillow's mode for each number of channels.
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_LUMINANCE = np.array([299, 587, 114]) / 1000  # ITU-R 601, as in Pillow.


class UnreadableImage(ValueError):
    """Raised for an image that cannot be used; the message says why.

    Example:

    >>> class Scans(keras_sagan.data.Source):
    ...     native_resolution, one_size = 16, True
    ...
    ...     def __len__(self):
    ...         return 3
    ...
    ...     def __getitem__(self, index):
    ...         if index == 1:
    ...             raise keras_sagan.data.UnreadableImage("a blank page")
    ...         return np.zeros((16, 16, 3), "uint8"), 0
    >>> keras_sagan.data.prepare(Scans(), "scans").skipped
    [('image 1', 'a blank page')]
    """


def crop_and_resize(image, resolution):
    """Crops the centre to the wanted shape, and resizes it bilinearly.

    If there is alpha, colours are weighted by it, so that invisible colours are
    not mixed in.

    Args:
        image: Array `(height, width, channels)` of uint8 or floats in [-1, 1],
            or a `PIL.Image.Image`.
        resolution: Side of the result in pixels, or `(height, width)`.

    Returns:
        An array `(height, width, channels)` of the same dtype. An image of
        that size is returned as it is.
    """
    image = as_array(image)
    height, width = as_pair(resolution)
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
    # As Pillow does for bytes: colours start at 0, and alpha weights them.
    visible = (image + 1) / 2
    alpha = resized(visible[..., 3:])
    colors = resized(visible[..., :3] * visible[..., 3:])
    colors = np.where(alpha > 0, colors / np.where(alpha > 0, alpha, 1), 0)
    result = 2 * np.concatenate([colors, alpha], axis=-1) - 1
    return result.astype(image.dtype)


def _crop(image, height, width):
    """Returns the largest central part with the proportions of this shape."""
    rows, columns = image.shape[:2]
    if rows * width > columns * height:
        keep = max(1, columns * height // width), columns
    else:
        keep = rows, max(1, rows * width // height)
    top, left = (rows - keep[0]) // 2, (columns - keep[1]) // 2
    return image[top : top + keep[0], left : left + keep[1]]


def as_array(image):
    """Returns a Pillow image or an array as `(height, width, channels)`."""
    image = np.asarray(image)
    return image[..., None] if image.ndim == 2 else image


def as_picture(image):
    """Returns uint8 `(height, width, channels)` as a `PIL.Image.Image`."""
    image = image[..., 0] if image.shape[-1] == 1 else image
    return require_pillow().Image.fromarray(np.ascontiguousarray(image))


def with_channels(image, channels):
    """Returns an image `(height, width, c)` with `channels` channels.

    The image is uint8, or floats in [-1, 1].

    Colours become gray by their luminance (ITU-R 601), and gray is repeated. If
    alpha is dropped, the image is composited onto white; if it is added, it is
    255.
    """
    if image.shape[-1] == channels:
        return image
    if image.dtype == np.uint8:
        picture = as_picture(image)
        return as_array(converted(picture, channels, require_pillow()))
    rgb = as_rgb(image)
    if channels == 1:
        return (rgb @ _LUMINANCE).astype(image.dtype)[..., None]
    if channels == 4:
        return np.concatenate([rgb, np.ones_like(rgb[..., :1])], axis=-1)
    return rgb


def as_rgb(images, background=None):
    """Returns gray, RGB or RGBA images as RGB ones.

    Gray is repeated, and transparent images are laid on a background.

    Args:
        images: uint8, or floats in [-1, 1], `(..., height, width, channels)`
            with 1, 3 or 4 channels.
        background: Array of the same dtype and range that can be broadcast to
            `(..., height, width, 3)`. Defaults to white.

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


def converted(image, channels, pillow):
    """Returns a Pillow image in the mode for this number of channels."""
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
