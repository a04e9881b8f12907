"""Opens a source of images by its name."""

import pathlib

from keras_sagan.data.arrays import ArrayImages
from keras_sagan.data.arrays import load_npz
from keras_sagan.data.bundled import Photographs
from keras_sagan.data.bundled import load_digits
from keras_sagan.data.folder import ImageFolder
from keras_sagan.data.prepared import PreparedImages
from keras_sagan.data.tfds import TfdsImages


def open_images(name, split="train", data_dir=None):
    """Opens images by their name.

    Args:
        name: `"photographs"` or `"digits"` for the bundled images;
            `"tfds:NAME"` for a data set of tensorflow-datasets; otherwise a
            path: a folder of images, a folder that `prepare` wrote, or an
            `.npz` file.
        split: Split of the data set, for `"tfds:NAME"`.
        data_dir: Folder in which tensorflow-datasets keeps its data sets.
            Defaults to the one that tensorflow-datasets uses.

    Returns:
        A `keras_sagan.data.Source`. Its images have the size and channels that
        they are stored with; `source.at(resolution, channels)` converts them.

    Raises:
        ValueError: If there are no such images.

    Example:

    >>> source = keras_sagan.data.open_images("digits")
    >>> len(source), source.class_names[7], source.native_resolution
    (1797, '7', 8)
    >>> images, labels = keras_sagan.data.from_source(source, resolution=16)[0]
    >>> images.shape
    (64, 16, 16, 3)
    """
    name = str(name)
    if name == "photographs":
        return Photographs()
    if name == "digits":
        return ArrayImages(*load_digits(8))
    if name.startswith("tfds:"):
        return TfdsImages(name.removeprefix("tfds:"), split, data_dir)
    path = pathlib.Path(name)
    if path.is_dir():
        if (path / "prepared.json").exists():
            return PreparedImages(path)
        return ImageFolder(path, channels=None)
    if path.suffix == ".npz" and path.exists():
        return load_npz(path)
    raise ValueError(
        "The images must be 'photographs', 'digits', 'tfds:NAME', a folder "
        f"or an .npz file. Received: {name}, which is none of these"
    )
