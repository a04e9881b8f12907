"""Logs of a run as lines of JSON."""

import json
import math
import pathlib
import time

import keras

from keras_sagan.files import replacing


class JSONLogger(keras.callbacks.Callback):
    """Appends a line of JSON for each epoch of `fit`: `step` and its logs.

    Give the dataset few `steps_per_epoch` for many lines. When a run goes on
    from a step, lines beyond it are taken out, so that each is there once.
    What is no finite number is written as null.

    Args:
        path: File to append to, `log.jsonl` by custom.

    Example:
    >>> callback = keras_sagan.callbacks.JSONLogger("run/log.jsonl")
    """

    def __init__(self, path):
        super().__init__()
        self.path = pathlib.Path(path)

    def on_train_begin(self, logs=None):
        step = self.model.count_steps()
        lines = [line for line in read_lines(self.path) if line["step"] <= step]
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


def read_lines(path):
    """Reads a file of `JSONLogger`: a list of dicts, one for each line.

    A last line that a killed process did not finish is left out.
    """
    path = pathlib.Path(path)
    lines = []
    for text in path.read_text().split("\n") if path.exists() else []:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines


def _to_line(line):
    return json.dumps(line) + "\n"
