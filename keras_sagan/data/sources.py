"""Where images come from."""

import zipfile

import numpy as np

# Colour photographs that need no download, by the package that ships them.
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


class ArrayImages:
    """Images in an array, as a source.

    Args:
        images: `(N, R, R, 3)`, uint8, or floats in [-1, 1].
        labels: Integers `(N,)` from 0 on, or None for images without classes.
        class_names: Strings, one for each class, or None for the numbers.

    Raises:
        ValueError: If the shapes or labels do not fit.

    Example:
    >>> source = keras_sagan.data.ArrayImages(np.zeros((4, 16, 16, 3), "uint8"))
    >>> len(source), source[0][0].shape
    (4, (16, 16, 3))
    """

    def __init__(self, images, labels=None, class_names=None):
        images = np.asarray(images)
        if images.ndim != 4 or not len(images) or images.shape[-1] != 3:
            raise ValueError(
                "`images` must have shape (N, R, R, 3), N at least 1. "
                f"Received: images of shape {images.shape}"
            )
        self.images = images
        self.resolution = images.shape[1]
        self.class_names = None
        self.labels = np.zeros(len(images), "int32")
        if labels is not None:
            labels = np.asarray(labels)
            _check_labels(labels, len(images))
            n = int(labels.max()) + 1
            names = class_names or [str(i) for i in range(n)]
            if len(names) < n:
                raise ValueError(
                    f"`class_names` must name {n} classes, as the labels have. "
                    f"Received: {len(names)} names"
                )
            self.class_names = tuple(names)
            self.labels = labels.astype("int32")

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index], int(self.labels[index])


def load_npz(path):
    """Reads images from a NumPy file.

    Args:
        path: `.npz` file with `images`, uint8 `(N, R, R, 3)`, and perhaps
            `labels`, integers `(N,)`, and `class_names`, strings.

    Returns:
        `ArrayImages`.

    Raises:
        ValueError: If the file does not hold that.

    Example:
    >>> np.savez("images.npz", images=np.zeros((4, 16, 16, 3), "uint8"))
    >>> len(keras_sagan.data.load_npz("images.npz"))
    4
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"`path` must be an .npz file of arrays. Received: path={path}: "
            f"{error}"
        ) from error
    if "images" not in arrays or arrays["images"].dtype != np.uint8:
        raise ValueError(
            "`path` must hold `images`, uint8 (N, R, R, 3). Received: "
            f"path={path} with "
            f"{ {name: str(x.dtype) for name, x in arrays.items()} }"
        )
    names = arrays.get("class_names")
    return ArrayImages(
        arrays["images"],
        arrays.get("labels"),
        None if names is None else [str(name) for name in names],
    )


def load_photographs(resolution=32, crops=500, seed=0):
    """Cuts crops out of nine photographs: real RGB images, no download.

    The photographs come with scikit-learn and scikit-image; the label of a
    crop is its photograph, an index into `keras_sagan.data.PHOTOGRAPHS`. A
    crop is a square of a quarter to a half of the shorter side, anywhere,
    resized bilinearly.

    Args:
        resolution: Side of the returned images in pixels, 16 to 128.
        crops: Positive integer, crops of each photograph.
        seed: Integer that decides which.

    Returns:
        `(images, labels)`: uint8 `(9 * crops, resolution, resolution, 3)` and
        int32 `(9 * crops,)`, the labels in order.

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
            "`resolution` must be from 16 to 128: the photographs have not "
            f"more to give. Received: resolution={resolution}"
        )
    if not isinstance(crops, int) or crops < 1:
        raise ValueError(
            f"`crops` must be a positive integer. Received: crops={crops}"
        )
    images = [
        _crop(photograph, resolution, np.random.default_rng([seed, i, j]))
        for i, photograph in enumerate(_photographs())
        for j in range(crops)
    ]
    labels = np.repeat(np.arange(len(PHOTOGRAPHS), dtype="int32"), crops)
    return np.stack(images), labels


def _photographs():
    """The photographs, as Pillow images, in the order of `PHOTOGRAPHS`."""
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

    1,797 digits of 8x8 pixels and 17 gray levels, 10 classes, from 43 people
    (UCI, "Optical Recognition of Handwritten Digits"); enlarged bilinearly.

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
    if resolution < 8:
        raise ValueError(
            "`resolution` must be at least 8, that of the digits. "
            f"Received: resolution={resolution}"
        )
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


def _check_labels(labels, n):
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"`labels` must be integers of shape ({n},). "
            f"Received: labels of shape {labels.shape} and dtype {labels.dtype}"
        )
    if labels.min() < 0:
        raise ValueError(
            f"`labels` must be from 0 on. Received: {labels.min()} among them"
        )
