"""Loads saved models, and says what is wrong with a bad file."""

import contextlib
import io
import re
import zipfile

import keras

from keras_sagan.files import check_archive
from keras_sagan.files import is_of_the_system

WEIGHTS = "model.weights.h5"


def load_file(path, compile=True):
    """Loads a `.keras` file as `keras.saving.load_model` does.

    The file is checked first: its checksums must be right, and it must not
    need far more memory than its own size.

    Args:
        path: The file.
        compile: As in `keras.saving.load_model`.

    Returns:
        A `keras.Model`.

    Raises:
        ValueError: If the file is damaged, or contains classes that Keras
            does not know.
        OSError: If the system cannot read the file.
    """
    with explained(path):
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            check_members(archive, path)
            check_weights(file, archive)
        return keras.saving.load_model(path, compile=compile)


@contextlib.contextmanager
def explained(path):
    """Turns any error inside into a `ValueError` that names the file.

    A damaged file can raise any exception: NotImplementedError for a method
    of compression that zipfile lacks, zlib.error, struct.error, ... Errors of
    the system, such as a missing file, are raised unchanged.
    """
    try:
        yield
    except Exception as error:
        if is_of_the_system(error):
            raise
        message = " ".join(str(error).split())
        # Drop the whole configuration of the model, which would follow.
        message = re.split("Full object config|config=", message)[0].strip()
        raise ValueError(
            "`path` must be a whole .keras file that `SAGAN.save` wrote, and "
            "modules that define your own classes in it must be imported "
            f"first (--import on the command line). Received: path={path}, "
            f"which raised {type(error).__name__}: {message:.300}"
        ) from error


def check_members(archive, path):
    """Raises a `ValueError` if a part is damaged or far too large."""
    check_archive(archive, path, times=4)
    damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"{damaged} has a wrong checksum")


def check_weights(file, archive):
    """Raises a `ValueError` if arrays are far larger than their file.

    An HDF5 file can have an array of any size without storing its values.
    """
    import h5py

    member = archive.getinfo(WEIGHTS)
    sizes = []

    def note(_, item):
        if isinstance(item, h5py.Dataset):
            sizes.append(item.size * item.dtype.itemsize)

    with h5py.File(Part(file, archive, member)) as h5:
        h5.visititems(note)
    if sum(sizes) > 4 * member.file_size + 2**20:
        raise ValueError(
            f"{WEIGHTS} has arrays of {sum(sizes):,} bytes in a file of "
            f"{member.file_size:,}"
        )


class Part(io.RawIOBase):
    """A member of a zip archive, as a file in which seeking is fast.

    `zipfile` reads all bytes that it skips.
    """

    def __init__(self, file, archive, member):
        super().__init__()
        self._file, self._start = file, 0
        if member.compress_type != zipfile.ZIP_STORED:
            self._file = io.BytesIO(archive.read(member))
        else:
            file.seek(member.header_offset + 26)
            lengths = file.read(4)  # Of the name and of the extra field.
            self._start = member.header_offset + 30
            self._start += int.from_bytes(lengths[:2], "little")
            self._start += int.from_bytes(lengths[2:], "little")
        self._size = member.file_size
        self.seek(0)

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        origin = {
            io.SEEK_SET: self._start,
            io.SEEK_CUR: self._file.tell(),
            io.SEEK_END: self._start + self._size,
        }
        return self._file.seek(origin[whence] + offset) - self._start

    def readinto(self, buffer):
        left = self._start + self._size - self._file.tell()
        data = self._file.read(max(0, min(len(buffer), left)))
        buffer[: len(data)] = data
        return len(data)
