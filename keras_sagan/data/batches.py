"""An endless sequence of batches."""

import concurrent.futures
import functools
import hashlib
import warnings

import keras
import numpy as np

from keras_sagan.data.images import UnreadableImage
from keras_sagan.files import printable


class Batches(keras.utils.PyDataset):
    """Endless sequence of batches, each a function of the seed and its step.

    The images are taken in the order of one random permutation after another,
    and a batch may span two permutations. Every image is used once before any
    is used again, and none is left out. A run that continues at some step gets
    the same batch as an uninterrupted run. An epoch of `fit` is a part of this
    sequence.

    An image that turns out to be damaged is always replaced by the same image:
    the next one that is not damaged. A warning is given, and the image is
    recorded in `skipped`, a dict from names to reasons. A system error, which
    may be temporary, ends the training instead. See `from_source` for the
    arguments; `source` must have images of one size.
    """

    def __init__(
        self,
        source,
        batch_size,
        seed=0,
        start_step=0,
        steps_per_epoch=None,
        augment=None,
        workers=2,
        shard=(0, 1),
    ):
        super().__init__()
        self.source = source
        self.batch_size = batch_size
        self.seed = seed
        self.start_step = start_step
        self.steps_per_epoch = steps_per_epoch or len(source) // batch_size
        self.augment = augment
        self.workers_ahead = workers
        self.shard = tuple(shard)
        self.skipped = {}
        # Two permutations, because a batch may span two.
        self._permutation = functools.lru_cache(2)(self._permutation)
        self._pool = concurrent.futures.ThreadPoolExecutor(max(workers, 1))
        self._pending = {}

    def __len__(self):
        return self.steps_per_epoch

    def __getitem__(self, index):
        """Returns the batch of a step; threads start on the following ones."""
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
        """Returns the batch of training step `step`, counted from 0."""
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

    def facts(self):
        """Returns facts by name that all parts of the batches must share.

        Only `shard` differs between the parts.
        """
        n = len(self.source)
        return {
            "images": [n, _digest(self.source, {0, n // 2, n - 1})],
            "class_names": self.source.class_names,
            "whole_batch_size": self.batch_size,
            "seed": self.seed,
            "start_step": self.start_step,
            "shard": self.shard,
        }

    def _index(self, position):
        """Returns the index of the image at a position of the sequence."""
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
                self._note(self.source.names[i], str(error))
        raise ValueError(
            "`source` must hold an image that can be read. Received: "
            f"{n} that cannot, such as {next(iter(self.skipped.items()))}"
        )

    def _note(self, name, reason):
        if name not in self.skipped:
            self.skipped[name] = reason
            warnings.warn(
                f"{printable(name)} cannot be used, and the next image takes "
                f"its place: {printable(reason)}",
                stacklevel=2,
            )


def _digest(source, indices):
    """Returns a digest of a few images, to tell sources apart."""
    digest = hashlib.sha256()
    for i in sorted(indices):
        try:
            image, label = source[i]
        except UnreadableImage:
            digest.update(b"damaged")
        else:
            digest.update(f"{label} {image.shape}".encode())
            digest.update(np.ascontiguousarray(image))
    return digest.hexdigest()
