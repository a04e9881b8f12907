"""Images in arrays as a source."""

import numpy as np

from keras_sagan import sizes
from keras_sagan.arguments import check_strings
from keras_sagan.data.source import Source
from keras_sagan.files import read_npz

# Each class needs a name, and a row in the networks. ImageNet-21k has 21,841.
_MOST_CLASSES = 100_000
# Names of images and labels in `.npz` files. `np.savez` gives the last pair.
_NAMES = (
    ("images", "labels"),
    ("x", "y"),
    ("x_train", "y_train"),
    ("arr_0", "arr_1"),
)


class ArrayImages(Source):
    """Images in an array, as a source.

    Args:
        images: `(N, height, width)` or `(N, height, width, channels)`, uint8,
            or floats in [-1, 1]. There is 1 channel for gray, and 3 or 4 for
            RGB and RGBA.
        labels: Integers `(N,)`, starting from 0, or None for images without
            classes.
        class_names: Strings, one for each class. Defaults to their numbers.

    Raises:
        ValueError: If the shapes or labels do not fit.

    Example:

    >>> source = keras_sagan.data.ArrayImages(np.zeros((4, 16, 16, 3), "uint8"))
    >>> len(source), source[0][0].shape
    (4, (16, 16, 3))
    """

    one_size = ready = True

    def __init__(self, images, labels=None, class_names=None):
        images = as_arrays(images)
        if (
            images.ndim != 4
            or not len(images)
            or images.shape[-1] not in sizes.CHANNELS
        ):
            raise ValueError(
                "`images` must have shape (N, height, width), or (N, height, "
                "width, channels) with 1, 3 or 4 channels, N at least 1. "
                f"Received: images of shape {images.shape}"
                + _advice_on_mixed(images)
            )
        self.images = images
        self.channels = images.shape[-1]
        self.native_resolution = sizes.plain(*images.shape[1:3])
        self.labels = np.zeros(len(images), "int32")
        check_strings("class_names", class_names, optional=True)
        if labels is not None:
            labels = np.asarray(labels)
            _check_labels(labels, len(images))
            n = int(labels.max()) + 1
            names = class_names
            if names is None or len(names) == 0:
                names = [str(i) for i in range(n)]
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
    """Reads images from a NumPy `.npz` file.

    Args:
        path: `.npz` file that holds `images`, uint8 `(N, height, width)` or
            `(N, height, width, channels)`; see `ArrayImages`. It may also hold
            `labels`, integers `(N,)` or `(N, 1)`, and `class_names`, strings.
            `x` and `y`, `x_train` and `y_train`, and `arr_0` and `arr_1` are
            other names for `images` and `labels`.

    Returns:
        `ArrayImages`.

    Raises:
        ValueError: If the file does not hold such images.

    Example:

    >>> np.savez("images.npz", images=np.zeros((4, 16, 16, 3), "uint8"))
    >>> len(keras_sagan.data.load_npz("images.npz"))
    4
    """
    arrays = read_npz(path)
    images, labels = find_arrays(arrays)
    if images is None or images.dtype != np.uint8:
        held = {name: f"{x.dtype} {x.shape}" for name, x in arrays.items()}
        raise ValueError(
            "`path` must hold `images`, uint8 (N, height, width, channels)"
            + _advice(images)
            + f". Received: path={path} with {held or 'no arrays'}"
        )
    names = arrays.get("class_names")
    return ArrayImages(
        images, labels, None if names is None else [str(x) for x in names]
    )


def as_arrays(images):
    """Returns images as one array, gray ones as `(N, height, width, 1)`.

    What looks like a single image, `(height, width, 3)`, stays as it is.
    """
    try:
        images = np.asarray(images)
    except ValueError:  # NumPy cannot stack images of several sizes.
        images = np.empty(len(images), object)
    is_gray = images.ndim == 3 and images.shape[-1] not in sizes.CHANNELS
    return images[..., None] if is_gray else images


def find_arrays(arrays):
    """Returns the images and the labels of a dict of arrays, or None."""
    for name, label in _NAMES:
        if name in arrays:
            labels = arrays.get(label)
            if labels is not None and labels.shape[1:] == (1,):
                labels = labels[:, 0]  # As Keras' CIFAR-10 has them.
            return arrays[name], labels
    return None, None


def _advice(images):
    """Says how to turn floats into 8-bit images, depending on their range."""
    if images is None or images.dtype.kind != "f" or not images.size:
        return ""
    low, high = float(images.min()), float(images.max())
    for least, most, scaled in (
        (0, 1, "images * 255"),
        (-1, 1, "(images + 1) * 127.5"),
        (0, 255, "images"),
    ):
        if least <= low and high <= most:
            return (
                f"; for floats in [{least}, {most}], store "
                f"np.rint({scaled}).astype('uint8')"
            )
    return f"; its floats are from {low:g} to {high:g}"


def _advice_on_mixed(images):
    """Says what to do with images of several sizes, which cannot be stacked."""
    if images.dtype != object:
        return ""
    return (
        ", perhaps of several sizes: save them as files and open the folder, "
        "or resize them first"
    )


def _check_labels(labels, n):
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"`labels` must be integers of shape ({n},). "
            f"Received: labels of shape {labels.shape} and dtype {labels.dtype}"
        )
    if labels.min() < 0 or labels.max() >= _MOST_CLASSES:
        raise ValueError(
            f"`labels` must be from 0 to {_MOST_CLASSES - 1:,}. Received: "
            f"labels from {labels.min()} to {labels.max()}"
        )
