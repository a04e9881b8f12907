"""Values that `fit` of `SAGAN` logs in addition to its losses."""

import time

import keras

from keras_sagan.models.step_callbacks import StepLogs


class Watch(keras.callbacks.Callback):
    """Adds `images_per_second` and `largest_sigma` to the logs.

    `fit` of `SAGAN` adds this callback. The rate is the mean over the epoch,
    without the first step of `fit`, which compiles. A device may be many steps
    behind, so the time is measured when it has finished the first step, and
    when it has finished the last step of an epoch. The largest spectral norm
    is computed once per epoch, because it reads all kernels once more.

    Args:
        batch_size: Number of images in a batch.
    """

    def __init__(self, batch_size):
        super().__init__()
        self.batch_size = batch_size

    def on_train_begin(self, logs=None):
        self._compiled = False

    def on_epoch_begin(self, epoch, logs=None):
        self._start = 0, time.perf_counter()
        self._steps, self._logs = 0, None

    def on_train_batch_end(self, batch, logs=None):
        self._steps, self._logs = batch + 1, logs
        if not self._compiled:
            self._compiled = True
            _wait(logs)
            self._start = self._steps, time.perf_counter()
        elif isinstance(logs, StepLogs):
            # Computed when it is read: the device may be many steps behind.
            logs["images_per_second"] = self._take_rate
        elif logs is not None:
            self._add_rate(logs)

    def on_test_begin(self, logs=None):
        self._end_epoch()

    def on_epoch_end(self, epoch, logs=None):
        if logs is None:
            return
        self._end_epoch()
        self._add_rate(logs)
        sigma = self.model.largest_sigma()
        if sigma is not None:
            logs["largest_sigma"] = sigma

    def _end_epoch(self):
        """Waits for the last step of the epoch, and computes the rate."""
        if self._logs is not None:
            _wait(self._logs)
            self._take_rate()
            self._logs = None

    def _add_rate(self, logs):
        """Adds the rate since the start, or else the last one that is known."""
        rate = self._take_rate()
        if rate is not None:
            logs["images_per_second"] = rate

    def _take_rate(self):
        first, start = self._start
        if self._logs is not None and self._steps > first:
            seconds = time.perf_counter() - start
            self._rate = (self._steps - first) * self.batch_size / seconds
        return getattr(self, "_rate", None)


def _wait(logs):
    """Waits until the device has computed the logs, by reading them."""
    if logs:
        next(iter(logs.values()))
