"""How images reach `fit`."""

import concurrent.futures
import functools

import keras
import numpy as np

from keras_sagan.data.folder import ImageFolder
from keras_sagan.data.images import UnreadableImage
from keras_sagan.data.sources import ArrayImages
from keras_sagan.data.tfds import TfdsImages


class Batches(keras.utils.PyDataset):
    """An endless row of batches, each a function of the seed and its step.

    The images are taken in the order of one permutation after another, and
    cut into batches across their ends: every image once before any comes
    again, none left over. A run that goes on at some step gets there what it
    would have got. An epoch of `fit` is a piece of that row.

    An image that turns out to be unreadable is replaced by the next one that
    is not, and noted in `skipped`, a dict of reasons. See `from_source` for
    the arguments.
    """

    def __init__(
        self,
        source,
        batch_size,
        seed,
        start_step,
        steps_per_epoch,
        augment,
        workers,
        shard,
    ):
        super().__init__()
        self.source = source
        self.batch_size = batch_size
        self.seed = seed
        self.start_step = start_step
        self.steps_per_epoch = steps_per_epoch or len(source) // batch_size
        self.augment = augment
        self.workers_ahead = workers
        self.shard = shard
        self.skipped = {}
        # Two permutations: a batch may lie across the end of one.
        self._permutation = functools.lru_cache(2)(self._permutation)
        self._pool = concurrent.futures.ThreadPoolExecutor(max(workers, 1))
        self._pending = {}

    def __len__(self):
        return self.steps_per_epoch

    def __getitem__(self, index):
        """The batch of `start_step + index`; threads begin those after it."""
        step = self.start_step + index
        ahead = range(step, step + 2 * self.workers_ahead)
        self._pending = {s: f for s, f in self._pending.items() if s in ahead}
        for s in ahead:
            if s not in self._pending:
                self._pending[s] = self._pool.submit(self.batch, s)
        future = self._pending.pop(step, None)
        return self.batch(step) if future is None else future.result()

    def on_epoch_end(self):
        self.start_step += self.steps_per_epoch

    def batch(self, step):
        """Returns what training step `step`, counted from 0, learns from."""
        i, n = self.shard
        part = self.batch_size // n
        begin = step * self.batch_size + i * part
        indices = [self._index(p) for p in range(begin, begin + part)]
        images, labels = zip(*(self._item(index) for index in indices))
        images = np.stack(images)
        if self.augment is not None:
            images = self.augment(images, step * n + i)
        if self.source.class_names is None:
            return images
        return images, np.asarray(labels, "int32")

    def _index(self, position):
        """Which image lies at a position of the endless row."""
        number, offset = divmod(position, len(self.source))
        return int(self._permutation(number)[offset])

    def _permutation(self, number):
        rng = np.random.default_rng([self.seed, number])
        return rng.permutation(len(self.source))

    def _item(self, index):
        n = len(self.source)
        for i in (*range(index, n), *range(index)):
            try:
                return self.source[i]
            except UnreadableImage as error:
                names = getattr(self.source, "names", range(n))
                self.skipped[names[i]] = str(error)
        raise ValueError(
            "`source` must hold an image that can be read. Received: "
            f"{n} that cannot, such as {next(iter(self.skipped.items()))}"
        )


def from_source(
    source,
    batch_size=64,
    seed=0,
    start_step=0,
    steps_per_epoch=None,
    augment=None,
    workers=2,
    shard=(0, 1),
):
    """Makes a dataset for `fit` of a source of images.

    Args:
        source: `ImageFolder`, `PreparedImages`, `ArrayImages`, `TfdsImages`,
            or anything with `len`, items `(uint8 image, int label)`, and
            `class_names`, a tuple or None for images without labels.
        batch_size: Positive integer, at most the number of images.
        seed: Non-negative integer that decides the order.
        start_step: Non-negative integer, the steps already trained: a resumed
            run gives `model.count_steps()`.
        steps_per_epoch: Positive integer, batches that `fit` calls an epoch.
            None: as many as one pass has.
        augment: Function of `(uint8 images, step)` to uint8 images, such as
            `keras_sagan.data.augmentation("keras")`; or None.
        workers: Non-negative integer, threads that prepare batches ahead of
            the training.
        shard: Pair `(i, n)`: the i-th of n equal parts of each batch, for the
            i-th of n processes.

    Returns:
        A `keras.utils.PyDataset` of batches `(images, labels)`, uint8 and
        int32, or of images alone.

    Raises:
        ValueError: If an argument is out of range.

    Example:
    >>> source = keras_sagan.data.ArrayImages(*keras_sagan.data.load_digits())
    >>> dataset = keras_sagan.data.from_source(source, batch_size=100)
    >>> images, labels = dataset[0]
    >>> len(dataset), images.shape, labels.shape
    (17, (100, 16, 16, 3), (100,))
    """
    n = len(source)
    _check("batch_size", batch_size, 1, n, f", the number of images being {n}")
    _check("seed", seed, 0)
    _check("start_step", start_step, 0)
    _check("workers", workers, 0)
    if steps_per_epoch is not None:
        _check("steps_per_epoch", steps_per_epoch, 1)
    if not 0 <= shard[0] < shard[1] or batch_size % shard[1]:
        raise ValueError(
            "`shard` must be (i, n), i in [0, n), for n that divides the batch "
            f"of {batch_size}. Received: shard={shard}"
        )
    if hasattr(source, "to_dataset"):  # One that is read in order.
        return source.to_dataset(batch_size, seed, start_step, augment, shard)
    return Batches(
        source,
        batch_size,
        seed,
        start_step,
        steps_per_epoch,
        augment,
        workers,
        shard,
    )


