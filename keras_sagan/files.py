"""Reads files, and writes a file completely or not at all."""

import contextlib
import errno
import json
import os
import pathlib
import re
import shutil
import zipfile

# The content of a zip file may always be this large, in bytes.
_FREE = 64 * 2**20


@contextlib.contextmanager
def replacing(path):
    """Yields a temporary path that is renamed to `path` on success."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays at the end, because writers choose the format by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())  # Write the data before the new name.
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path):
    """Yields a temporary folder that is renamed to `path` on success.

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
    # A killed process may have had the same number, as in a container.
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            path.rmdir()
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def weights_path(preset):
    """Returns the path of a preset's weights, which may not be there."""
    return pathlib.Path(__file__).parent / "weights" / f"{preset}.npz"


def cache_folder():
    """Returns the folder that downloads are kept in.

    It is `keras_sagan/` in `$KERAS_HOME`. If this is not set, it is in
    `$XDG_CACHE_HOME`, or else in `~/.cache`.
    """
    for name in ("KERAS_HOME", "XDG_CACHE_HOME"):
        if os.environ.get(name):
            return pathlib.Path(os.environ[name]) / "keras_sagan"
    return pathlib.Path.home() / ".cache" / "keras_sagan"


def write_json(path, content):
    """Writes a JSON file completely or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def read_json(path, kind=dict):
    """Returns the content of a JSON file, or None if there is no such file.

    Args:
        path: The file.
        kind: The type of the content, `dict` or `list`.

    Raises:
        ValueError: If the file holds something else.
    """
    path = pathlib.Path(path)
    if not path.exists():
        return None
    text = path.read_bytes()
    try:
        content = json.loads(text)
    # Bytes that are not text, text that is not JSON, 100,000 brackets deep.
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} must hold JSON. Received: {text[:60]!r}, where {error}"
        ) from error
    if not isinstance(content, kind):
        what = {dict: "a JSON object", list: "a JSON list"}[kind]
        raise ValueError(f"{path} must hold {what}. Received: {text[:60]!r}")
    return content


def check_archive(archive, path, times):
    """Raises a `ValueError` if a zip file holds far more than its own size.

    Args:
        archive: A `zipfile.ZipFile`. It never reads more bytes of a member
            than the archive lists.
        path: Path of the file.
        times: Number. The content may be this many times as large as the
            file. `_FREE` bytes are always allowed.
    """
    size = os.path.getsize(path)
    inside = sum(member.file_size for member in archive.infolist())
    if inside > max(_FREE, times * size):
        raise ValueError(
            f"{path} would take {inside:,} bytes of memory, more than {times} "
            f"times its size. Received: a file of {size:,} bytes"
        )


def read_npz(path, names=None):
    """Reads the arrays of an `.npz` file.

    Args:
        path: The file. The arrays may be 100 times as large as the file.
        names: Names of the arrays to read; missing ones are skipped. If
            `None`, all arrays are read.

    Returns:
        A dict of NumPy arrays.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If the system cannot read it.
        ValueError: If it is not an `.npz` file, or is damaged.
    """
    import numpy as np  # The command line must start quickly.

    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, path, times=100)
        with np.load(path, allow_pickle=False) as arrays:
            return {
                name: arrays[name]
                for name in arrays.files
                if names is None or name in names
            }
    # With damaged bytes, zipfile, zlib and NumPy may raise any exception.
    except Exception as error:
        if is_of_the_system(error):
            raise
        raise ValueError(
            "`path` must be an .npz file of arrays. "
            f"Received: path={path}: {error}"
        ) from error


def is_of_the_system(error):
    """Returns whether an error comes from the system, not from the content.

    Decoders raise `OSError`, too: without an error number, or with `EINVAL`
    if damaged bytes make them seek to a place before the beginning.
    """
    return isinstance(error, OSError) and error.errno not in (
        None,
        errno.EINVAL,
    )


def read_step_lines(path):
    """Yields `(line, entry)` of a file with a JSON object in each line.

    Reading never fails, whatever the file holds, because a log must not stop
    the training.

    Args:
        path: The file. A missing file counts as one without lines.

    Yields:
        Pairs of the line as bytes, without its end, and the dict in it. The
        dict has an integer `step`; for a line without such a dict, it is
        None. A last line without an end is left out: its writer was killed.
    """
    path = pathlib.Path(path)
    *lines, _unfinished = (
        path.read_bytes().split(b"\n") if path.exists() else [b""]
    )
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict) or type(entry.get("step")) is not int:
            entry = None
        yield line, entry


def printable(text):
    """Returns a text that can be printed safely on a terminal.

    Control characters, and bytes of a file name that cannot be decoded, are
    shown as backslash escapes.
    """
    return "".join(
        c
        if c.isprintable()
        else c.encode("unicode_escape", "surrogatepass").decode()
        for c in str(text)
    )


def print_left_out(skipped, listed_in=None):
    """Prints the first ten files that a source left out, and the reasons.

    Args:
        skipped: Pairs `(name, reason)`.
        listed_in: Path of a file that lists all of them, or None.
    """
    n, shown = len(skipped), 10
    if n:
        print(f"{n:,} {'file was' if n == 1 else 'files were'} left out:")
    for name, reason in skipped[:shown]:
        print(f"  {printable(name)}: {printable(reason)}")
    if n > shown:
        there = f"; all of them are in {listed_in}" if listed_in else ""
        print(f"  and {n - shown:,} more{there}")


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
