"""A folder of images as a source."""

import concurrent.futures
import copy
import os

import numpy as np

from keras_sagan import sizes
from keras_sagan.arguments import check_path
from keras_sagan.data.images import UnreadableImage
from keras_sagan.data.images import is_transparent
from keras_sagan.data.images import read_header
from keras_sagan.data.images import read_image
from keras_sagan.data.pixels import as_array
from keras_sagan.data.source import Converted
from keras_sagan.data.source import Source

# Number of images that are decoded to look for transparent pixels.
_DECODED = 64
_SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}


class ImageFolder(Source):
    """The images in a folder, with a subfolder for each class.

    The headers of all files are read at the start. A file that is not an
    image is left out and listed in `skipped`, and so is a class's folder
    without images. A file that later turns out to be damaged raises
    `UnreadableImage` when it is read. Hidden files are ignored.

    Args:
        path: Folder. If it has subfolders, each subfolder with images is a
            class, in the order of their names. If not, the images in the
            folder itself are used, without classes.
        channels: 1, 3 or 4, to read images as gray, RGB or RGBA. If `None`,
            RGBA if at least half of the files have transparent pixels;
            otherwise gray if all files are gray, and RGB if not.

    Attributes:
        class_names: Tuple of strings, or None.
        native_resolution: The size that all images have, or else the median
            of their shorter sides in pixels.
        channels: Number of channels: 1, 3 or 4.
        skipped: List of `(name of a file or folder, reason)`.

    Raises:
        ValueError: If there are no images, only one class, or splits of a
            data set in place of classes.
        OSError: If a file or folder cannot be read. The message names it. It is
            not left out, because the classes might then get other numbers.

    Example:

    >>> import pathlib
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

    def __init__(self, path, channels=3):
        self.path = check_path("path", path)
        sizes.check_channels("channels", channels, optional=True)
        if not self.path.is_dir():
            raise ValueError(f"`path` must be a folder. Received: path={path}")
        files, left_out = _list_files(self.path)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            found = list(pool.map(self._examine, files))
        self.skipped = [(f, x) for f, x in zip(files, found) if type(x) is str]
        self.skipped += left_out
        files, found = (
            [pair[k] for pair in zip(files, found) if type(pair[1]) is tuple]
            for k in range(2)
        )
        if not files:
            raise ValueError(
                "`path` must hold images, in itself or in a folder for each "
                f"class. Received: path={path}, with {len(self.skipped)} "
                f"other files{_first(self.skipped)}"
            )
        self._set_classes(files)
        kept = set(self.names)
        widths, heights, gray, transparency = zip(
            *(x for file, x in zip(files, found) if file in kept)
        )
        self.one_size = len({*zip(heights, widths)}) == 1
        if self.one_size:
            self.native_resolution = sizes.plain(heights[0], widths[0])
        else:
            shorter = np.minimum(heights, widths)
            self.native_resolution = int(np.median(shorter))
        self.channels = channels or self._find_channels(
            self.names, all(gray), transparency
        )
        self.skipped += _empty_classes(self.path, files)

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        image = read_image(self.path / self.names[index], self.channels)
        return as_array(image), self.labels[index]

    def at(self, resolution=None, channels=None):
        sizes.check_channels("channels", channels, optional=True)
        resolution = self.resolve(resolution)
        read = copy.copy(self)  # The copy decodes with these channels.
        read.channels = channels or self.channels
        # Needed even if all have this size: EXIF may turn one of them.
        return Converted(read, resolution, read.channels)

    def _examine(self, file):
        """Returns what the header says, or why the file is left out."""
        try:
            return read_header(self.path / file)
        except UnreadableImage as error:
            return str(error)

    def _find_channels(self, files, gray, transparency):
        """Returns the number of channels that the files need."""
        may_be = [f for f, alpha in zip(files, transparency) if alpha]
        if 2 * len(may_be) >= len(files):
            seen = may_be[:: -(-len(may_be) // _DECODED)]
            with concurrent.futures.ThreadPoolExecutor() as pool:
                found = list(pool.map(self._is_transparent, seen))
            if sum(found) * len(may_be) >= len(found) * len(files) / 2:
                return 4
        return 1 if gray else 3

    def _is_transparent(self, file):
        try:
            return is_transparent(self.path / file)
        except UnreadableImage:
            return False

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
        if {name.lower() for name in folders} <= _SPLITS:
            raise ValueError(
                "`path` must have a folder of images for each class, and not "
                "for each split of a data set: give one of them, such as "
                f"{self.path / folders[0]}. Received: path={self.path}, with "
                f"the folders {', '.join(folders)}"
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


def _list_files(folder):
    """Lists the files below a folder.

    Returns:
        The files as relative POSIX paths, in order, and a list of `(name,
        reason)` of the folders that were not entered. A link is followed once
        in each class, so that circular links come to an end.
    """
    files, left_out, seen = [], [], set()
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        if path.parent == folder:  # Two classes may be links to one folder.
            seen = {folder.resolve()}
        real = path.resolve()
        if real in seen:
            reason = f"a link to {real}, which was read already"
            left_out.append((_name(path, folder), reason))
            continue
        seen.add(real)
        folders = []
        for entry in _entries(path):
            inside = path / entry.name
            if entry.is_dir():
                folders.append(inside)
            else:
                files.append(_name(inside, folder))
        waiting += reversed(folders)
    return files, left_out


def _entries(folder):
    """Returns the entries of a folder in order, without hidden ones."""
    with os.scandir(folder) as entries:
        visible = [x for x in entries if not x.name.startswith(".")]
    return sorted(visible, key=lambda entry: entry.name)


def _empty_classes(folder, files):
    """Yields `(name, reason)` for each folder that holds no images.

    Such folders do not count as classes.
    """
    classes = {f.split("/")[0] for f in files if "/" in f}
    for entry in _entries(folder) if classes else ():
        if entry.is_dir() and entry.name not in classes:
            yield entry.name, "a folder without images"


def _name(path, folder):
    return path.relative_to(folder).as_posix()


def _first(skipped):
    return f", the first {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
