"""Data sets of tensorflow-datasets as sources."""

import copy

import numpy as np

from keras_sagan import sizes
from keras_sagan.data.source import Source
from keras_sagan.sizes import as_pair

# The buffer holds encoded images; one of ImageNet takes 110 kB.
_SHUFFLE_BUFFER = 16_384


class TfdsImages(Source):
    """The images of a classification data set of tensorflow-datasets.

    The images are read from front to back, which is what `prepare` needs;
    `source[i]` skips all images before i. `from_source` and `from_tfds` make
    a `tf.data.Dataset` of it.

    Args:
        name: Name of the data set, such as `"imagenet2012"` or `"cifar10"`.
        split: Split of the data set.
        data_dir: Folder in which data sets are kept. Defaults to that of
            tensorflow-datasets.

    Attributes:
        class_names: Tuple of strings.
        native_resolution: Side in pixels, or `(height, width)`, if all images
            of the data set have one size; else None.
        channels: Number of channels: 1, 3 or 4.

    Raises:
        ImportError: If tensorflow-datasets or TensorFlow is missing, or if
            tensorflow-datasets does not work with the installed protobuf.
        ValueError: If there is no such data set or split, or if its examples
            do not have one image and one label each.

    Example:

    >>> source = keras_sagan.data.TfdsImages("cifar10")  # doctest: +SKIP
    >>> len(source), source.native_resolution  # doctest: +SKIP
    (50000, 32)
    """

    random_access = False

    def __init__(self, name, split="train", data_dir=None):
        tfds = _require_tfds()
        try:
            builder = tfds.builder(name, data_dir=data_dir)
        except tfds.core.DatasetNotFoundError as error:
            raise ValueError(
                "`name` must be that of a data set of tensorflow-datasets. "
                f"Received: name={name!r}"
            ) from error
        features = builder.info.features
        if not {"image", "label"} <= set(features):
            raise ValueError(
                "`name` must be that of a classification data set, with an "
                "`image` and a `label` in each example. Received: "
                f"name={name!r}, with {sorted(features)}"
            )
        self.class_names = tuple(features["label"].names)
        height, width, channels = features["image"].shape
        if channels in sizes.CHANNELS:
            self.channels = channels
        if height is not None and width is not None:
            self.native_resolution = sizes.plain(height, width)
            self.one_size = True
        # For ImageNet, this says which files must be put where by hand.
        builder.download_and_prepare()
        if builder.info.splits and split not in builder.info.splits:
            raise ValueError(
                f"`split` must be one of {sorted(builder.info.splits)}. "
                f"Received: split={split!r}"
            )
        self._encoded = builder.as_dataset(
            split=split,
            decoders={"image": tfds.decode.SkipDecoding()},
            shuffle_files=False,
        ).map(lambda example: (example["image"], example["label"]))
        self._count = int(self._encoded.cardinality())

    def __len__(self):
        return self._count

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"There is no image {index} of {len(self)}")
        return next(self.read(index, index + 1))[1]

    def at(self, resolution=None, channels=None):
        sizes.check_channels("channels", channels, optional=True)
        # TensorFlow resizes while it decodes.
        other = copy.copy(self)
        other.channels = channels or self.channels
        other.native_resolution = self.resolve(resolution)
        other.one_size = True
        return other

    def read(self, begin, end):
        resolution, channels = self.native_resolution, self.channels
        dataset = self._encoded.skip(begin).take(end - begin)
        dataset = dataset.map(
            lambda encoded, label: (
                decode(encoded, resolution, channels),
                label,
            ),
            num_parallel_calls=-1,
        )
        for i, (image, label) in enumerate(dataset.as_numpy_iterator()):
            yield begin + i, (image, int(label))

    def batches(
        self,
        batch_size,
        seed=0,
        start_step=0,
        steps_per_epoch=None,
        augment=None,
        workers=2,
        shard=(0, 1),
    ):
        """Returns an endless `tf.data.Dataset`, as `from_tfds` describes it.

        It chooses the number of threads itself and has no epochs, so `workers`
        and `steps_per_epoch` have no effect.
        """
        return endless_batches(
            self._encoded,
            len(self),
            self.resolve(None),
            self.channels,
            batch_size,
            seed,
            start_step,
            augment,
            shard,
        )