def from_arrays(images, labels=None, batch_size=64, class_names=None, **kwargs):
    """Makes a dataset for `fit` of arrays in memory.

    Args:
        images: `(N, R, R, 3)`, uint8, or floats in [-1, 1].
        labels: Integers `(N,)`, or None.
        batch_size: Positive integer, at most N.
        class_names: Strings, or None for the numbers.
        **kwargs: `seed`, `start_step`, `steps_per_epoch`, `augment`,
            `workers` and `shard`, as in `from_source`.

    Returns:
        A `keras.utils.PyDataset` of batches `(images, labels)`, in the dtype
        of the images and int32, or of images alone.

    Raises:
        ValueError: If an argument is out of range or the arrays do not fit.

    Example:
    >>> images, labels = keras_sagan.data.load_digits()
    >>> dataset = keras_sagan.data.from_arrays(images, labels)
    >>> len(dataset), dataset[0][0].shape
    (28, (64, 16, 16, 3))
    """
    source = ArrayImages(images, labels, class_names)
    return from_source(source, batch_size, **{"workers": 0, **kwargs})


def from_folder(path, resolution, batch_size=64, **kwargs):
    """Makes a dataset for `fit` of a folder of images, decoded as it goes.

    Where an image is read many times, `prepare` once and `PreparedImages`
    are faster.

    Args:
        path: Folder, with a subfolder of images for each class, or images
            alone; see `ImageFolder`.
        resolution: Side in pixels to which the centre square is resized.
        batch_size: Positive integer, at most the number of images.
        **kwargs: `seed`, `start_step`, `steps_per_epoch`, `augment`,
            `workers` and `shard`, as in `from_source`.

    Returns:
        A `keras.utils.PyDataset` of batches `(images, labels)`, uint8 and
        int32, or of images alone.

    Raises:
        ValueError: If an argument is out of range or there are no images.
    """
    return from_source(ImageFolder(path, resolution), batch_size, **kwargs)


def from_tfds(name, resolution, batch_size=64, split="train", **kwargs):
    """Makes a dataset for `fit` of a set of tensorflow-datasets.

    It is an endless `tf.data.Dataset`, which `fit` takes on every backend:
    give it `steps_per_epoch`. Each pass takes the images in an order of its
    own, through a buffer of 16,384 encoded ones; batches go across the ends
    of passes. To go on from a step it reads up to one pass, without decoding
    it: for long runs, `prepare` once.

    Args:
        name: Name of the set, such as `"imagenet2012"`, for which its two
            archives must lie where tensorflow-datasets asks for them,
            `"cifar10"` or `"imagenette"`.
        resolution: Side in pixels to which the centre square is resized, as
            Pillow's bilinear filter does, to 1/255.
        batch_size: Positive integer, at most the number of images.
        split: Its split.
        **kwargs: `data_dir`, as in `open_images`; `seed`, `start_step`,
            `augment` and `shard`, as in `from_source`.

    Returns:
        A `tf.data.Dataset` of `(images, labels)`, uint8 and int32.

    Raises:
        ImportError: If tensorflow-datasets or TensorFlow is missing.
        ValueError: If an argument does not fit the set.
    """
    data_dir = kwargs.pop("data_dir", None)
    source = TfdsImages(name, resolution, split, data_dir)
    return from_source(source, batch_size, **kwargs)


def _check(name, value, low, high=None, remark=""):
    if (
        not isinstance(value, (int, np.integer))
        or value < low
        or (high is not None and value > high)
    ):
        rule = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(
            f"`{name}` must be an integer, {rule}{remark}. "
            f"Received: {name}={value}"
        )
