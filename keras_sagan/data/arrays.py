"""Images in arrays as a source."""

import numpy as np

from keras_sagan.data.source import Source
from keras_sagan.files import read_npz

# A label needs a name, and networks a row for it: ImageNet-21k has 21,841.
_MOST_CLASSES = 100_000


class ArrayImages(Source):
    """Images in an array, as a source.

    Args:
        images: `(N, height, width, 3)`, uint8, or floats in [-1, 1].
        labels: Integers `(N,)` from 0 on, or None for images without classes.
        class_names: Strings, one for each class. None: their numbers.

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
                "`images` must have shape (N, height, width, 3), N at least 1. "
                f"Received: images of shape {images.shape}"
            )
        self.images = images
        height, width = images.shape[1:3]
        self.native_resolution = min(height, width)
        self.one_size = self.ready = height == width
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
    """Reads images from a NumPy `.npz` file.

    Args:
        path: `.npz` file that holds `images`, uint8 `(N, height, width, 3)`.
            It may also hold `labels`, integers `(N,)`, and `class_names`,
            strings.

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
    if "images" not in arrays or arrays["images"].dtype != np.uint8:
        raise ValueError(
            "`path` must hold `images`, uint8 (N, height, width, 3). Received: "
            f"path={path} with "
            f"{ {name: str(x.dtype) for name, x in arrays.items()} }"
        )
    names = arrays.get("class_names")
    return ArrayImages(
        arrays["images"],
        arrays.get("labels"),
        None if names is None else [str(name) for name in names],
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
