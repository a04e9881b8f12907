"""A folder of images as a source."""

import concurrent.futures
import os
import pathlib

import numpy as np

from keras_sagan.data.images import UnreadableImage
from keras_sagan.data.images import read_image
from keras_sagan.data.images import read_size
from keras_sagan.data.source import Source


class ImageFolder(Source):
    """The images in a folder, with a subfolder for each class.

    The headers of all files are read at the start. A file that is not an
    image is left out and listed in `skipped`. A file that later turns out to
    be damaged or missing raises `UnreadableImage` when it is read. Hidden
    files are ignored.

    Args:
        path: Folder. If it has subfolders, each subfolder with images is a
            class, in the order of their names. If not, the images in the
            folder itself are used, without classes.

    Attributes:
        class_names: Tuple of strings, or None.
        native_resolution: Median of the images' shorter sides in pixels.
        skipped: List of `(file name, reason)`.

    Raises:
        ValueError: If there are no images, or only one class.

    Example:
    >>> from PIL import Image
    >>> for name in ("cats/tom.png", "dogs/rex.png"):
    ...     path = pathlib.Path("pets", name)
    ...     path.parent.mkdir(parents=True)
    ...     Image.new("RGB", (40, 30)).save(path)
    >>> pets = keras_sagan.data.ImageFolder("pets")
    >>> image, label = pets[1]
    >>> len(pets), image.shape, pets.class_names[label]
    (2, (30, 40, 3), 'dogs')
    >>> pets.at(16)[1][0].shape
    (16, 16, 3)
    """

    names = ()  # Set by `_set_classes`.

    def __init__(self, path):
        self.path = pathlib.Path(path)
        if not self.path.is_dir():
            raise ValueError(f"`path` must be a folder. Received: path={path}")
        files = list(_files(self.path))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            found = list(pool.map(self._examine, files))
        self.skipped = [(f, x) for f, x in zip(files, found) if type(x) is str]
        files, found = (
            [pair[k] for pair in zip(files, found) if type(pair[1]) is int]
            for k in range(2)
        )
        if not files:
            raise ValueError(
                "`path` must hold images, in itself or in a folder for each "
                f"class. Received: path={path}, with {len(self.skipped)} "
                f"other files{_first(self.skipped)}"
            )
        self.native_resolution = int(np.median(found))
        self._set_classes(files)

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        image = read_image(self.path / self.names[index])
        return np.asarray(image), self.labels[index]

    def _examine(self, file):
        """Returns the shorter side in pixels, or why the file is left out."""
        try:
            return min(read_size(self.path / file))
        except UnreadableImage as error:
            return str(error)

    def _set_classes(self, files):
        folders = sorted({f.split("/")[0] for f in files if "/" in f})
        self.class_names = None
        self.names, self.labels = files, [0] * len(files)
        if not folders:
            return
        if len(folders) == 1:
            raise ValueError(
                "`path` must have a folder of images for each of at least two "
                "classes; for images without classes, give the folder that "
                f"they lie in: {self.path / folders[0]}. "
                f"Received: path={self.path}, with the one class {folders[0]}"
            )
        self.class_names = tuple(folders)
        self.names = [f for f in files if "/" in f]
        self.skipped += [
            (f, "beside the folders of the classes")
            for f in files
            if "/" not in f
        ]
        number = {name: i for i, name in enumerate(folders)}
        self.labels = [number[f.split("/")[0]] for f in self.names]


def _files(folder):
    """Yields the files below a folder, in order, as relative POSIX paths."""
    seen = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        if os.path.realpath(root) in seen:  # A link to a folder above it.
            folders.clear()
            continue
        seen.add(os.path.realpath(root))
        # Changed in place, which tells `walk` where to go and in which order.
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                path = pathlib.Path(root, name).relative_to(folder)
                yield path.as_posix()


def _first(skipped):
    return f", the first {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
