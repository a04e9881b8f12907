"""Images of tensorflow-datasets."""

import numpy as np

# Encoded images; one of ImageNet has 110 kB.
_SHUFFLE_BUFFER = 16_384


class TfdsImages:
    """The images of a classification set of tensorflow-datasets, in order.

    For `prepare`, which reads a set once, from front to back; `from_tfds`
    trains from it directly.

    Args:
        name: Name of the set, such as `"imagenet2012"` or `"cifar10"`.
        resolution: Side in pixels to which the centre square is resized.
        split: Its split.
        data_dir: Where sets are kept. None: the default of the package.

    Attributes:
        class_names: Tuple of strings.

    Raises:
        ImportError: If tensorflow-datasets or TensorFlow is missing.
        ValueError: If there is no such set or split, or it has not one image
            and one label an example.
    """

    def __init__(self, name, resolution, split="train", data_dir=None):
        tfds = _require_tfds()
        self.resolution = resolution
        try:
            builder = tfds.builder(name, data_dir=data_dir)
        except tfds.core.DatasetNotFoundError as error:
            raise ValueError(
                "`name` must be that of a set of tensorflow-datasets. "
                f"Received: name={name!r}"
            ) from error
        features = builder.info.features
        if not {"image", "label"} <= set(features):
            raise ValueError(
                "`name` must be that of a classification set, with an `image` "
                "and a `label` in each example. Received: "
                f"name={name!r}, with {sorted(features)}"
            )
        self.class_names = tuple(features["label"].names)
        # For ImageNet it says which files must be put where by hand.
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
        return next(self.items(index, index + 1))[1]

    def items(self, begin, end):
        """Yields `(index, (uint8 image, label))`, in order."""
        dataset = self._encoded.skip(begin).take(end - begin)
        dataset = dataset.map(self._decode, num_parallel_calls=-1)
        for i, (image, label) in enumerate(dataset.as_numpy_iterator()):
            yield begin + i, (image, int(label))

    def to_dataset(self, batch_size, seed, start_step, augment, shard):
        """Returns an endless `tf.data.Dataset`, as `from_tfds` describes it."""
        import tensorflow

        process, processes = shard
        first, offset = divmod(start_step * batch_size, len(self))
        passes = tensorflow.data.Dataset.range(first, np.iinfo("int64").max)

        def shuffled(i):
            # That of this function's graph; a global one of 0 is refused.
            tensorflow.random.set_seed(seed + 1)
            return self._encoded.shuffle(_SHUFFLE_BUFFER, seed=i)

        dataset = passes.flat_map(shuffled)
        # Batches are counted before they are decoded.
        dataset = dataset.skip(offset).batch(batch_size // processes)
        dataset = dataset.enumerate(start_step * processes)
        dataset = dataset.shard(processes, process)
        dataset = dataset.map(
            lambda number, batch: (
                number,
                tensorflow.map_fn(
                    lambda encoded: decode(encoded, self.resolution),
                    batch[0],
                    fn_output_signature="uint8",
                    parallel_iterations=1,
                ),
                batch[1],
            ),
            num_parallel_calls=-1,
            deterministic=True,
        )
        return dataset.map(
            lambda *batch: _finish(*batch, augment, self.resolution),
            num_parallel_calls=-1,
            deterministic=True,
        ).prefetch(2)

    def _decode(self, encoded, label):
        return decode(encoded, self.resolution), label


def decode(encoded, resolution):
    """The pixels of an encoded image, as `fit_square` has them to 1/255.

    A tf.data graph runs it: TensorFlow decodes without Python.
    """
    import tensorflow

    # The decoder's default rounds otherwise than Pillow's, by up to 6 of 255.
    image = tensorflow.cond(
        tensorflow.io.is_jpeg(encoded),
        lambda: tensorflow.io.decode_jpeg(
            encoded, channels=3, dct_method="INTEGER_ACCURATE"
        ),
        lambda: tensorflow.io.decode_image(
            encoded, channels=3, expand_animations=False
        ),
    )
    height, width = tensorflow.unstack(tensorflow.shape(image)[:2])
    side = tensorflow.minimum(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    image = image[top : top + side, left : left + side]
    image = tensorflow.image.resize(
        image, (resolution, resolution), antialias=True
    )
    image = tensorflow.clip_by_value(tensorflow.round(image), 0, 255)
    return tensorflow.cast(image, "uint8")


def _finish(number, images, labels, augment, resolution):
    import tensorflow

    if augment is not None:
        images = tensorflow.numpy_function(
            lambda x, n: augment(x, int(n)), [images, number], "uint8"
        )
    images.set_shape((None, resolution, resolution, 3))
    return images, tensorflow.cast(labels, "int32")


def _require_tfds():
    try:
        import tensorflow  # noqa: F401  (it reads the files)
        import tensorflow_datasets
    except ImportError as error:
        raise ImportError(
            "Sets of tensorflow-datasets are read by it and TensorFlow: "
            "pip install 'keras_sagan[tfds]'. To train without them, run "
            "`keras-sagan prepare` where they are"
        ) from error
    return tensorflow_datasets
