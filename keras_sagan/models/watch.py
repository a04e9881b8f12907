"""What `fit` of `SAGAN` watches beside its losses."""

import time

import keras


class Watch(keras.callbacks.Callback):
    """Adds `images_per_second` and `largest_sigma` to the logs.

    `fit` of `SAGAN` brings it. The rate is the mean since the second batch of
    the epoch, as the first one compiles; the largest spectral norm is taken
    once an epoch: in every step it would read all kernels once more.

    Args:
        batch_size: Images in a batch.
    """

    def __init__(self, batch_size):
        super().__init__()
        self.batch_size = batch_size

    def on_epoch_begin(self, epoch, logs=None):
        self._start = None

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if self._start is None:
            self._start = batch, now
            return
        first, start = self._start
        self._rate = (batch - first) * self.batch_size / (now - start)
        if logs is not None:
            logs["images_per_second"] = self._rate

    def on_epoch_end(self, epoch, logs=None):
        if logs is None:
            return
        if hasattr(self, "_rate"):
            logs["images_per_second"] = self._rate
        sigma = self.model.largest_sigma()
        if sigma is not None:
            logs["largest_sigma"] = sigma
