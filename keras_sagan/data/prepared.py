"""Images decoded and resized once, for all later training."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import sys

import keras
import numpy as np

from keras_sagan.data.images import UnreadableImage
from keras_sagan.files import replacing
from keras_sagan.files import write_json

_SUMMARY = "prepared.json"
_FORMAT = 1


class PreparedImages:
    """What `prepare` wrote: read from disk as it is, without a decoder.

    The files are mapped into memory, not loaded: the system keeps what fits.

    Args:
        path: Folder that `prepare` wrote.

    Attributes:
        class_names: Tuple of strings, or None.
        resolution: Side of the images in pixels.
        skipped: List of `(name, reason)`, what could not be used.

    Raises:
        ValueError: If the folder does not hold a whole preparation.

    Example:
    >>> source = keras_sagan.data.ArrayImages(*keras_sagan.data.load_digits())
    >>> images = keras_sagan.data.prepare(source, "digits")
    >>> len(keras_sagan.data.PreparedImages("digits")), images.resolution
    (1797, 16)
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        summary = _read_json(self.path / _SUMMARY)
        if summary is None or summary.get("format") != _FORMAT:
            raise ValueError(
                "`path` must be a folder that `keras-sagan prepare` finished "
                f"writing: run it again, it goes on. Received: path={path}"
            )
        self.resolution = summary["resolution"]
        names = summary["class_names"]
        self.class_names = None if names is None else tuple(names)
        self.skipped = [tuple(pair) for pair in summary["skipped"]]
        self._shards, labels = [], []
        for name, count in summary["shards"]:
            images = np.load(self.path / f"{name}.images.npy", mmap_mode="r")
            labels.append(np.load(self.path / f"{name}.labels.npy"))
            shape = (count, self.resolution, self.resolution, 3)
            if images.shape != shape or labels[-1].shape != (count,):
                raise ValueError(
                    f"`path` must hold the images that {_SUMMARY} lists, "
                    f"{shape} of them in {name}.images.npy. "
                    f"Received: path={path}, with {images.shape}"
                )
            self._shards.append(images)
        self.labels = np.concatenate(labels)
        self._ends = np.cumsum([len(shard) for shard in self._shards])

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        shard = int(np.searchsorted(self._ends, index, side="right"))
        offset = index - self._ends[shard]  # Negative: from the shard's end.
        return self._shards[shard][offset], int(self.labels[index])


def prepare(source, path, shard_size=4096, verbose=None):
    """Decodes and resizes all images of a source once, into a folder.

    Later training reads the folder with `PreparedImages`, needs no decoder
    and no TensorFlow, and never waits. Interrupted, it goes on where it was
    when called again: a part is written whole or not at all.

    Args:
        source: `ImageFolder`, `TfdsImages`, or anything with `len`, items
            `(uint8 image, label)` of one size, and `class_names`; an item may
            raise `UnreadableImage`, and is then skipped.
        path: Folder to write. An ImageNet at 128 pixels takes 63 GB.
        shard_size: Positive integer, images in a file.
        verbose: Whether to show a progress bar. None: on a terminal.

    Returns:
        `PreparedImages`.

    Raises:
        ValueError: If `path` holds something else, or nothing can be used.
    """
    if isinstance(source, (str, pathlib.Path)):
        raise ValueError(
            "`source` must be a source of images: `data.open_images(name, "
            f"resolution)` opens one. Received: source={source!r}"
        )
    path = pathlib.Path(path)
    recipe = _recipe(source, shard_size)
    _check_folder(path, recipe)
    n = len(source)
    if verbose is None:
        verbose = sys.stdout.isatty()
    bar = keras.utils.Progbar(n, unit_name="image", verbose=int(verbose))
    shards, skipped = [], list(getattr(source, "skipped", ()))
    for number, begin in enumerate(range(0, n, shard_size)):
        end = min(begin + shard_size, n)
        name = f"shard-{number:05d}"
        report = _read_json(path / f"{name}.json")
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
    names = getattr(source, "class_names", None)
    write_json(
        path / _SUMMARY,
        {
            "format": _FORMAT,
            "resolution": recipe["resolution"],
            "class_names": None if names is None else list(names),
            "shards": shards,
            "skipped": skipped,
        },
    )
    return PreparedImages(path)


def _recipe(source, shard_size):
    """What the parts depend on; another recipe must not go on with them."""
    digest = hashlib.sha256()
    for name in getattr(source, "names", ()):
        digest.update(name.encode() + b"\0")
    resolution = getattr(source, "resolution", None)
    return {
        "images": len(source),
        "resolution": resolution or int(source[0][0].shape[0]),
        "shard_size": shard_size,
        "names": digest.hexdigest(),
    }


def _check_folder(path, recipe):
    path.mkdir(parents=True, exist_ok=True)
    before = _read_json(path / "recipe.json")
    if before is None:
        if any(not p.name.startswith(".") for p in path.iterdir()):
            raise ValueError(
                "`path` must be a new or empty folder, or one that "
                f"`prepare` began. Received: path={path}, with other files"
            )
        write_json(path / "recipe.json", recipe)
    elif before != recipe:
        raise ValueError(
            "`path` holds the preparation of other images or of another "
            f"resolution, {before}: choose another folder, or delete it. "
            f"Received: path={path} for {recipe}"
        )


def _write_shard(source, begin, end, path, bar):
    images, labels, skipped = [], [], []
    for index, item in _items(source, begin, end):
        if isinstance(item, UnreadableImage):
            skipped.append((_name(source, index), str(item)))
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
    # Last: a shard with a report is whole.
    write_json(path.with_name(f"{path.name}.json"), report)
    return report


def _items(source, begin, end):
    """Yields the number and the item, or why there is none, in order."""
    if hasattr(source, "items"):  # One that is read in order.
        yield from source.items(begin, end)
        return

    def read(index):
        try:
            return index, source[index]
        except UnreadableImage as error:
            return index, error

    # Pillow decodes outside of Python's lock.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(read, range(begin, end))


def _name(source, index):
    names = getattr(source, "names", None)
    return f"image {index}" if names is None else names[index]


def _read_json(path):
    return json.loads(path.read_text()) if path.exists() else None
