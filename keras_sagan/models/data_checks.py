"""Checks of the images and labels that `SAGAN` gets.

Whole arrays are checked before anything runs. For a dataset, the first batch
is checked before anything runs, and the labels of each later batch when it is
read.
"""

import functools
import warnings

import keras
import numpy as np
from keras import ops

from keras_sagan.models.checked_datasets import peek
from keras_sagan.sizes import CHANNELS

# Number of images that are checked at a time.
_CHUNK = 1024


def checked(model, x, y=None, batch_size=None):
    """Checks the data of `fit` or `evaluate`.

    Args:
        model: The `SAGAN`.
        x: Images, or a dataset.
        y: Labels, or None.
        batch_size: Number of images per batch, for arrays. If `None`,
            defaults to 32, as in Keras.

    Returns:
        A pair: `x`, or a dataset that yields the same batches and checks their
        labels; and the number of images in the first batch.

    Raises:
        ValueError: If the images and labels do not fit the networks.
    """
    if isinstance(x, (list, tuple)):
        raise ValueError(
            "`x` must be images, as an array, or a dataset; labels are given "
            "as `y`: `fit(images, labels)`. Received: x of type "
            f"{type(x).__name__}"
        )
    if not hasattr(x, "__iter__") and not hasattr(x, "__getitem__"):
        raise ValueError(
            f"`x` must be images or a dataset. Received: x={x!r:.80}"
        )
    if y is not None and not hasattr(x, "shape"):
        raise ValueError(
            "`x` must be an array of images if `y` is given; a dataset "
            f"yields the labels itself. Received: x of type {type(x).__name__}"
        )
    if y is not None or hasattr(x, "shape"):
        x = with_channel_axis(x, model.image_shape)
        check_arrays(model, x, y)
        return x, min(len(x), batch_size or 32)
    check = functools.partial(_check_labels_of_batch, model)
    x, batch = peek(x, check, model.num_classes)
    images, labels = unpack_batch(batch)
    images = ops.convert_to_numpy(images)
    check_shape(images, model.image_shape)
    check_values(images)
    _check_labels(model, labels, len(images))
    return x, len(images)


def with_channel_axis(images, image_shape):
    """Adds an axis for the channel to gray images without one."""
    if (*images.shape[1:], 1) == image_shape:
        return images[..., None]
    return images


def check_arrays(model, images, labels):
    """Checks whole arrays of images and labels."""
    check_shape(images, model.image_shape)
    if len(images) == 0:
        raise ValueError("`x` must hold images. Received: none")
    for begin in range(0, len(images), _CHUNK):
        chunk = images[begin : begin + _CHUNK]
        # A warning about one chunk of many would be wrong.
        is_whole = len(images) <= _CHUNK
        check_values(ops.convert_to_numpy(chunk), may_warn=is_whole)
    _check_labels(model, labels, len(images))


def unpack_batch(batch):
    """Returns the images and labels of a batch from a dataset.

    Raises:
        ValueError: If there are sample weights, too; a GAN does not use them.
    """
    images, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
    if weights is not None:
        raise ValueError(
            "A batch must be images, or (images, labels): `sample_weight` has "
            "no meaning for a GAN. Received: a tuple of "
            f"{len(batch)} entries"
        )
    return images, labels


def check_no_weights(arguments):
    """Raises a `ValueError` if Keras' arguments for weights are given."""
    for name in ("sample_weight", "class_weight"):
        if arguments.get(name) is not None:
            raise ValueError(
                f"`{name}` must be None: in a GAN, all images have the same "
                f"weight. Received: {name} of type "
                f"{type(arguments[name]).__name__}"
            )


def check_shape(images, image_shape):
    """Checks the shape and dtype of images `(batch, H, W, C)`."""
    shape, dtype = tuple(images.shape), str(images.dtype).split(".")[-1]
    received = f"Received: images of shape {shape}, {dtype}"
    if shape[1:] != tuple(image_shape):
        wanted = ", ".join(map(str, image_shape))
        raise ValueError(
            f"Images must have the shape (batch, {wanted}), which the networks "
            f"were built for: {_hint(shape[1:], tuple(image_shape))}. "
            f"{received}"
        )
    if dtype != "uint8" and "float" not in dtype:
        raise ValueError(
            "Images must be floats in [-1, 1], or uint8: for pixels from 0 to "
            f"255, use `images.astype('uint8')`. {received}"
        )


