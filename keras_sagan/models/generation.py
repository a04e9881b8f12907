"""Generating images: the methods `generate` and `draw_inputs` of `SAGAN`."""

import keras
import numpy as np
from keras import ops

from keras_sagan import backends
from keras_sagan.arguments import check_bool
from keras_sagan.arguments import check_integer
from keras_sagan.layers.nested import layers_with
from keras_sagan.models import checks
from keras_sagan.models import sampling


def generate(
    model,
    labels=None,
    num_images=None,
    seed=None,
    latents=None,
    class_weights=None,
    ema=True,
    truncation=None,
    standing_statistics=None,
    batch_size=64,
    quantize=True,
):
    """Generates images.

    If latents or labels are not given, they are drawn with NumPy. A seed gives
    the same ones on every backend, and the seeds of training do not change.

    Args:
        model: The `SAGAN`.
        labels: Integer, or integers `(N,)`. A single integer is the label of
            all images. If `None`, labels are drawn uniformly. Must be `None`
            for a model without classes.
        num_images: Positive integer, the number of images. If `None`, defaults
            to the length of `labels`, `latents` or `class_weights`, or else
            to 1.
        seed: Non-negative integer, or a tuple of them. If `None`, each call
            gives other images.
        latents: Floats `(N, latent_dim)`. If `None`, they are drawn from
            N(0, I).
        class_weights: Floats `(N, num_classes)`, to be used instead of
            `labels`. Each row sums to 1. Each image blends the
            class-conditional batch norms of the classes with these weights.
            In the generator, only `ConditionalBatchNorm` may use the labels.
        ema: Whether to use the EMA generator.
        truncation: Float t of at least 0.01. Entries of the latents beyond +-t
            are drawn again (BigGAN's truncation trick). If `None`, there is no
            truncation.
        standing_statistics: Positive integer, a number of batches of fresh
            latents and labels. The batch norms of a copy of the generator use
            the mean statistics of these batches. If `None`, the moving
            statistics of the training are used.
        batch_size: Positive integer, the number of images per batch on each
            device of this process.
        quantize: Whether to round to uint8. If `False`, the images are floats
            in [-1, 1].

    Returns:
        A NumPy array `(N, height, width, channels)`, uint8 or float.

    Raises:
        ValueError: If an argument is out of range, or if two arguments do not
            fit together.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> model.generate(labels=[3, 7], seed=0).shape
    (2, 16, 16, 3)
    """
    model.sync_variables()
    if class_weights is not None:
        class_weights = _check_class_weights(
            class_weights, labels, model.num_classes
        )
        checks.check_count("num_images", num_images, len(class_weights))
        num_images = len(class_weights)
    latents, labels = draw_inputs(
        model, labels, num_images, seed, latents, truncation
    )
    check_integer("batch_size", batch_size, 1)
    check_bool("ema", ema)
    check_bool("quantize", quantize)
    generator = model.ema_generator if ema else model.generator
    if standing_statistics is not None:
        check_integer("standing_statistics", standing_statistics, 1)
        generator = sampling.with_standing_statistics(
            generator,
            standing_statistics,
            batch_size,
            model.latent_dim,
            model.num_classes,
        )
    if class_weights is not None:
        generator = sampling.with_blended_classes(generator, class_weights)
        labels = np.arange(len(class_weights), dtype="int32")
    return sampling.generate(generator, latents, labels, batch_size, quantize)


def draw_inputs(
    model,
    labels=None,
    num_images=None,
    seed=None,
    latents=None,
    truncation=None,
):
    """Returns the latents and labels that `generate` makes images from.

    Args:
        model: The `SAGAN`.
        labels: As in `generate`.
        num_images: As in `generate`.
        seed: As in `generate`.
        latents: As in `generate`.
        truncation: As in `generate`.

    Returns:
        `(latents, labels)`, NumPy arrays: floats `(N, latent_dim)`, and int32
        `(N,)`, or None for a model without classes.

    Raises:
        ValueError: If an argument is out of range, or if two arguments do not
            fit together.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> latents, labels = model.draw_inputs(labels=7, num_images=2, seed=0)
    >>> latents.shape, labels.tolist()
    ((2, 128), [7, 7])
    """
    return sampling.prepare_inputs(
        labels,
        num_images,
        seed,
        latents,
        truncation,
        model.latent_dim,
        model.num_classes,
    )


def largest_sigma(model):
    """Returns the largest spectral norm of a kernel of both networks.

    Returns:
        A float, computed with the stored `u` and `v`, or None without spectral
        normalization.
    """
    model.sync_variables()
    networks = model.generator, model.discriminator
    layers = [layer for x in networks for layer in layers_with(x, "sigma()")]
    if not layers:
        return None
    if model.compute_largest_sigma is None:
        model.compute_largest_sigma = backends.compiled(
            lambda: ops.max(ops.stack([layer.sigma() for layer in layers])),
            [v for x in networks for v in x.variables],
        )
    (value,) = backends.to_host([model.compute_largest_sigma()])
    return float(value)


def _check_class_weights(class_weights, labels, num_classes):
    weights = sampling.as_array("class_weights", class_weights)
    if labels is not None:
        raise ValueError(
            "`labels` must be None if `class_weights` is given. "
            f"Received: labels={labels} and class_weights"
        )
    if num_classes is None:
        raise ValueError(
            "`class_weights` must be None: this SAGAN has no classes. "
            f"Received: class_weights of shape {weights.shape}"
        )
    if (
        weights.ndim != 2
        or weights.shape[1] != num_classes
        or not np.issubdtype(weights.dtype, np.floating)
        or not np.allclose(weights.sum(1), 1)
    ):
        raise ValueError(
            f"`class_weights` must be floats of shape (N, {num_classes}), with "
            "rows that sum to 1. Received: class_weights of shape "
            f"{weights.shape} and dtype {weights.dtype}"
        )
    return weights.astype(keras.config.floatx())
