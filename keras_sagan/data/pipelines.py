"""Datasets for `fit`."""

import numbers

from keras_sagan.arguments import check_integer
from keras_sagan.data.arrays import ArrayImages
from keras_sagan.data.folder import ImageFolder
from keras_sagan.data.source import Source
from keras_sagan.data.source import converted
from keras_sagan.data.tfds import TfdsImages


def from_source(
    source,
    batch_size=64,
    seed=0,
    start_step=0,
    steps_per_epoch=None,
    augment=None,
    workers=2,
    shard=(0, 1),
    resolution=None,
    channels=None,
):
    """Makes a dataset for `fit` from a source of images.

    Args:
        source: A `keras_sagan.data.Source`, such as `ImageFolder`,
            `PreparedImages`, `ArrayImages`, `TfdsImages` or your own.
        batch_size: Positive integer, at most the number of images.
        seed: Non-negative integer that decides the order.
        start_step: Non-negative integer, number of steps already trained. To
            resume a run, pass `model.count_steps()`.
        steps_per_epoch: Positive integer, number of batches in an epoch of
            `fit`. Defaults to the number of whole batches in one pass over the
            images.
        augment: Function that takes uint8 images and the step and returns uint8
            images, such as `keras_sagan.data.augmentation("keras")`; or None.
        workers: Non-negative integer, number of threads that prepare batches
            ahead of the training.
        shard: Pair `(i, n)`: the i-th of n equal parts of each batch, for the
            i-th of n processes.
        resolution: Side in pixels, or `(height, width)`, to which the centre
            of each image is cropped and resized. Defaults to the native
            resolution of the source, which all its images must then have.
        channels: 1, 3 or 4, as in `Source.at`. Defaults to those of the source.

    Returns:
        A `keras.utils.PyDataset` of batches `(images, labels)`, uint8 and
        int32, or of only images; for `TfdsImages`, an endless
        `tf.data.Dataset`.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> source = keras_sagan.data.ArrayImages(*keras_sagan.data.load_digits())
    >>> dataset = keras_sagan.data.from_source(source, batch_size=100)
    >>> images, labels = dataset[0]
    >>> len(dataset), images.shape, labels.shape
    (17, (100, 16, 16, 3), (100,))
    """
    if not isinstance(source, Source):
        raise ValueError(
            "`source` must be a keras_sagan.data.Source; "
            "`data.open_images(name)` opens one. "
            f"Received: source of type {type(source).__name__}"
        )
    source = converted(source, resolution, channels)
    n = len(source)
    check_integer("batch_size", batch_size, 1)
    if batch_size > n:
        raise ValueError(
            f"`batch_size` must be at most {n}, the number of images. "
            f"Received: batch_size={batch_size}"
        )
    check_integer("seed", seed, 0)
    check_integer("start_step", start_step, 0)
    check_integer("workers", workers, 0)
    check_integer("steps_per_epoch", steps_per_epoch, 1, optional=True)
    is_pair = isinstance(shard, (tuple, list)) and len(shard) == 2
    if (
        not is_pair
        or not all(isinstance(x, numbers.Integral) for x in shard)
        or not 0 <= shard[0] < shard[1]
        or batch_size % shard[1]
    ):
        raise ValueError(
            "`shard` must be (i, n), i in [0, n), for n that divides the batch "
            f"of {batch_size}. Received: shard={shard}"
        )
    return source.batches(
        batch_size,
        seed=seed,
        start_step=start_step,
        steps_per_epoch=steps_per_epoch,
        augment=augment,
        workers=workers,
        shard=shard,
    )