def _hint(shape, wanted):
    """Returns advice on how to get images of the required shape."""
    if shape[:2] != wanted[:2]:
        return "resize them, or build networks of their size"
    channels = 1 if len(shape) == 2 else shape[-1]
    if channels == wanted[-1]:
        return "for gray images, use `images[..., None]`"
    advice = "convert their channels"
    if channels == 1 and wanted[-1] == 3:
        advice = "repeat the channel of gray images three times"
    if channels in CHANNELS:
        advice += f", or build networks with channels={channels}"
    return advice


def check_values(images, may_warn=True):
    """Checks that images are finite and in [-1, 1], or uint8."""
    received = f"Received: images of shape {images.shape}, {images.dtype}"
    if images.dtype == np.uint8:
        return
    if not np.all(np.isfinite(images)):
        raise ValueError(
            "Images must be finite: check the preparation of the data for NaN "
            f"and infinity. {received}, with "
            f"{np.size(images) - np.sum(np.isfinite(images))} such values"
        )
    low, high = float(images.min()), float(images.max())
    if low < -1.001 or high > 1.001:
        raise ValueError(
            "Images must be in [-1, 1]: for pixels from 0 to 255, "
            "use `images / 127.5 - 1`. "
            f"{received}, from {low:.4g} to {high:.4g}"
        )
    if may_warn and low >= 0 and high > 0:
        warnings.warn(
            "Images should be in [-1, 1], but these have no negative values: "
            f"for images in [0, 1], use `2 * images - 1`. {received}, from "
            f"{low:.4g} to {high:.4g}",
            stacklevel=3,
        )


def check_labels(labels, num_classes, num_images):
    """Checks labels against the classes of the networks."""
    if num_classes is None:
        if labels is not None:
            raise ValueError(
                "This SAGAN has no classes: give only images, or build the "
                "networks with `num_classes`. Received: labels of shape "
                f"{np.shape(labels)}"
            )
        return
    if labels is None:
        raise ValueError(
            f"This SAGAN has {num_classes} classes: call `fit(images, "
            "labels)`, or give a dataset of such pairs, or make a SAGAN of "
            "networks without labels. Received: only images"
        )
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu" or labels.shape != (num_images,):
        advice = _advice(labels, num_images, num_classes)
        raise ValueError(
            f"Labels must be integers of shape ({num_images},), one for each "
            f"image{advice}. Received: labels of shape {labels.shape} and "
            f"dtype {labels.dtype}"
        )
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            f"Labels must be in [0, {num_classes}), the classes of the "
            "networks. Received: labels from "
            f"{labels.min()} to {labels.max()}"
        )


def _check_labels(model, labels, num_images):
    if labels is not None:
        labels = ops.convert_to_numpy(labels)
    check_labels(labels, model.num_classes, num_images)


def _advice(labels, num_images, num_classes):
    """Returns advice on how to convert the labels, or an empty string."""
    if labels.dtype.kind not in "iufb" or labels.shape[:1] != (num_images,):
        return ""
    if labels.shape == (num_images, num_classes) and num_classes > 1:
        rows = labels.sum(axis=1)
        if np.all((labels == 0) | (labels == 1)) and np.all(rows == 1):
            return ": these are one-hot, so take `labels.argmax(-1)`"
        return ""
    if labels.size == num_images:
        flat = "" if labels.ndim == 1 else ".reshape(-1)"
        cast = "" if labels.dtype.kind in "iu" else ".astype('int32')"
        if np.all(labels == np.rint(labels)):
            return f": take `labels{flat}{cast}`"
    return ""


def _check_labels_of_batch(model, batch):
    images, labels = unpack_batch(batch)
    if labels is None or model.num_classes is None:
        return  # The first batch was checked, and the others are like it.
    _check_labels(model, labels, images.shape[0])
