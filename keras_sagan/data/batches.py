"""An endless row of batches."""

import concurrent.futures
import functools
import hashlib
import warnings

import keras
import numpy as np

from keras_sagan.data.images import UnreadableImage
from keras_sagan.files import printable


class Batches(keras.utils.PyDataset):
    """An endless row of batches, each a function of the seed and its step.

    The images are taken in the order of one permutation after another, and
    batches go across the ends of permutations. Every image comes once before
    any comes again, and none is left over. A run that continues at some step
    gets the batch that an uninterrupted run would have got. An epoch of `fit`
    is a piece of that row.

    An image that turns out to be damaged is replaced by the next one that is
    not, always by the same, with a warning, and is noted in `skipped`, a dict
    from names to reasons. An error of the system, which may pass, ends the
    training instead. See `from_source` for the arguments; `source` must have
    images of one size.
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
        self.shard = shard
        self.skipped = {}
        # Two permutations: a batch may lie across the end of one.
        self._permutation = functools.lru_cache(2)(self._permutation)
        self._pool = concurrent.futures.ThreadPoolExecutor(max(workers, 1))
        self._pending = {}

    def __len__(self):
        return self.steps_per_epoch

    def __getitem__(self, index):
        """Returns the batch of a step; threads begin the ones after it."""
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
        """Returns what is the same for all parts of the batches, by name.

        `shard` is the one that is not.
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
        """Returns which image lies at a position of the endless row."""
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
    """Returns a text that differs for other images, by a few of them."""
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
