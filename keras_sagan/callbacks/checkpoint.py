"""Checkpoints from which training continues exactly."""

import pathlib
import zipfile

import keras
import numpy as np

from keras_sagan.callbacks.every_steps import EverySteps
from keras_sagan.files import replacing
from keras_sagan.files import step_file
from keras_sagan.files import step_files


class Checkpoint(EverySteps):
    """Saves the whole model every `every` steps, and keeps the newest files.

    A file is written under another name and then renamed, so that a process
    that is killed leaves no half-written checkpoint. A model with NaN or
    infinity in it is not saved.

    Args:
        directory: Folder for the files, `step_00001000.keras` and so on.
        every: Positive integer, steps between checkpoints.
        keep: Positive integer, number of checkpoints that are kept.

    Raises:
        ValueError: If an argument is out of range.

    Example:
    >>> checkpoint = keras_sagan.callbacks.Checkpoint("run/checkpoints")
    >>> checkpoint.load_latest() is None  # There is none yet.
    True
    """

    def __init__(self, directory, every=1000, keep=3):
        super().__init__(every)
        if not isinstance(keep, int) or keep < 1:
            raise ValueError(
                f"`keep` must be a positive integer. Received: keep={keep}"
            )
        self.directory = pathlib.Path(directory)
        self.keep = keep

    def act(self, step, logs):
        self.save()

    def on_train_end(self, logs=None):
        self.save()

    def save(self):
        """Saves the model as it is now, unless this step is saved already."""
        self.model.sync_variables()
        step = self.model.count_steps()
        path = step_file(self.directory, step, ".keras")
        if path.exists() or not _is_finite(self.model):
            return
        with replacing(path) as temporary:
            self.model.save(temporary)
        for old in self.paths()[: -self.keep]:
            old.unlink()

    def paths(self):
        """Returns the paths of the checkpoints, the oldest first."""
        return step_files(self.directory, ".keras")

    def load_latest(self):
        """Loads the newest checkpoint, or returns None if there is none.

        Files that a killed process left half-written are removed. A damaged
        checkpoint is skipped with a warning.
        """
        for left in self.directory.glob(".step_*.keras"):
            left.unlink(missing_ok=True)
        for path in reversed(self.paths()):
            if not _is_whole(path):
                # It is not deleted, since a part of it may be of use.
                print(f"{path} is damaged; continuing from the one before it")
                continue
            return keras.saving.load_model(path)
        return None


def _is_whole(path):
    """Returns whether all parts of a `.keras` file have their checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False


def _is_finite(model):
    networks = model.generator, model.discriminator, model.ema_generator
    return all(
        np.all(np.isfinite(keras.ops.convert_to_numpy(variable)))
        for network in networks
        for variable in network.variables
    )
