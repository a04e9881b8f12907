"""A progress bar for runs of many short epochs."""

import sys
import time

import keras

_SHOWN = (
    ("D loss", "discriminator_loss"),
    ("G loss", "generator_loss"),
    ("D(real)", "real_logits"),
    ("D(fake)", "fake_logits"),
)


class ProgressBar(keras.callbacks.Callback):
    """Shows one line for the whole run: steps, losses, images/s, time left.

    Keras' own bar starts again in each epoch and shows every log. Use this
    one with `fit(..., verbose=0)`. If the output is not a terminal, it writes
    a line after the first step and one after each twentieth of the run.

    Args:
        total: Positive integer, the step at which the run ends. None: it
            follows from the epochs of `fit`.
        width: Positive integer, number of characters of the bar.
        stream: File object to write to. None: standard output.

    Example:
    >>> callback = keras_sagan.callbacks.ProgressBar()
    """

    def __init__(self, total=None, width=24, stream=None):
        super().__init__()
        self.total = total
        self.width = width
        self.stream = stream or sys.stdout

    def on_train_begin(self, logs=None):
        self._total = self.total
        self._steps = self._begin = self.model.count_steps()
        self._before = self._steps
        self._start = None
        self._written = 0
        self._twentieth = -1  # The first step is shown, too.

    def on_epoch_begin(self, epoch, logs=None):
        if self._start is None:
            self._first_epoch = epoch
        self._before = self._steps

    def on_train_batch_end(self, batch, logs=None):
        self._steps, self._logs = self._before + batch + 1, logs or {}
        now = time.perf_counter()
        if self._start is None:  # The first step compiles and is not timed.
            self._start = self._steps, now
        if self.total is None and self.params.get("steps"):
            epochs = self.params["epochs"] - self._first_epoch
            self._total = self._begin + epochs * self.params["steps"]
        if self.stream.isatty():
            if now - self._written > 0.2:
                self._written = now
                self._write("\r" + self._line(now) + "\x1b[K")
        elif self._total and self._steps * 20 // self._total > self._twentieth:
            self._twentieth = self._steps * 20 // self._total
            self._write(self._line(now) + "\n")

    def on_train_end(self, logs=None):
        if self._start is not None and self.stream.isatty():
            line = self._line(time.perf_counter())
            self._write("\r" + line + "\x1b[K\n")

    def _line(self, now):
        logs = self._logs
        parts = [f"step {self._steps:,}"]
        first, start = self._start
        if self._total:
            share = self._steps / self._total
            filled = round(share * self.width)
            bar = "#" * filled + "-" * (self.width - filled)
            parts = [f"[{bar}] step {self._steps:,}/{self._total:,}"]
        for name, key in _SHOWN:
            if key in logs:
                parts.append(f"{name} {float(logs[key]):.2f}")
        if "images_per_second" in logs:
            parts.append(f"{float(logs['images_per_second']):.0f} images/s")
        if self._total and self._steps > first:
            rate = (now - start) / (self._steps - first)
            left = round(rate * (self._total - self._steps))
            parts.append(f"{left // 60}:{left % 60:02d} left")
        return "  ".join(parts)

    def _write(self, text):
        self.stream.write(text)
        self.stream.flush()