def endless_batches(
    encoded,
    count,
    resolution,
    channels,
    batch_size,
    seed,
    start_step,
    augment,
    shard,
):
    """Returns shuffled batches of decoded images, without an end.

    Args:
        encoded: `tf.data.Dataset` of pairs of an encoded image and a label.
        count: Number of its examples.
        resolution: Side of the decoded images in pixels, or `(height, width)`.
        channels: Number of channels of the decoded images.
        batch_size: As in `from_source`.
        seed: As in `from_source`.
        start_step: As in `from_source`.
        augment: As in `from_source`.
        shard: As in `from_source`.
    """
    import tensorflow

    process, processes = shard
    first, offset = divmod(start_step * batch_size, count)
    passes = tensorflow.data.Dataset.range(first, np.iinfo("int64").max)

    def shuffled(i):
        # This is the seed of the function's graph, which must not be 0.
        tensorflow.random.set_seed(seed + 1)
        return encoded.shuffle(_SHUFFLE_BUFFER, seed=i)

    def decode_batch(number, batch):
        images = tensorflow.map_fn(
            lambda image: decode(image, resolution, channels),
            batch[0],
            fn_output_signature="uint8",
            parallel_iterations=1,
        )
        return number, images, batch[1]

    dataset = passes.flat_map(shuffled)
    # Batches are counted before they are decoded.
    dataset = dataset.skip(offset).batch(batch_size // processes)
    dataset = dataset.enumerate(start_step * processes)
    dataset = dataset.shard(processes, process)
    dataset = dataset.map(
        decode_batch, num_parallel_calls=-1, deterministic=True
    )
    return dataset.map(
        lambda *batch: _finish(*batch, augment, resolution, channels),
        num_parallel_calls=-1,
        deterministic=True,
    ).prefetch(2)


def decode(encoded, resolution=None, channels=3):
    """Decodes, crops and resizes an image, within 1/255 of Pillow.

    It runs in a tf.data graph, so that TensorFlow decodes without Python. With
    `resolution=None` the image keeps its size.
    """
    import tensorflow

    def decode_jpeg():
        # The default method differs from Pillow's decoder by up to 6 of 255.
        image = tensorflow.io.decode_jpeg(
            encoded, channels=min(channels, 3), dct_method="INTEGER_ACCURATE"
        )
        if channels < 4:
            return image
        alpha = tensorflow.fill(tensorflow.shape(image[..., :1]), 255)
        alpha = tensorflow.cast(alpha, "uint8")
        return tensorflow.concat([image, alpha], axis=-1)

    def decode_png():
        # TensorFlow would drop alpha, and show invisible colours.
        image = tensorflow.io.decode_png(encoded, channels=4)
        if channels == 4:  # Without invisible colours, as in `read_image`.
            return image * tensorflow.cast(image[..., 3:] > 0, "uint8")
        image = tensorflow.cast(image, "float32")
        alpha = image[..., 3:] / 255
        image = 255 + alpha * (image[..., :3] - 255)  # On white.
        if channels == 1:
            image = tensorflow.image.rgb_to_grayscale(image)
        return tensorflow.cast(tensorflow.round(image), "uint8")

    is_png = tensorflow.strings.substr(encoded, 0, 4) == b"\x89PNG"
    image = tensorflow.case(
        [
            (tensorflow.io.is_jpeg(encoded), decode_jpeg),
            (is_png, decode_png),
        ],
        lambda: tensorflow.io.decode_image(
            encoded, channels=channels, expand_animations=False
        ),
    )
    if resolution is None:
        return image
    sides = as_pair(resolution)
    height, width = tensorflow.unstack(tensorflow.shape(image)[:2])
    rows = tensorflow.minimum(height, width * sides[0] // sides[1])
    columns = tensorflow.minimum(width, height * sides[1] // sides[0])
    top, left = (height - rows) // 2, (width - columns) // 2
    image = image[top : top + rows, left : left + columns]
    image = tensorflow.cast(image, "float32")
    if channels < 4:
        image = tensorflow.image.resize(image, sides, antialias=True)
    else:  # Invisible colours are not mixed in.
        alpha = image[..., 3:]
        image = tensorflow.concat([image[..., :3] * alpha, alpha], axis=-1)
        image = tensorflow.image.resize(image, sides, antialias=True)
        alpha = image[..., 3:]
        colors = tensorflow.math.divide_no_nan(image[..., :3], alpha)
        colors *= tensorflow.cast(tensorflow.round(alpha) > 0, "float32")
        image = tensorflow.concat([colors, alpha], axis=-1)
    image = tensorflow.clip_by_value(tensorflow.round(image), 0, 255)
    return tensorflow.cast(image, "uint8")


def _finish(number, images, labels, augment, resolution, channels):
    import tensorflow

    if augment is not None:
        images = tensorflow.numpy_function(
            lambda x, n: augment(x, int(n)), [images, number], "uint8"
        )
    images.set_shape((None, *as_pair(resolution), channels))
    return images, tensorflow.cast(labels, "int32")


def _require_tfds():
    try:
        import tensorflow  # noqa: F401  (it reads the files)
        import tensorflow_datasets
    except ImportError as error:
        raise ImportError(
            "Data sets of tensorflow-datasets need it and TensorFlow: "
            "pip install 'keras_sagan[tfds]'. To train without them, run "
            "`keras-sagan prepare` on a machine that has them"
        ) from error
    # Its import only logs the error of a tensorflow-metadata that is too new
    # for the installed protobuf, as on Colab in August 2026.
    if not hasattr(tensorflow_datasets, "builder"):
        raise ImportError(
            "tensorflow-datasets is installed but does not work here. If the "
            "error above is about protobuf: pip install "
            "'tensorflow-metadata==1.17.3', and restart Python"
        )
    return tensorflow_datasets
