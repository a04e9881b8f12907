"""Logs as lines of JSON."""

import contextlib
import json
import math
import time
import warnings

import keras

from keras_sagan.arguments import check_path
from keras_sagan.files import read_step_lines
from keras_sagan.files import replacing


class JSONLogger(keras.callbacks.Callback):
    """Appends a line of JSON for each epoch of `fit`: `step`, `time` and logs.

    For more lines, use a dataset with fewer `steps_per_epoch`. When training
    continues from an earlier step, the lines of later steps are removed, so
    that each step has one line. NaN and infinity are written as null.

    A log never stops the training: lines that cannot be read are kept as they
    are, and if a line cannot be written, a warning says so.

    Args:
        path: File to append to, usually `log.jsonl`.

    Example:

    >>> callback = keras_sagan.callbacks.JSONLogger("run/log.jsonl")
    """

    def __init__(self, path):
        super().__init__()
        self.path = check_path("path", path)

    def on_train_begin(self, logs=None):
        with self._warning():
            self._forget_after(self.model.count_steps())

    def _forget_after(self, step):
        with replacing(self.path) as temporary, open(temporary, "wb") as file:
            for line, entry in read_step_lines(self.path):
                if entry is None or entry["step"] <= step:
                    file.write(line + b"\n")

    def on_epoch_end(self, epoch, logs=None):
        self.model.sync_variables()
        line = {"step": self.model.count_steps(), "time": time.time()}
        for name, value in (logs or {}).items():
            value = float(value)
            line[name] = value if math.isfinite(value) else None
        with self._warning(), open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")

    @contextlib.contextmanager
    def _warning(self):
        try:
            yield
        except OSError as error:
            warnings.warn(
                f"The log {self.path} cannot be written: {error}", stacklevel=3
            )
