"""Checkpoints from which training continues exactly."""

import contextlib

import keras
import numpy as np

from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_path
from keras_sagan.callbacks.every_steps import EverySteps
from keras_sagan.files import printable
from keras_sagan.files import replacing
from keras_sagan.files import step_file
from keras_sagan.files import step_files
from keras_sagan.models.loading import load_file
from keras_sagan.models.saved_file import read_step


class Checkpoint(EverySteps):
    """Saves the whole model every `every` steps, and keeps the newest files.

    A file is written under another name and then renamed, so that a process
    that is killed leaves no half-written checkpoint. A model that contains NaN
    or infinity is not saved. Only undamaged files count as checkpoints, in the
    order of the steps of the models in them. A damaged file is renamed: it is
    not deleted, and does not replace a good one.

    Args:
        directory: Folder for the files, `step_00001000.keras` and so on.
        every: Positive integer, the number of steps between checkpoints.
        keep: Positive integer, the number of checkpoints to keep.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> checkpoint = keras_sagan.callbacks.Checkpoint("run/checkpoints")
    >>> checkpoint.load_latest() is None  # There is none yet.
    True
    """

    def __init__(self, directory, every=1000, keep=3):
        super().__init__(every)
        check_integer("keep", keep, 1)
        self.directory = check_path("directory", directory)
        self.keep = keep
        self._known = {}

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        step = self.model.count_steps()
        later = [x for x in map(self._step_in, self.paths()) if x > step]
        if later:
            raise ValueError(
                "`directory` must not hold checkpoints of later steps than the "
                "model, because the oldest are removed. Continue with "
                "`load_latest()`, or choose another folder. Received: "
                f"directory={self.directory} with step {later[-1]}, and a "
                f"model at step {step}"
            )

    def act(self, step, logs):
        self.save()

    def on_train_end(self, logs=None):
        self.save()

    def save(self):
        """Saves the current model, unless this step is already saved."""
        self.model.sync_variables()
        step = self.model.count_steps()
        path = step_file(self.directory, step, ".keras")
        if self._step_in(path) == step or not _is_finite(self.model):
            return
        if path.exists():
            _set_aside(path)
        with replacing(path) as temporary:
            self.model.save(temporary)
        for old in self.paths()[: -self.keep]:
            old.unlink()

    def paths(self):
        """Returns the paths of the undamaged checkpoints, the oldest first.

        They are in the order of the steps in the files, not of their names.
        """
        steps = {
            path: self._step_in(path)
            for path in step_files(self.directory, ".keras")
        }
        return sorted(
            (path for path in steps if steps[path] is not None), key=steps.get
        )

    def load_latest(self):
        """Loads the newest checkpoint, or returns None if there is none.

        Files that a killed process left half-written are removed. A
        checkpoint that cannot be loaded is skipped with a message. After an
        older one is loaded, it is renamed to `step_00001000.keras.damaged`.

        Raises:
            ValueError: If there are checkpoints, but none can be loaded.
        """
        for left in self.directory.glob(".step_*.keras"):
            left.unlink(missing_ok=True)
        passed_over = set(step_files(self.directory, ".keras"))
        passed_over.difference_update(self.paths())
        for path in sorted(passed_over):
            print(f"{path} is damaged; continuing from an older checkpoint")
        reason = "they are damaged"
        for path in reversed(self.paths()):
            try:
                model = load_file(path)
            # Whatever is wrong with one file, an older one may be good.
            except Exception as error:
                reason = " ".join(str(error).split())[:300]
                print(f"{path} cannot be loaded: {printable(reason)}")
                passed_over.add(path)
                continue
            for damaged in passed_over:
                _set_aside(damaged)
            return model
        if passed_over:
            raise ValueError(
                "One of the checkpoints must load, because training would "
                "begin again without it. Import the modules of your own "
                "classes first, or choose another folder. "
                f"Received: {len(passed_over)} in {self.directory}: {reason}"
            )
        return None

    def _step_in(self, path):
        """Returns the step in a file, or None if it is damaged or missing."""
        try:
            state = path.stat()
        except FileNotFoundError:
            return None
        key = path, state.st_mtime_ns, state.st_size
        if key not in self._known:  # Reading the whole file takes time.
            try:
                self._known[key] = read_step(path)
            except ValueError:
                self._known[key] = None
        return self._known[key]


def _set_aside(path):
    """Renames a damaged file, because a part of it may be useful."""
    other = path.with_name(f"{path.name}.damaged")
    with contextlib.suppress(FileNotFoundError):  # Another process did it.
        path.replace(other)
        print(f"{path} is damaged and is now called {other.name}")


def _is_finite(model):
    networks = model.generator, model.discriminator, model.ema_generator
    return all(
        np.all(np.isfinite(keras.ops.convert_to_numpy(variable)))
        for network in networks
        for variable in network.variables
    )
