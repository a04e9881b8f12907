"""Images per second."""

import time

import keras


class Throughput(keras.callbacks.Callback):
    """Adds `images_per_second` to the logs; `fit` of `SAGAN` brings its own.

    The mean since the second batch of the epoch: the first one compiles.

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
        if logs is not None and hasattr(self, "_rate"):
            logs["images_per_second"] = self._rate
