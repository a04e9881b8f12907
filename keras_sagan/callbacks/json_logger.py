"""Logs as lines of JSON."""

import json
import math
import pathlib
import time

import keras

from keras_sagan.files import read_json_lines
from keras_sagan.files import replacing


class JSONLogger(keras.callbacks.Callback):
    """Appends a line of JSON for each epoch of `fit`: `step`, `time` and logs.

    Give the dataset few `steps_per_epoch` to get many lines. When training
    continues from an earlier step, the lines of later steps are removed, so
    that each step is there once. NaN and infinity are written as null.

    Args:
        path: File to append to, usually `log.jsonl`.

    Example:
    >>> callback = keras_sagan.callbacks.JSONLogger("run/log.jsonl")
    """

    def __init__(self, path):
        super().__init__()
        self.path = pathlib.Path(path)

    def on_train_begin(self, logs=None):
        step = self.model.count_steps()
        lines = read_json_lines(self.path)
        lines = [line for line in lines if line["step"] <= step]
        with replacing(self.path) as temporary:
            temporary.write_text("".join(map(_to_line, lines)))

    def on_epoch_end(self, epoch, logs=None):
        self.model.sync_variables()
        line = {"step": self.model.count_steps(), "time": time.time()}
        for name, value in (logs or {}).items():
            value = float(value)
            line[name] = value if math.isfinite(value) else None
        with open(self.path, "a") as file:
            file.write(_to_line(line))


def _to_line(line):
    return json.dumps(line) + "\n"
