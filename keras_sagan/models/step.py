"""The inputs of a training step: examples and random numbers."""

import typing

import keras
from keras import ops

from keras_sagan import backends
from keras_sagan.models import checks
from keras_sagan.models import data_checks


class Examples(typing.NamedTuple):
    """Images with their labels.

    Attributes:
        images: Float tensor `(batch, height, width, channels)` in [-1, 1].
        labels: Integer tensor `(batch,)`, or None without classes.
    """

    images: typing.Any
    labels: typing.Any


class Draw(typing.NamedTuple):
    """The inputs from which images are generated.

    Attributes:
        latents: Float tensor `(batch, latent_dim)`, standard normal.
        labels: Integer tensor `(batch,)`, or None without classes.
        augmentation: Random numbers for `DiffAugment`, or None.
        interpolation: Uniform floats `(batch, 1, 1, 1)` in [0, 1) for a
            gradient penalty between real and generated images, or None.
    """

    latents: typing.Any
    labels: typing.Any
    augmentation: typing.Any = None
    interpolation: typing.Any = None


class StepInputs(typing.NamedTuple):
    """Everything a training step depends on, except the model's variables.

    Attributes:
        real: List of `Examples`, the equal parts of a batch. Each is used in
            one part of one discriminator update.
        discriminator: List of `Draw`, one for each part.
        generator: List of `Draw`, one for each part of the generator's
            update.
        penalties_due: For each gradient penalty, whether it is due in this
            step: a bool or a boolean tensor.
    """

    real: list
    discriminator: list
    generator: list
    penalties_due: list


def unpack(data):
    """Returns the images and labels of a batch of `fit`, as `Examples`.

    Bytes are converted to floats in [-1, 1] here, on the device, so that only
    a quarter of the data has to be moved. Transparent pixels become black, so
    that their colours are not learnt.
    """
    images, labels = data_checks.unpack_batch(data)
    is_uint8 = keras.backend.standardize_dtype(images.dtype) == "uint8"
    images = ops.cast(ops.convert_to_tensor(images), keras.config.floatx())
    if is_uint8:
        images = images / 127.5 - 1.0
    if images.shape[-1] == 4:
        images = ops.where(images[..., 3:] > -1.0, images, -1.0)
    labels = None if labels is None else ops.cast(labels, "int32")
    return Examples(images, labels)


def join(first, second):
    """Returns two `Examples` as one, so that a network runs once on both."""
    labels = None
    if first.labels is not None:
        labels = ops.concatenate([first.labels, second.labels])
    return Examples(ops.concatenate([first.images, second.images]), labels)


def split(examples, n):
    """Splits a batch into `n` equal parts.

    A part is every n-th image. If a batch is spread over several devices, each
    device then has a piece of every part.
    """
    if n == 1:
        return [examples]
    checks.check_batch_size(examples.images.shape[0], n)

    def every(x, i):
        if x is None:
            return None
        return ops.reshape(x, (-1, n, *x.shape[1:]))[:, i]

    return [Examples(*(every(x, i) for x in examples)) for i in range(n)]


def draw_inputs(n, latent_dim, num_classes, seed_generator):
    """Draws latents and uniform labels for `n` images on this device.

    They are drawn for the whole batch, and each device takes its slice. The
    networks then learn from the same numbers on one device and on several.
    """
    n = backends.global_batch_size(n)
    latents = keras.random.normal((n, latent_dim), seed=seed_generator)
    latents = backends.local_slice(latents)
    if num_classes is None:
        return Draw(latents, None)
    labels = keras.random.randint(
        (n,), 0, num_classes, dtype="int32", seed=seed_generator
    )
    return Draw(latents, backends.local_slice(labels))


def with_classes_of(real, draws):
    """Returns draws of images that have the classes of real ones.

    A loss that compares real and generated logits then compares images of the
    same class, as in R3GAN (`R3GAN/Trainer.py`).

    Args:
        real: List of `Examples`.
        draws: List of `Draw`, one for each of them.
    """
    return [
        draw if draw.labels is None else draw._replace(labels=examples.labels)
        for examples, draw in zip(real, draws)
    ]


def draw_augmentation(augment, n, times, seed_generator):
    """Draws the random numbers that augment `times * n` images."""
    n = backends.global_batch_size(n)
    drawn = augment.draw(times * n, seed_generator)
    parts = [drawn[i * n : (i + 1) * n] for i in range(times)]
    return ops.concatenate([backends.local_slice(part) for part in parts])


def with_interpolation(draw, seed_generator):
    """Adds the weights that mix two images for a penalty to a `Draw`."""
    n = backends.global_batch_size(ops.shape(draw.latents)[0])
    drawn = keras.random.uniform((n, 1, 1, 1), seed=seed_generator)
    return draw._replace(interpolation=backends.local_slice(drawn))
