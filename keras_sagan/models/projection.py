"""Latents of given images: the method `project` of `SAGAN`."""

import dataclasses
import sys

import keras
import numpy as np

from keras_sagan import backends
from keras_sagan.arguments import check_bool
from keras_sagan.arguments import check_callable
from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_number
from keras_sagan.arguments import check_seed
from keras_sagan.models import data_checks
from keras_sagan.models import sampling
from keras_sagan.models.cloning import clone_network
from keras_sagan.models.cloning import folded
from keras_sagan.models.cloning import in_float32
from keras_sagan.models.cloning import is_graph
from keras_sagan.models.search import EVERY
from keras_sagan.models.search import Search
from keras_sagan.models.search import snapshots_of
from keras_sagan.models.search import start_of


@dataclasses.dataclass(frozen=True)
class Projection:
    """Latents whose images are as near as possible to given images.

    For a projection `p`, `model.generate(latents=p.latents, labels=p.labels,
    class_weights=p.class_weights)` generates the reconstructions again.

    Attributes:
        latents: Floats `(N, latent_dim)`.
        labels: Integers `(N,)` that were given, or None.
        class_weights: Floats `(N, num_classes)` that were found, with rows
            that sum to 1, or None.
        images: uint8 `(N, height, width, channels)`, the reconstructions.
        errors: Floats `(N,)`, the mean squared difference between each
            reconstruction and its target, for pixels in [-1, 1].
        curve: Floats, the mean loss of each ten steps.
        steps: Integers, the steps after which the images of `history` were
            made.
        history: uint8 `(snapshots, N, height, width, channels)`, images during
            the search.
    """

    latents: np.ndarray
    labels: np.ndarray | None
    class_weights: np.ndarray | None
    images: np.ndarray
    errors: np.ndarray
    curve: np.ndarray
    steps: np.ndarray
    history: np.ndarray


