"""The file of weights that defines FID.

Other weights give other values. A file that differs from this one by a byte is
refused, and no other weights are used instead.
"""

import hashlib
import os
import pathlib
import sys
import urllib.error
import urllib.request
import warnings

import numpy as np

from keras_sagan.files import cache_folder
from keras_sagan.files import read_npz
from keras_sagan.files import replacing

SIZE = 95_628_359
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
VARIABLE = "KERAS_SAGAN_INCEPTION"
_RELEASES = "https://github.com/{}/releases/download/{}/{}"
# The same file has two names.
_NAMES = (
    "pt_inception-2015-12-05-6726825d.pth",
    "weights-inception-2015-12-05-6726825d.pth",
)
URLS = (
    _RELEASES.format("mseitzer/pytorch-fid", "fid_weights", _NAMES[0]),
    _RELEASES.format("toshas/torch-fidelity", "v0.2.0", _NAMES[1]),
)


def inception_tensors(path=None):
    """Returns the tensors of the Inception network of FID, by name.

    The file is read from `path`, if given. Otherwise it is read from the path
    in the environment variable `KERAS_SAGAN_INCEPTION`, or else from torch
    hub's cache, under the names that pytorch-fid and torch-fidelity give it. If
    it is not there, it is downloaded from their releases (91 MiB). Its size and
    sha256 are checked, and it is converted once to an `.npz` file in
    `cache_folder()`.

    Args:
        path: The canonical file `pt_inception-2015-12-05-6726825d.pth`, or
            None.

    Returns:
        A dict of float32 arrays.

    Raises:
        FileNotFoundError: If there is no file at `path` or at the path in the
            variable.
        ValueError: If a file is not the canonical one.
        OSError: If the file can neither be found nor downloaded. The message
            says what to do.

    Example:

    >>> tensors = keras_sagan.metrics.inception_tensors()  # doctest: +SKIP
    >>> tensors["fc.weight"].shape  # doctest: +SKIP
    (1008, 2048)
    """
    given = path or os.environ.get(VARIABLE)
    if given:
        origin = "path" if path else VARIABLE
        return _converted(_checked(pathlib.Path(given), origin))
    converted = cache_folder() / f"inception-{SHA256[:8]}.npz"
    if converted.exists():
        return _read_converted(converted)
    for name in _NAMES:
        file = _torch_hub() / name
        if file.exists():
            return _converted(_checked(file, "torch hub's cache"))
    file = cache_folder() / _NAMES[0]
    if not file.exists():
        _download(file)
    tensors = _converted(_checked(file, "cache"))
    file.unlink()  # The converted file is enough.
    return tensors


def _torch_hub():
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    return pathlib.Path(home).expanduser() / "hub" / "checkpoints"


def _checked(file, origin):
    """Returns the path of a file, if it is the canonical file."""
    if not file.is_file():
        raise FileNotFoundError(
            f"`{origin}` must name the file {_NAMES[0]}. "
            f"Received: {file}, where there is none"
        )
    size, digest = file.stat().st_size, _sha256(file)
    if (size, digest) != (SIZE, SHA256):
        raise ValueError(
            f"`{origin}` must be {_NAMES[0]}, {SIZE:,} bytes, sha256 "
            f"{SHA256}: with other weights the distance is not FID. Received: "
            f"{file}, {size:,} bytes, sha256 {digest}"
        )
    return file


def _sha256(file):
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _converted(file):
    """Reads a checked `.pth`, and keeps it as an `.npz` with its hash."""
    converted = cache_folder() / f"inception-{SHA256[:8]}.npz"
    if converted.exists():
        return _read_converted(converted)
    from keras_sagan.tensor_files import read_tensors

    tensors = read_tensors(file)
    try:
        with replacing(converted) as temporary:
            np.savez(temporary, **tensors)
        with replacing(converted.with_suffix(".sha256")) as temporary:
            temporary.write_text(_sha256(converted))
    except OSError as error:  # A read-only home only makes this slower.
        warnings.warn(
            f"The weights could not be kept in {converted} ({error}); they "
            "will be read from the .pth again",
            stacklevel=2,
        )
    return tensors


def _read_converted(converted):
    recorded = converted.with_suffix(".sha256")
    if not recorded.exists() or recorded.read_text() != _sha256(converted):
        raise ValueError(
            f"The weights in {converted} were altered or not written whole. "
            "Delete the file: it is made again from the canonical one"
        )
    return read_npz(converted)


def _download(file):
    """Downloads the file from either release, and checks it."""
    failures = []
    for url in URLS:
        try:
            with replacing(file) as temporary:
                _fetch(url, temporary)
                _checked(temporary, url)
            return
        except (urllib.error.URLError, OSError, ValueError) as error:
            failures.append(f"{url}: {error}")
    raise OSError(
        "The Inception weights, without which there is no FID, could not be "
        f"downloaded ({'; '.join(failures)}). Get {_NAMES[0]} on a machine "
        f"with a network, and set {VARIABLE} to where you put it"
    )


def _fetch(url, file):
    """Downloads a URL to a file, and shows the progress on a terminal."""
    done = 0
    with (
        urllib.request.urlopen(url, timeout=30) as answer,
        file.open("wb") as out,
    ):
        while block := answer.read(1 << 20):
            out.write(block)
            done += len(block)
            if sys.stderr.isatty():
                print(
                    f"\rInception weights: {done / SIZE:4.0%}",
                    end="" if done < SIZE else "\n",
                    file=sys.stderr,
                )
