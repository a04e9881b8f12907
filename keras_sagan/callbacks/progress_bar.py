"""A progress bar for runs of many short epochs."""

import shutil
import sys
import time

import keras

from keras_sagan.models.step_callbacks import Looks

# The most useful come first; those that do not fit on the line are left out.
_SHOWN = (
    ("D loss {:.2f}", "discriminator_loss"),
    ("G loss {:.2f}", "generator_loss"),
    ("{:.0f} images/s", "images_per_second"),
    ("D(real) {:.2f}", "real_logits"),
    ("D(fake) {:.2f}", "fake_logits"),
)


class ProgressBar(keras.callbacks.Callback):
    """Shows one line for the whole run: steps, losses, images/s, time left.

    Keras' own bar starts again in each epoch and shows every log. Use this
    one with `fit(..., verbose=0)`. The line is as long as the terminal allows;
    the last parts are left out if they do not fit. A notebook shows one line,
    too. If the output is neither a terminal nor a notebook, the callback
    writes a line after the first step and one after each twentieth of the run.

    The numbers are those of every tenth step, because reading them waits for
    the device.

    Args:
        total: Positive integer, the step at which the run ends. If `None`, it
            is computed from the epochs of `fit`.
        width: Positive integer, the largest number of characters of the bar.
        stream: File object to write to. If `None`, defaults to the standard
            output.

    Example:

    >>> callback = keras_sagan.callbacks.ProgressBar()
    """

    def __init__(self, total=None, width=24, stream=None):
        super().__init__()
        self.total = total
        self.width = width
        self.stream = sys.stdout if stream is None else stream

    def on_train_begin(self, logs=None):
        self._total = self.total
        self._steps = self._begin = self.model.count_steps()
        self._before = self._steps
        self._start = None
        self._written = 0
        self._twentieth = -1  # The first step is shown, too.
        in_notebook = _is_notebook(self.stream)
        self._rewrites = self.stream.isatty() or in_notebook
        # A notebook keeps everything that was written, also in its file.
        self._pause = 2.0 if in_notebook else 0.2
        self._looks, self._numbers = Looks(), {}
        self._longest = 0
        if not self._total or self._steps < self._total:
            self._show("Compiling the first step; this can take minutes")

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
        if self._rewrites:
            if self._looks.is_due(self._steps):
                self._numbers = dict(self._logs)
            if now - self._written > self._pause:
                self._written = now
                self._show(self._line(now))
        elif self._total and self._steps * 20 // self._total > self._twentieth:
            self._twentieth = self._steps * 20 // self._total
            self._numbers = dict(self._logs)
            self._show(self._line(now))

    def on_train_end(self, logs=None):
        if self._rewrites and self._start is not None:
            self._numbers = dict(self._logs)
            self._show(self._line(time.perf_counter()))
            self._write("\n")

    def _line(self, now):
        logs = self._numbers
        parts = [f"step {self._steps:,}"]
        first, start = self._start
        if self._total:
            parts = [f"step {self._steps:,}/{self._total:,}"]
            if self._steps > first:
                rate = (now - start) / (self._steps - first)
                left = rate * (self._total - self._steps)
                parts.append(f"{_duration(left)} left")
        for text, key in _SHOWN:
            if key in logs:
                parts.append(text.format(float(logs[key])))
        return self._fitted(parts)

    def _fitted(self, parts):
        """Joins the parts that fit on a line, and a bar if there is room."""
        columns = shutil.get_terminal_size().columns - 1
        while len(parts) > 1 and len("  ".join(parts)) > columns:
            parts.pop()
        line = "  ".join(parts)
        width = min(self.width, columns - len(line) - 3)
        if not self._total or width < 4:
            return line
        filled = round(self._steps / self._total * width)
        return f"[{'#' * filled}{'-' * (width - filled)}] {line}"

    def _show(self, line):
        """Writes a line, in place of the one before if this is possible."""
        if not self._rewrites:
            self._write(line + "\n")
            return
        # Pad with blanks, because a notebook has no command to erase.
        self._write("\r" + line.ljust(self._longest))
        self._longest = max(self._longest, len(line))

    def _write(self, text):
        self.stream.write(text)
        self.stream.flush()


def _is_notebook(stream):
    return type(stream).__module__.startswith("ipykernel.")


def _duration(seconds):
    """Writes a duration as `h:mm:ss`, or `m:ss` below an hour."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{seconds:02d}"
    return f"{minutes}:{seconds:02d}"
