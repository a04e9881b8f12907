"""The folder of a training run.

This module imports no framework, so that the command line can read runs
quickly.
"""

import contextlib
import json
import os
import pathlib

from keras_sagan.arguments import check_path
from keras_sagan.files import read_json
from keras_sagan.files import read_step_lines
from keras_sagan.files import step_files
from keras_sagan.files import write_json
from keras_sagan.sizes import as_pair


class Run:
    """The folder of a training run: the names and contents of its files.

    The folder of a run contains

    - `settings.json`: the settings that must not change when a run continues;
    - `environment.json`: the versions, devices and cores that are used;
    - `classes.json`: the names of the classes;
    - `log.jsonl`: a line of logged values for each epoch;
    - `samples/`: grids of images, `step_00001000.png` and so on;
    - `checkpoints/`: the newest models, `step_00001000.keras` and so on;
    - `model.keras`: the trained model, after the run has ended;
    - `images_64/`: the prepared images, if the run had to prepare them.

    Creating a `Run` does not read or write anything.

    Args:
        workdir: The folder. It does not have to exist.

    Attributes:
        path: The folder. This and the following are `pathlib.Path`.
        settings_path: `settings.json`.
        environment_path: `environment.json`.
        classes_path: `classes.json`.
        log_path: `log.jsonl`.
        samples_path: `samples/`.
        checkpoints_path: `checkpoints/`.
        model_path: `model.keras`.

    Example:

    >>> run = keras_sagan.training.Run("runs/none")
    >>> run.settings(), run.class_names(), run.latest_model(), run.log()
    ({}, None, None, [])
    """

    def __init__(self, workdir):
        self.path = check_path("workdir", workdir)
        self.settings_path = self.path / "settings.json"
        self.environment_path = self.path / "environment.json"
        self.classes_path = self.path / "classes.json"
        self.log_path = self.path / "log.jsonl"
        self.samples_path = self.path / "samples"
        self.checkpoints_path = self.path / "checkpoints"
        self.model_path = self.path / "model.keras"

    @classmethod
    def of(cls, model_path):
        """Returns the run to which a `.keras` file belongs.

        Args:
            model_path: Path of a file in a run's folder, or in its
                `checkpoints/`.
        """
        folder = pathlib.Path(model_path).parent
        inside = folder.name == "checkpoints"
        return cls(folder.parent if inside else folder)

    def images_path(self, resolution, channels=3):
        """Returns the folder of the images prepared for a resolution."""
        height, width = as_pair(resolution)
        square = height == width
        name = f"{height}" if square else f"{height}x{width}"
        kind = {1: "_gray", 4: "_rgba"}.get(channels, "")
        return self.path / f"images_{name}{kind}"

    def exists(self):
        """Returns whether this folder contains a run or a trained model."""
        return self.settings_path.exists() or self.latest_model() is not None

    def settings(self):
        """Returns the settings of the run, or {} if it has not begun.

        Raises:
            ValueError: If `settings.json` holds something else.
        """
        return read_json(self.settings_path) or {}

    def class_names(self):
        """Returns the list of class names, or None if there is none.

        Raises:
            ValueError: If `classes.json` is not a list of strings.
        """
        names = read_json(self.classes_path, list)
        if names is None:
            return None
        if not all(isinstance(name, str) for name in names):
            raise ValueError(
                "`classes.json` must be a list of strings. "
                f"Received: {self.classes_path}, which holds {names!r:.80}"
            )
        return names

    def log(self):
        """Returns a dict of `step`, `time` and values for each logged epoch."""
        lines = read_step_lines(self.log_path)
        return [entry for _, entry in lines if entry is not None]

    def checkpoints(self):
        """Returns the paths of the checkpoints, the oldest first."""
        return step_files(self.checkpoints_path, ".keras")

    def latest_model(self):
        """Returns the path of `model.keras`, or else of the newest checkpoint.

        Returns None if there is neither.
        """
        if self.model_path.exists():
            return self.model_path
        return next(reversed(self.checkpoints()), None)

    def check_settings(self, settings):
        """Raises a `ValueError` if the run was begun with other settings."""
        if not self.settings_path.exists():
            return
        before = dict(_flat(self.settings()))
        now = dict(_flat(json.loads(json.dumps(settings))))
        other = [
            f"{name}={before.get(name)}, now {now.get(name)}"
            for name in sorted({*before, *now})
            if before.get(name) != now.get(name)
        ]
        if other:
            raise ValueError(
                "`workdir` holds a run with other settings: choose another "
                "folder, or the same settings. "
                f"Received: workdir={self.path}, where {'; '.join(other)}"
            )

    def write_settings(self, settings, class_names=None):
        """Writes the settings, and the names of the classes if there are any.

        Args:
            settings: Dict that JSON can hold.
            class_names: Strings, or None.
        """
        write_json(self.settings_path, settings)
        if class_names is not None:
            write_json(self.classes_path, list(class_names))

    @contextlib.contextmanager
    def lock(self):
        """Reserves the folder for this process inside the block.

        The lock ends with the process, even if it is killed. On Windows, and
        on file systems that cannot lock folders, nothing is locked.

        Raises:
            ValueError: If another process has locked the folder.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            import fcntl
        except ImportError:  # Windows has no such module.
            yield
            return
        with contextlib.ExitStack() as stack:
            # Lock the folder itself, because a file in it might be deleted.
            folder = os.open(self.path, os.O_RDONLY)
            stack.callback(os.close, folder)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError(
                    "`workdir` must be used by one process at a time, and "
                    "another process trains there now. "
                    f"Received: workdir={self.path}"
                ) from None
            except OSError as error:  # NFS cannot lock folders.
                print(f"{self.path} cannot be locked ({error.strerror})")
            yield


def _flat(settings, prefix=""):
    """Yields the values of nested dicts with names such as `model.width`."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
