"""Real images that come with scikit-learn and scikit-image."""

import functools

import numpy as np

from keras_sagan.arguments import check_integer
from keras_sagan.data.arrays import ArrayImages
from keras_sagan.data.source import Source

# Colour photographs that need no download, by the package that has them.
_PHOTOGRAPHS = {
    "sklearn": ("china", "flower"),
    "skimage": (
        "astronaut",
        "chelsea",
        "coffee",
        "hubble_deep_field",
        "immunohistochemistry",
        "retina",
        "rocket",
    ),
}
PHOTOGRAPHS = tuple(name for names in _PHOTOGRAPHS.values() for name in names)


class Photographs(Source):
    """Crops of nine photographs, as a source; see `load_photographs`.

    `at(resolution)` does not resize the crops. It cuts new ones, which are
    at least as large as the resolution.

    Example:

    >>> photographs = keras_sagan.data.Photographs().at(32)
    >>> image, label = photographs[0]
    >>> len(photographs), image.shape, photographs.class_names[label]
    (4500, (32, 32, 3), 'china')
    """

    class_names = PHOTOGRAPHS
    native_resolution = 128
    one_size = True

    @functools.cached_property
    def _native(self):
        return self.at()

    def __len__(self):
        return len(self._native)

    def __getitem__(self, index):
        return self._native[index]

    def at(self, resolution=None, channels=None):
        arrays = load_photographs(self.resolve(resolution))
        return ArrayImages(*arrays, PHOTOGRAPHS).at(channels=channels)


def load_photographs(resolution=32, crops=500, seed=0):
    """Cuts crops out of nine photographs: real RGB images, no download.

    The photographs come with scikit-learn and scikit-image. The label of a
    crop is an index into `keras_sagan.data.PHOTOGRAPHS` and says from which
    photograph it was cut. A crop is a square at a random place, whose side is
    a quarter to a half of the photograph's shorter side. It is resized
    bilinearly.

    Args:
        resolution: Side of the returned images in pixels, 16 to 128.
        crops: Positive integer, number of crops of each photograph.
        seed: Integer that decides which crops are cut.

    Returns:
        `(images, labels)`: uint8 `(9 * crops, resolution, resolution, 3)` and
        int32 `(9 * crops,)`, with the labels in order.

    Raises:
        ImportError: If scikit-learn, scikit-image or Pillow is missing.
        ValueError: If an argument is out of range.

    Example:

    >>> images, labels = keras_sagan.data.load_photographs(32, crops=2)
    >>> images.shape, labels[:4].tolist()
    ((18, 32, 32, 3), [0, 0, 1, 1])
    """
    if not 16 <= resolution <= 128:
        raise ValueError(
            "`resolution` must be from 16 to 128, because the photographs "
            f"are small. Received: resolution={resolution}"
        )
    check_integer("crops", crops, 1)
    images = [
        _crop(photograph, resolution, np.random.default_rng([seed, i, j]))
        for i, photograph in enumerate(_photographs())
        for j in range(crops)
    ]
    labels = np.repeat(np.arange(len(PHOTOGRAPHS), dtype="int32"), crops)
    return np.stack(images), labels


def _photographs():
    """Returns Pillow images in the order of `PHOTOGRAPHS`."""
    try:
        import skimage.data
        from PIL import Image
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(
            "The photographs come with scikit-learn and scikit-image and are "
            "cropped by Pillow: pip install 'keras_sagan[data]'"
        ) from error
    arrays = [
        datasets.load_sample_image(f"{name}.jpg")
        for name in _PHOTOGRAPHS["sklearn"]
    ]
    arrays += [
        getattr(skimage.data, name)() for name in _PHOTOGRAPHS["skimage"]
    ]
    return [Image.fromarray(array) for array in arrays]


def _crop(photograph, resolution, rng):
    shorter = min(photograph.size)
    side = int(rng.integers(max(resolution, shorter // 4), shorter // 2 + 1))
    left, top = (int(rng.integers(n - side + 1)) for n in photograph.size)
    box = (left, top, left + side, top + side)
    small = photograph.resize((resolution, resolution), 2, box=box)
    return np.asarray(small)


def load_digits(resolution=16):
    """Loads scikit-learn's handwritten digits: real images, no download.

    There are 1,797 digits of 8x8 pixels and 17 gray levels, in 10 classes,
    written by 43 people (UCI, "Optical Recognition of Handwritten Digits").
    They are enlarged bilinearly.

    Args:
        resolution: Side of the returned images in pixels, at least 8.

    Returns:
        `(images, labels)`: uint8 `(1797, resolution, resolution, 3)`, the
        three channels equal, and int32 `(1797,)`.

    Raises:
        ImportError: If scikit-learn or Pillow is missing.
        ValueError: If `resolution` is less than 8.

    Example:

    >>> images, labels = keras_sagan.data.load_digits(16)
    >>> images.shape, labels.shape
    ((1797, 16, 16, 3), (1797,))
    """
    check_integer("resolution", resolution, 8, 4096)
    try:
        from PIL import Image
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(
            "The digits come with scikit-learn and are enlarged by Pillow: "
            "pip install 'keras_sagan[data]'"
        ) from error
    digits = datasets.load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype("uint8")
    images = [
        np.asarray(Image.fromarray(image).resize((resolution, resolution), 2))
        for image in pixels
    ]
    images = np.repeat(np.stack(images)[..., None], 3, axis=-1)
    return images, digits.target.astype("int32")
