"""How images reach `fit`."""

import keras
import numpy as np


class ArrayDataset(keras.utils.PyDataset):
    """Batches of arrays, in an order that only the seed and epoch decide.

    `fit` tells a dataset where an epoch ends, but not where training began:
    `start_epoch` lets a resumed run go on with the order it would have had.
    """

    def __init__(self, images, labels, batch_size, seed, start_epoch, passes):
        super().__init__()
        self.images = images
        self.labels = labels
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = start_epoch
        self.passes = passes
        self._order = self._permutation()

    def __len__(self):
        return self.passes * len(self.images) // self.batch_size

    def __getitem__(self, index):
        begin = index * self.batch_size
        chosen = self._order[begin : begin + self.batch_size]
        images = normalize(self.images[chosen])
        return images if self.labels is None else (images, self.labels[chosen])

    def on_epoch_end(self):
        self.epoch += 1
        self._order = self._permutation()

    def _permutation(self):
        rng = np.random.default_rng([self.seed, self.epoch])
        n = len(self.images)
        return np.concatenate([rng.permutation(n) for _ in range(self.passes)])


def from_arrays(
    images, labels=None, batch_size=64, seed=0, start_epoch=0, passes=1
):
    """Makes a dataset for `fit` of arrays in memory.

    Every pass has an order of its own, a function of `seed` and the epoch.
    What whole batches leave over differs from epoch to epoch.

    Args:
        images: uint8 `(N, H, W, 3)`, normalized batch by batch, or floats in
            [-1, 1].
        labels: Integers `(N,)`, or None.
        batch_size: Positive integer, at most N.
        seed: Non-negative integer.
        start_epoch: Non-negative integer, the first epoch's number: the
            `initial_epoch` of a resumed `fit`.
        passes: Positive integer, passes over the images in an epoch; more
            than one makes epochs of small data worth a line of the log.

    Returns:
        A `keras.utils.PyDataset` of batches `(images, labels)`, float32 in
        [-1, 1] and int32, or of images alone.

    Raises:
        ValueError: If an argument is out of range or the arrays do not fit.

    Example:
    >>> images, labels = keras_sagan.data.load_digits()
    >>> dataset = keras_sagan.data.from_arrays(images, labels)
    >>> len(dataset), dataset[0][0].shape
    (28, (64, 16, 16, 3))
    """
    images = np.asarray(images)
    if images.ndim != 4 or not len(images):
        raise ValueError(
            "`images` must have shape (N, height, width, 3), N at least 1. "
            f"Received: images of shape {images.shape}"
        )
    if labels is not None:
        labels = np.asarray(labels)
        if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
            raise ValueError(
                f"`labels` must be integers of shape ({len(images)},). "
                f"Received: labels of shape {labels.shape} and dtype "
                f"{labels.dtype}"
            )
        labels = labels.astype("int32")
    if not 1 <= batch_size <= len(images):
        raise ValueError(
            f"`batch_size` must be from 1 to {len(images)}, the number of "
            f"images. Received: batch_size={batch_size}"
        )
    if passes < 1:
        raise ValueError(
            f"`passes` must be a positive integer. Received: passes={passes}"
        )
    return ArrayDataset(images, labels, batch_size, seed, start_epoch, passes)


def normalize(images):
    """Maps uint8 to `x / 127.5 - 1`, float32; floats stay as they are."""
    if images.dtype == np.uint8:
        return images.astype("float32") / 127.5 - 1.0
    return images.astype("float32")
