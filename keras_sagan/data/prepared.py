"""Decodes and resizes images once, for all later training."""

import hashlib
import os
import re
import sys

import keras
import numpy as np

from keras_sagan import sizes
from keras_sagan.arguments import check_bool
from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_path
from keras_sagan.data.images import UnreadableImage
from keras_sagan.data.source import Source
from keras_sagan.data.source import converted
from keras_sagan.files import read_json
from keras_sagan.files import replacing
from keras_sagan.files import write_json

_SUMMARY = "prepared.json"
_FORMAT = 1


class PreparedImages(Source):
    """The images that `prepare` wrote, read from disk without a decoder.

    The files are mapped into memory, so that the operating system keeps as
    many of them in memory as fit.

    Args:
        path: Folder that `prepare` wrote.

    Attributes:
        class_names: Tuple of strings, or None.
        native_resolution: Side of the images in pixels, or `(height, width)`.
        channels: Number of channels: 1, 3 or 4.
        skipped: List of `(name, reason)` of the images that could not be used.

    Raises:
        ValueError: If `prepare` did not write the folder, or did not finish.

    Example:

    >>> source = keras_sagan.data.ArrayImages(*keras_sagan.data.load_digits())
    >>> images = keras_sagan.data.prepare(source, "digits")
    >>> len(keras_sagan.data.PreparedImages("digits")), images.native_resolution
    (1797, 16)
    """

    one_size = True
    ready = True

    def __init__(self, path):
        self.path = check_path("path", path)
        summary = read_json(self.path / _SUMMARY)
        if summary is None or not _is_summary(summary):
            raise ValueError(
                "`path` must be a folder that `keras-sagan prepare` finished "
                f"writing: run it again to continue. Received: path={path}"
            )
        height, width = sizes.as_pair(summary["resolution"])
        self.native_resolution = sizes.plain(height, width)
        self.channels = summary.get("channels", 3)
        names = summary["class_names"]
        self.class_names = None if names is None else tuple(names)
        self.skipped = [tuple(pair) for pair in summary["skipped"]]
        self._shards, labels = [], []
        for name, count in summary["shards"]:
            images = _load(self.path / f"{name}.images.npy")
            labels.append(_load(self.path / f"{name}.labels.npy"))
            shape = (count, height, width, self.channels)
            if (
                images.shape != shape
                or images.dtype != np.uint8
                or labels[-1].shape != (count,)
            ):
                raise ValueError(
                    f"`path` must hold the images that {_SUMMARY} lists, "
                    f"{shape} of them in {name}.images.npy. "
                    f"Received: path={path}, with {images.shape}"
                )
            self._shards.append(images)
        self.labels = np.concatenate(labels)
        if self.class_names is not None:
            self._check_labels()
        self._ends = np.cumsum([len(shard) for shard in self._shards])

    def _check_labels(self):
        n, kind = len(self.class_names), self.labels.dtype.kind
        if kind not in "iu" or self.labels.min() < 0 or self.labels.max() >= n:
            raise ValueError(
                f"`path` must hold labels from 0 to {n - 1}, one of the {n} "
                f"classes for each image. Received: path={self.path}, with "
                f"{self.labels.dtype} from {self.labels.min()} to "
                f"{self.labels.max()}"
            )

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        shard = int(np.searchsorted(self._ends, index, side="right"))
        offset = index - self._ends[shard]  # If negative, from the shard's end.
        return self._shards[shard][offset], int(self.labels[index])


