"""Where a verb writes if there is no --out."""

import pathlib

from keras_sagan.training.folder import Run


def beside(given, name):
    """Returns the path of a file or folder in the folder of what was given.

    Args:
        given: String or path: the folder of a run or a model, a file in it,
            or `hf://owner/name`, for which it is the current folder.
        name: Name of the file or folder.
    """
    path = pathlib.Path(given)
    if path.is_dir():
        return path / name
    return Run.of(path).path / name if path.exists() else pathlib.Path(name)


def new_beside(given, name):
    """Returns the path of `beside`, or one like `walk_2.webp` if it exists."""
    path = new = beside(given, name)
    n = 1
    while new.exists():
        n += 1
        new = path.with_name(f"{path.stem}_{n}{path.suffix}")
    return new
