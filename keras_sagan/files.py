"""Writing a file, or a folder, whole or not at all."""

import contextlib
import json
import os
import pathlib
import shutil


@contextlib.contextmanager
def replacing(path):
    """Gives a temporary path beside `path`, renamed to it on success."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: writers choose the format by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())  # The data before the name.
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path):
    """Gives a temporary folder beside `path`, renamed to it on success.

    Raises:
        FileExistsError: If `path` exists and is no empty folder.
    """
    path = pathlib.Path(path).absolute()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(
            f"`path` must be a new or empty folder. Received: path={path}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            path.rmdir()
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_json(path, content):
    """Writes JSON, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def read_json(path):
    """Returns what a JSON file holds, or None if there is no such file."""
    path = pathlib.Path(path)
    return json.loads(path.read_text()) if path.exists() else None