def _load(path):
    """Maps the array in a file into memory."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f"{path} must hold an array that `prepare` wrote. Received: {error}"
        ) from error


def _is_summary(summary):
    """Returns whether a JSON object is one that `prepare` writes at its end."""
    names = summary.get("class_names")
    return (
        summary.get("format") == _FORMAT
        and sizes.as_pair(summary.get("resolution")) is not None
        and summary.get("channels", 3) in sizes.CHANNELS
        and (names is None or _are_all(names, str))
        and _are_all(summary.get("skipped"), list)
        and _are_all(summary.get("shards"), list)
        and bool(summary["shards"])
        and all(_is_shard(shard) for shard in summary["shards"])
    )


def _is_shard(shard):
    # The name is a part of a path, so it must be one that `prepare` gives.
    return (
        len(shard) == 2
        and re.fullmatch(r"shard-\d{5,}", str(shard[0])) is not None
        and type(shard[1]) is int
    )


def _are_all(values, kind):
    return isinstance(values, list) and all(type(x) is kind for x in values)


def prepare(
    source, path, resolution=None, shard_size=4096, verbose=None, channels=None
):
    """Decodes and resizes all images of a source once, into a folder.

    Later training reads the folder with `PreparedImages` and needs neither a
    decoder nor TensorFlow. If `prepare` is interrupted, call it again: it
    continues where it stopped, because each part is written whole or not at
    all.

    Args:
        source: A `keras_sagan.data.Source`. An image that raises
            `UnreadableImage` is skipped.
        path: Folder to write. ImageNet at 128 pixels takes 63 GB.
        resolution: Side in pixels, or `(height, width)`, to which the centre
            of each image is cropped and resized. Defaults to the native
            resolution of the source, which all its images must then have.
        shard_size: Positive integer, number of images in a file.
        verbose: Whether to show a progress bar. If `None`, it is shown on a
            terminal.
        channels: 1, 3 or 4, as in `Source.at`. Defaults to those of the source.

    Returns:
        `PreparedImages`.

    Raises:
        ValueError: If `path` holds something else, or no image can be used.

    Example:

    >>> source = keras_sagan.data.open_images("digits")
    >>> images = keras_sagan.data.prepare(source, "digits_32", resolution=32)
    >>> len(images), images[0][0].shape
    (1797, (32, 32, 3))
    """
    if not isinstance(source, Source):
        raise ValueError(
            "`source` must be a keras_sagan.data.Source; "
            f"`data.open_images(name)` opens one. Received: source={source!r}"
        )
    check_integer("shard_size", shard_size, 1)
    if verbose is not None:
        check_bool("verbose", verbose)
    source = converted(source, resolution, channels)
    path = check_path("path", path)
    recipe = _recipe(source, shard_size)
    _check_folder(path, recipe)
    n = len(source)
    if verbose is None:
        verbose = sys.stdout.isatty()
    bar = keras.utils.Progbar(n, unit_name="image", verbose=int(verbose))
    shards, skipped = [], list(source.skipped)
    for number, begin in enumerate(range(0, n, shard_size)):
        end = min(begin + shard_size, n)
        name = f"shard-{number:05d}"
        report = read_json(path / f"{name}.json")
        if report is None:
            report = _write_shard(source, begin, end, path / name, bar)
        skipped += [tuple(pair) for pair in report["skipped"]]
        if report["count"]:
            shards.append([name, report["count"]])
        bar.update(end, finalize=end == n)
    if not shards:
        raise ValueError(
            "`source` must hold at least one image that can be used. "
            f"Received: {n} that cannot, the first {skipped[0]}"
        )
    names = source.class_names
    write_json(
        path / _SUMMARY,
        {
            "format": _FORMAT,
            "resolution": recipe["resolution"],
            "channels": source.channels,
            "class_names": None if names is None else list(names),
            "shards": shards,
            "skipped": skipped,
        },
    )
    return PreparedImages(path)


def _recipe(source, shard_size):
    """Returns what the parts depend on; it must not change between runs."""
    digest = hashlib.sha256()
    for name in source.names:
        digest.update(os.fsencode(name) + b"\0")
    size = source.native_resolution
    # RGB is not recorded, so that folders of version 0.1 still match.
    channels = {} if source.channels == 3 else {"channels": source.channels}
    return {
        "images": len(source),
        "resolution": list(size) if isinstance(size, tuple) else size,
        **channels,
        "shard_size": shard_size,
        "names": digest.hexdigest(),
    }


def _check_folder(path, recipe):
    path.mkdir(parents=True, exist_ok=True)
    before = read_json(path / "recipe.json")
    if before is None:
        if any(not p.name.startswith(".") for p in path.iterdir()):
            raise ValueError(
                "`path` must be a new or empty folder, or one that "
                f"`prepare` began. Received: path={path}, with other files"
            )
        write_json(path / "recipe.json", recipe)
    elif before != recipe:
        raise ValueError(
            "`path` holds the preparation of other images, or of another "
            f"resolution or channels, {before}: choose another folder, or "
            f"delete it. Received: path={path} for {recipe}"
        )


def _write_shard(source, begin, end, path, bar):
    images, labels, skipped = [], [], []
    names = source.names
    for index, item in source.read(begin, end):
        if isinstance(item, UnreadableImage):
            skipped.append((names[index], str(item)))
        else:
            images.append(item[0])
            labels.append(item[1])
        bar.update(index + 1, finalize=False)
    if images:
        with replacing(path.with_name(f"{path.name}.images.npy")) as file:
            np.save(file, np.stack(images))
        with replacing(path.with_name(f"{path.name}.labels.npy")) as file:
            np.save(file, np.asarray(labels, "int32"))
    report = {"count": len(images), "skipped": skipped}
    # The report is written last: a shard that has one is whole.
    write_json(path.with_name(f"{path.name}.json"), report)
    return report