def project(
    model,
    images,
    labels=None,
    steps=500,
    loss="pixels",
    learning_rate=0.1,
    prior=1e-3,
    seed=0,
    ema=True,
    batch_size=16,
    verbose=None,
):
    """Finds latents whose images are as near as possible to given images.

    The search starts from the nearest of 256 random images, and follows the
    gradient of the loss with respect to the latents (Adam, with a learning
    rate that falls to 0 as a cosine). If the model has classes and no labels
    are given, the search also finds the weights of the classes, as a softmax
    of logits. The networks are not changed.

    Args:
        model: The `SAGAN`.
        images: uint8, or floats in [-1, 1], `(N, height, width, channels)`, in
            the size of the model.
        labels: Integer, or integers `(N,)`. If `None`, the search finds class
            weights.
        steps: Positive integer, the number of steps, a multiple of 10.
        loss: `"pixels"` for the mean squared difference of pixels in [-1, 1];
            or, for that of features, a function from images `(n, height,
            width, channels)` in [-1, 1] to features `(n, ...)`, such as a
            `keras.Model`.
        learning_rate: Positive float, the learning rate at the start.
        prior: Non-negative float, the weight of the mean square of the
            latents, which keeps them in the range of the training.
        seed: Non-negative integer that decides where the search starts.
        ema: Whether to use the EMA generator.
        batch_size: Positive integer, the number of images that are searched
            for at a time.
        verbose: Whether to show a progress bar. If `None`, it is shown on a
            terminal.

    Returns:
        A `Projection`.

    Raises:
        ValueError: If an argument is out of range, if the images have another
            size, or if class weights are to be found and layers of the
            generator other than `ConditionalBatchNorm` use the labels.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> images = model.generate(labels=[3, 7], seed=5)
    >>> found = model.project(images, labels=[3, 7], steps=10)
    >>> found.latents.shape, found.images.shape
    ((2, 128), (2, 16, 16, 3))

    Reference: Abdal, Qin and Wonka, "Image2StyleGAN", arXiv 1904.03189.
    """
    targets = _checked_images(model, images)
    _check_arguments(steps, loss, learning_rate, prior, ema, batch_size)
    check_seed("seed", seed)
    if verbose is None:
        verbose = sys.stdout.isatty()
    check_bool("verbose", verbose)
    if labels is None and model.num_classes == 1:
        labels = 0  # There is nothing to weigh.
    if labels is not None:
        _, labels = model.draw_inputs(labels, len(targets))
    model.sync_variables()
    generator = model.ema_generator if ema else model.generator
    by_weights = labels is None and model.num_classes is not None
    if by_weights:
        generator = with_class_weights(generator, model.num_classes)
    else:
        # The spectral norms do not change, so they are computed only once.
        generator = clone_network(
            generator, folded if is_graph(generator) else None
        )
    size = min(batch_size, len(targets))
    features = None if loss == "pixels" else loss
    # On one device: the images are few.
    with backends.alone():
        if backends.replicas() > 1:
            raise ValueError(
                "`project` runs on one device: call it in a program that does "
                "not call `distribution.start`. "
                f"Received: {backends.replicas()} devices"
            )
        search = Search(
            in_float32(generator),
            size,
            model.latent_dim,
            model.num_classes if by_weights else None,
            labels is not None,
            features,
            prior,
        )
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
        search.compile(
            keras.optimizers.Adam(rate), "mse", auto_scale_loss=False
        )
        bar = keras.utils.Progbar(
            -(-len(targets) // size) * steps, verbose=int(verbose)
        )
        start = start_of(model, targets, labels, features, ema, seed)
        found = []
        for begin in range(0, len(targets), size):
            rows = slice(begin, begin + size)
            part = [x[rows] for x in start]
            found.append(search.run(targets[rows], part, steps, bar))
    latents, classes, images = (
        np.concatenate(x) for x in zip(*(x[:3] for x in found))
    )
    history = sampling.to_uint8(images.swapaxes(0, 1))
    return Projection(
        latents=latents,
        labels=labels,
        class_weights=classes if by_weights else None,
        images=history[-1],
        errors=np.square(images[:, -1] - targets).mean(axis=(1, 2, 3)),
        curve=np.mean([x[3] for x in found], axis=0),
        steps=snapshots_of(steps),
        history=history,
    )


def with_class_weights(generator, num_classes):
    """Returns a copy that takes weights of the classes in place of labels.

    Args:
        generator: A functional model from latents and labels.
        num_classes: The number of its classes.

    Raises:
        ValueError: If a layer that does not take weights uses the labels.
    """
    try:
        sampling.with_blended_classes(generator, np.eye(num_classes))
    except ValueError as error:
        raise ValueError(
            "`labels` must be given for a generator in which layers other than "
            "`ConditionalBatchNorm`, which takes class weights, use them. "
            f"Received: labels=None for '{generator.name}'"
        ) from error
    latents, _ = generator.inputs
    inputs = [
        keras.Input(latents.shape[1:], name="latents"),
        keras.Input((num_classes,), name="class_weights"),
    ]
    return clone_network(generator, folded, inputs=inputs)


def _checked_images(model, images):
    images = np.asarray(images)
    images = data_checks.with_channel_axis(images, model.image_shape)
    if images.ndim != 4 or not len(images):
        raise ValueError(
            "`images` must have the shape (N, height, width, channels), with N "
            f"of at least 1. Received: images of shape {images.shape}"
        )
    data_checks.check_shape(images, model.image_shape)
    data_checks.check_values(images)
    if images.dtype == np.uint8:
        images = images / 127.5 - 1
    return images.astype(keras.config.floatx())


def _check_arguments(steps, loss, learning_rate, prior, ema, batch_size):
    check_integer("steps", steps, EVERY)
    if steps % EVERY:
        raise ValueError(
            f"`steps` must be a multiple of {EVERY}. Received: steps={steps}"
        )
    if isinstance(loss, str) and loss != "pixels":
        raise ValueError(
            "`loss` must be 'pixels', or a function from images to features. "
            f"Received: loss={loss!r}"
        )
    if loss != "pixels":
        check_callable("loss", loss)
    check_number("learning_rate", learning_rate, 0, low_open=True)
    check_number("prior", prior, 0)
    check_bool("ema", ema)
    check_integer("batch_size", batch_size, 1)
