"""Sources of images, and datasets for `fit`."""

from keras_sagan.data.arrays import ArrayImages
from keras_sagan.data.arrays import load_npz
from keras_sagan.data.augmentation import augmentation
from keras_sagan.data.bundled import PHOTOGRAPHS
from keras_sagan.data.bundled import Photographs
from keras_sagan.data.bundled import load_digits
from keras_sagan.data.bundled import load_photographs
from keras_sagan.data.folder import ImageFolder
from keras_sagan.data.gallery import plot_gallery
from keras_sagan.data.images import UnreadableImage
from keras_sagan.data.opening import open_images
from keras_sagan.data.pipelines import from_arrays
from keras_sagan.data.pipelines import from_folder
from keras_sagan.data.pipelines import from_source
from keras_sagan.data.pipelines import from_tfds
from keras_sagan.data.pixels import normalize
from keras_sagan.data.prepared import PreparedImages
from keras_sagan.data.prepared import prepare
from keras_sagan.data.source import Source
from keras_sagan.data.tfds import TfdsImages

__all__ = [
    "PHOTOGRAPHS",
    "ArrayImages",
    "ImageFolder",
    "Photographs",
    "PreparedImages",
    "Source",
    "TfdsImages",
    "UnreadableImage",
    "augmentation",
    "from_arrays",
    "from_folder",
    "from_source",
    "from_tfds",
    "load_digits",
    "load_npz",
    "load_photographs",
    "normalize",
    "open_images",
    "plot_gallery",
    "prepare",
]
