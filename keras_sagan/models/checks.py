"""Checks of what users give to `SAGAN`, each with a message that helps."""

import warnings

import keras
import numpy as np
from keras import ops


def check_positive_integer(name, value):
    if not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(
            f"`{name}` must be a positive integer. Received: {name}={value}"
        )


def check_count(name, value, n):
    """Raises a ValueError if a count is given that is not `n`."""
    if value not in (None, n):
        raise ValueError(
            f"`{name}` must be {n}, as many as there are class weights. "
            f"Received: {name}={value}"
        )


def check_sagan_arguments(
    discriminator_steps,
    gradient_accumulation_steps,
    ema_momentum,
    ema_start_step,
):
    check_positive_integer("discriminator_steps", discriminator_steps)
    check_positive_integer(
        "gradient_accumulation_steps", gradient_accumulation_steps
    )
    if not 0 <= ema_momentum < 1:
        raise ValueError(
            "`ema_momentum` must be in [0, 1). "
            f"Received: ema_momentum={ema_momentum}"
        )
    if not isinstance(ema_start_step, int) or ema_start_step < 0:
        raise ValueError(
            "`ema_start_step` must be a non-negative integer. "
            f"Received: ema_start_step={ema_start_step}"
        )


def first_batch(x, y, batch_size):
    """Returns the first images and labels of what `fit` is given, and `x`.

    A generator gives its batch away only once: the `x` returned still has it.
    """
    if isinstance(x, (list, tuple)):
        raise ValueError(
            "`x` must be images, as an array, or a dataset; labels are given "
            "as `y`: `fit(images, labels)`. Received: x of type "
            f"{type(x).__name__}"
        )
    if y is not None or hasattr(x, "shape"):
        n = batch_size or 32  # As in Keras.
        labels = None if y is None else np.asarray(y[:n])
        return np.asarray(x[:n]), labels, x
    if isinstance(x, keras.utils.PyDataset):
        batch = x[0]
    elif hasattr(x, "take"):  # A tf.data.Dataset, which must stay one.
        batch = next(iter(x.take(1)))
    elif hasattr(x, "__next__"):
        batch = next(x)
        x = _with_first(batch, x)
    else:
        batch = next(iter(x))
    images, labels, _ = keras.utils.unpack_x_y_sample_weight(batch)
    images = ops.convert_to_numpy(images)
    labels = None if labels is None else ops.convert_to_numpy(labels)
    return images, labels, x


def _with_first(batch, rest):
    # A generator, not `itertools.chain`: Keras knows the type.
    yield batch
    yield from rest


def check_images(images, image_shape):
    """Checks the first images that `fit` is given, `(batch, H, W, C)`."""
    received = f"Received: images of shape {images.shape}, {images.dtype}"
    if images.shape[1:] != tuple(image_shape):
        shape = ", ".join(map(str, image_shape))
        gray = image_shape[-1] == 3 and images.shape[3:] in ((), (1,))
        hint = "; repeat the channel of gray ones three times" if gray else ""
        raise ValueError(
            f"Images must have the shape (batch, {shape}), which the networks "
            "were built for: resize them, or build networks of their "
            f"size{hint}. {received}"
        )
    if images.dtype == np.uint8:
        return
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(
            "Images must be floats in [-1, 1], or uint8: for pixels from 0 to "
            f"255, `images.astype('uint8')`. {received}"
        )
    if not np.all(np.isfinite(images)):
        raise ValueError(
            "Images must be finite: look for what made NaN or infinity in "
            f"the preparation of the data. {received}, with "
            f"{np.size(images) - np.sum(np.isfinite(images))} such values"
        )
    low, high = float(images.min()), float(images.max())
    if low < -1.001 or high > 1.001:
        raise ValueError(
            "Images must be in [-1, 1]: for pixels from 0 to 255, "
            "`images / 127.5 - 1`. "
            f"{received}, from {low:.4g} to {high:.4g}"
        )
    if low >= 0 and high > 0:
        warnings.warn(
            "Images in [-1, 1] are expected, and these have no dark half: for "
            f"images in [0, 1], `2 * images - 1`. {received}, from {low:.4g} "
            f"to {high:.4g}",
            stacklevel=3,
        )


def check_labels(labels, num_classes, num_images):
    if num_classes is None:
        if labels is not None:
            raise ValueError(
                "This SAGAN has no classes: give images alone, or build the "
                "networks with `num_classes`. Received: labels of shape "
                f"{np.shape(labels)}"
            )
        return
    if labels is None:
        raise ValueError(
            f"This SAGAN has {num_classes} classes: call `fit(images, "
            "labels)`, or give a dataset of such pairs, or make a SAGAN of "
            "networks without labels. Received: images alone"
        )
    labels = np.asarray(labels)
    if not np.issubdtype(labels.dtype, np.integer) or labels.shape != (
        num_images,
    ):
        raise ValueError(
            f"Labels must be integers of shape ({num_images},), one for each "
            "image: for one-hot ones, `labels.argmax(-1)`. Received: labels "
            f"of shape {labels.shape} and dtype {labels.dtype}"
        )
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            f"Labels must be in [0, {num_classes}), as the networks were "
            "built. Received: labels from "
            f"{labels.min()} to {labels.max()}"
        )


def check_batch_size(batch_size, parts, devices=1):
    if batch_size is not None and batch_size % (parts * devices):
        several = f" on each of {devices} devices" if devices > 1 else ""
        raise ValueError(
            "The batch must divide into `discriminator_steps * "
            f"gradient_accumulation_steps` = {parts} equal parts{several}. "
            f"Received: a batch of {batch_size} images"
        )


def check_precision(precision):
    if precision not in (None, "float32", "mixed_bfloat16"):
        raise ValueError(
            "`precision` must be 'float32', 'mixed_bfloat16' or None. float16 "
            "would need two scaled losses. "
            f"Received: precision={precision!r}"
        )
