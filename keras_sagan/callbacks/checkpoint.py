"""Checkpoints from which a run goes on exactly."""

import pathlib
import re
import zipfile

import keras
import numpy as np

from keras_sagan.callbacks.every_steps import EverySteps
from keras_sagan.files import replacing

_NAME = re.compile(r"step_(\d{8,})\.keras")


class Checkpoint(EverySteps):
    """Saves the whole model every so many steps, and keeps the last ones.

    A file is written under another name, then renamed: whatever happens, those
    that are there are whole. One with NaN or infinity in it is not written.

    Args:
        directory: Folder for the files, `step_00001000.keras` and so on.
        every: Positive integer, steps between checkpoints.
        keep: Positive integer, how many are kept.

    Raises:
        ValueError: If an argument is out of range.

    Example:
    >>> checkpoint = keras_sagan.callbacks.Checkpoint("run/checkpoints")
    >>> checkpoint.load_latest() is None  # Nothing there yet.
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
        """Saves the model as it is now, unless that is there already."""
        self.model.sync_variables()
        step = self.model.count_steps()
        path = self.directory / f"step_{step:08d}.keras"
        if path.exists() or not _is_finite(self.model):
            return
        with replacing(path) as temporary:
            self.model.save(temporary)
        for old in self.paths()[: -self.keep]:
            old.unlink()

    def paths(self):
        """The checkpoints that are there, the oldest first."""
        if not self.directory.is_dir():
            return []
        found = [p for p in self.directory.iterdir() if _NAME.fullmatch(p.name)]
        return sorted(found, key=lambda p: int(_NAME.fullmatch(p.name)[1]))

    def load_latest(self):
        """Loads the newest whole checkpoint, or returns None without one.

        What a killed process left half-written is removed; a file that is
        damaged is passed over, with a warning.
        """
        for left in self.directory.glob(".step_*.keras"):
            left.unlink(missing_ok=True)
        for path in reversed(self.paths()):
            if not _is_whole(path):
                # Not deleted: it may be all that somebody has.
                print(f"{path} is damaged; going on from the one before it")
                continue
            return keras.saving.load_model(path)
        return None


def _is_whole(path):
    """Whether all in a `.keras` file, a zip, has the checksum it should."""
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