def from_arrays(images, labels=None, batch_size=64, class_names=None, **kwargs):
    """Makes a dataset for `fit` from arrays in memory.

    Args:
        images: `(N, height, width)` or `(N, height, width, channels)`, uint8,
            or floats in [-1, 1]; see `ArrayImages`.
        labels: Integers `(N,)`, or None.
        batch_size: Positive integer, at most N.
        class_names: Strings, one for each class. Defaults to their numbers.
        **kwargs: `seed`, `start_step`, `steps_per_epoch`, `augment`,
            `workers`, `shard`, `resolution` and `channels`, as in
            `from_source`.

    Returns:
        A `keras.utils.PyDataset` of batches `(images, labels)`, in the dtype
        of the images and int32, or of only images.

    Raises:
        ValueError: If an argument is out of range or the arrays do not fit.

    Example:

    >>> images, labels = keras_sagan.data.load_digits()
    >>> dataset = keras_sagan.data.from_arrays(images, labels)
    >>> len(dataset), dataset[0][0].shape
    (28, (64, 16, 16, 3))
    """
    source = ArrayImages(images, labels, class_names)
    return from_source(source, batch_size, **{"workers": 0, **kwargs})


def from_folder(path, resolution, batch_size=64, **kwargs):
    """Makes a dataset for `fit` from a folder of images, decoding as it goes.

    If each image is read many times, it is faster to call `prepare` once and
    to train on the `PreparedImages` that it returns.

    Args:
        path: Folder, with a subfolder of images for each class, or only images;
            see `ImageFolder`.
        resolution: Side in pixels, or `(height, width)`, to which the centre
            is cropped and resized.
        batch_size: Positive integer, at most the number of images.
        **kwargs: `seed`, `start_step`, `steps_per_epoch`, `augment`,
            `workers`, `shard` and `channels`, as in `from_source`; `channels`
            defaults to 3.

    Returns:
        A `keras.utils.PyDataset` of batches `(images, labels)`, uint8 and
        int32, or of only images.

    Raises:
        ValueError: If an argument is out of range or there are no images.

    Example:

    >>> import pathlib
    >>> from PIL import Image
    >>> for name in ("cats/tom.png", "dogs/rex.png"):
    ...     path = pathlib.Path("pets", name)
    ...     path.parent.mkdir(parents=True)
    ...     Image.new("RGB", (40, 30)).save(path)
    >>> dataset = keras_sagan.data.from_folder("pets", 16, batch_size=2)
    >>> images, labels = dataset[0]
    >>> images.shape, sorted(labels.tolist())
    ((2, 16, 16, 3), [0, 1])
    """
    return from_source(
        ImageFolder(path), batch_size, resolution=resolution, **kwargs
    )


def from_tfds(name, resolution, batch_size=64, split="train", **kwargs):
    """Makes a dataset for `fit` from a data set of tensorflow-datasets.

    The result is an endless `tf.data.Dataset`, which `fit` takes on every
    backend; give `fit` the argument `steps_per_epoch`. Each pass takes the
    images in a new order, through a shuffle buffer of 16,384 encoded images,
    and a batch may span two passes. To continue from a step, it reads up to one
    pass without decoding it; for long runs, call `prepare` once instead.

    Args:
        name: Name of the data set, such as `"cifar10"`, `"imagenette"` or
            `"imagenet2012"`, whose two archives must lie where
            tensorflow-datasets asks for them.
        resolution: Side in pixels to which the centre square is resized. The
            result equals that of Pillow's bilinear filter to within 1/255.
        batch_size: Positive integer, at most the number of images.
        split: Split of the data set.
        **kwargs: `data_dir`, as in `open_images`; `seed`, `start_step`,
            `augment` and `shard`, as in `from_source`.

    Returns:
        A `tf.data.Dataset` of `(images, labels)`, uint8 and int32.

    Raises:
        ImportError: If tensorflow-datasets or TensorFlow is missing.
        ValueError: If an argument does not fit the data set.

    Example:

    >>> dataset = keras_sagan.data.from_tfds("cifar10", 32)  # doctest: +SKIP
    >>> images, labels = next(iter(dataset))  # doctest: +SKIP
    >>> tuple(images.shape), tuple(labels.shape)  # doctest: +SKIP
    ((64, 32, 32, 3), (64,))
    """
    data_dir = kwargs.pop("data_dir", None)
    source = TfdsImages(name, split, data_dir)
    return from_source(source, batch_size, resolution=resolution, **kwargs)
