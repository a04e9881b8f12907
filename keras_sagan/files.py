"""Reads files, and writes them whole or not at all."""

import contextlib
import json
import os
import pathlib
import re
import shutil


@contextlib.contextmanager
def replacing(path):
    """Gives a temporary path that is renamed to `path` on success."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last, because writers choose the format by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())  # The data must be there before the name.
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path):
    """Gives a temporary folder that is renamed to `path` on success.

    Raises:
        FileExistsError: If `path` exists and is not an empty folder.
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
    """Writes JSON, the whole file or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def read_json(path):
    """Returns what a JSON file holds, or None if there is no such file."""
    path = pathlib.Path(path)
    return json.loads(path.read_text()) if path.exists() else None


def read_json_lines(path):
    """Returns the JSON values of a file that has one in each line.

    A last line that a killed process did not finish is left out, and a file
    that is not there has no lines.
    """
    path = pathlib.Path(path)
    lines = []
    for text in path.read_text().split("\n") if path.exists() else []:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines


def step_file(folder, step, suffix):
    """Returns the path of the file of a training step in a folder."""
    return pathlib.Path(folder) / f"step_{step:08d}{suffix}"


def step_files(folder, suffix):
    """Returns the paths of the files of all steps, in the order of steps."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        return []
    name = re.compile(rf"step_(\d{{8,}}){re.escape(suffix)}")
    matches = (name.fullmatch(path.name) for path in folder.iterdir())
    matches = sorted(filter(None, matches), key=lambda match: int(match[1]))
    return [folder / match[0] for match in matches]
