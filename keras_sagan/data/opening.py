"""From what a user writes to a source of images."""

import pathlib

from keras_sagan.data.folder import ImageFolder
from keras_sagan.data.prepared import PreparedImages
from keras_sagan.data.sources import PHOTOGRAPHS
from keras_sagan.data.sources import ArrayImages
from keras_sagan.data.sources import load_digits
from keras_sagan.data.sources import load_npz
from keras_sagan.data.sources import load_photographs
from keras_sagan.data.tfds import TfdsImages


def open_images(name, resolution, split="train", data_dir=None):
    """Opens images by the name of what they are.

    Args:
        name: `"photographs"` or `"digits"`, the bundled ones; `"tfds:NAME"`,
            a set of tensorflow-datasets; else a path: a folder of images, a
            folder that `prepare` wrote, or an `.npz` file.
        resolution: Side of the images in pixels. Folders and sets are resized
            to it; prepared folders and arrays must have it.
        split: Split of the set, for `"tfds:NAME"`.
        data_dir: Where tensorflow-datasets keeps its sets; None: its default.

    Returns:
        A source: `len`, items `(uint8 image, label)`, and `class_names`.

    Raises:
        ValueError: If there is no such thing, or its images have another
            size.

    Example:
    >>> source = keras_sagan.data.open_images("digits", resolution=16)
    >>> len(source), source.class_names[7]
    (1797, '7')
    """
    name = str(name)
    if name == "photographs":
        return ArrayImages(*load_photographs(resolution), PHOTOGRAPHS)
    if name == "digits":
        return ArrayImages(*load_digits(resolution))
    if name.startswith("tfds:"):
        return TfdsImages(
            name.removeprefix("tfds:"), resolution, split, data_dir
        )
    path = pathlib.Path(name)
    if path.is_dir() and not (path / "prepared.json").exists():
        return ImageFolder(path, resolution)
    if path.is_dir():
        source = PreparedImages(path)
    elif path.suffix == ".npz" and path.exists():
        source = load_npz(path)
    else:
        raise ValueError(
            "The images must be 'photographs', 'digits', 'tfds:NAME', a folder "
            f"or an .npz file. Received: {name}, which is none of these"
        )
    if source.resolution != resolution:
        raise ValueError(
            f"The images must have {resolution} pixels a side, as the networks "
            f"have. Received: {name}, of {source.resolution}"
        )
    return source
