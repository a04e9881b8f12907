"""Walks between images: through latents, or from class to class."""

import itertools

import numpy as np

from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_number
from keras_sagan.arguments import check_numbers
from keras_sagan.visualization.samples import check_sagan

_MOST_STEPS = 10_000  # From one station to the next.


def latent_walk(
    model,
    seeds=(0, 1),
    labels=None,
    num_images=None,
    steps=16,
    truncation=None,
    ema=True,
):
    """Generates images on the way between the latents of several seeds.

    The interpolation is spherical: a straight line between two normal vectors
    of many entries passes through vectors far shorter than any that is drawn.
    The labels stay the same. At each seed, the images are those of
    `model.generate(labels, seed=seed)`.

    Args:
        model: A `SAGAN`.
        seeds: Two or more integers, the seeds to visit in turn.
        labels: Integer, or integers `(N,)`. If `None`, they are drawn with the
            first seed.
        num_images: As in `SAGAN.generate`; the number N of walks.
        steps: Positive integer, number of steps from one seed to the next.
        truncation: As in `SAGAN.generate`.
        ema: As in `SAGAN.generate`.

    Returns:
        uint8 `((len(seeds) - 1) * steps + 1, N, height, width, channels)`, for
        `save_video`. To use `image_grid`, pass it one walk `[:, i]` at a time.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> walk = keras_sagan.visualization.latent_walk(
    ...     model, seeds=(0, 1, 2), labels=[3, 7], steps=2)
    >>> walk.shape
    (5, 2, 16, 16, 3)
    """
    _check_walk(model, "seeds", seeds, steps)
    _, labels = model.draw_inputs(
        labels, num_images, seeds[0], truncation=truncation
    )
    if labels is not None:
        num_images = len(labels)
    stations = [
        model.draw_inputs(labels, num_images, seed, truncation=truncation)[0]
        for seed in seeds
    ]
    latents = between(stations, steps, spherical_interpolation)
    frames, n, size = latents.shape
    images = model.generate(
        None if labels is None else np.tile(labels, frames),
        latents=latents.reshape(frames * n, size),
        ema=ema,
    )
    return images.reshape(frames, n, *images.shape[1:])


def class_walk(
    model,
    classes=(0, 1),
    num_images=1,
    seed=None,
    steps=16,
    truncation=None,
    ema=True,
):
    """Generates images on the way between classes, with fixed latents.

    Between two classes the `gamma` and `beta` of the conditional batch norms
    are blended linearly. At a class, they are those of the class.

    Args:
        model: A `SAGAN` with classes.
        classes: Two or more integers, the classes to visit in turn.
        num_images: Positive integer, the number N of walks.
        seed: As in `SAGAN.generate`.
        steps: Positive integer, number of steps from one class to the next.
        truncation: As in `SAGAN.generate`.
        ema: As in `SAGAN.generate`.

    Returns:
        uint8 `((len(classes) - 1) * steps + 1, N, height, width, channels)`.

    Raises:
        ValueError: If an argument is out of range, or the model has no
            classes.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> walk = keras_sagan.visualization.class_walk(
    ...     model, classes=(3, 8), seed=0, steps=4)
    >>> walk.shape
    (5, 1, 16, 16, 3)
    """
    _check_walk(model, "classes", classes, steps)
    latents, _ = model.draw_inputs(
        classes[0], num_images, seed, truncation=truncation
    )
    model.draw_inputs(list(classes))  # Raises for an invalid class.
    stations = np.eye(model.num_classes)[list(classes)]
    shares = between(stations, steps, linear_interpolation)
    frames = len(shares)
    images = model.generate(
        class_weights=shares.repeat(len(latents), axis=0),
        latents=np.tile(latents, (frames, 1)),
        ema=ema,
    )
    return images.reshape(frames, len(latents), *images.shape[1:])


def spherical_interpolation(a, b, share):
    """Interpolates from vectors `a` to `b` at a constant angular speed.

    The result is `(sin((1 - t) w) a + sin(t w) b) / sin(w)`, where w is the
    angle between the vectors. If they point in the same or in opposite
    directions, the interpolation is linear. It is exact at t = 0 and t = 1.

    Args:
        a: Floats `(..., size)`.
        b: Floats `(..., size)`.
        share: Float t in [0, 1].

    Returns:
        Floats `(..., size)`.

    Example:

    >>> a, b = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    >>> middle = keras_sagan.visualization.spherical_interpolation(a, b, 0.5)
    >>> middle.round(4).tolist()
    [0.7071, 0.7071]

    Reference: Shoemake, "Animating rotation with quaternion curves", 1985.
    """
    check_numbers("a", a)
    check_numbers("b", b)
    check_number("share", share, 0, 1)
    a, b = np.atleast_1d(a), np.atleast_1d(b)
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(
            "`a` and `b` must be vectors of one size. "
            f"Received: a of shape {a.shape}, b of shape {b.shape}"
        )
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosine = np.sum(a * b, axis=-1) / np.maximum(norms, 1e-30)
    angle = np.arccos(np.clip(cosine, -1, 1))[..., None]
    sine = np.sin(angle)
    straight = (sine < 1e-6) | (norms[..., None] == 0)
    sine = np.where(straight, 1, sine)
    to_a = np.where(straight, 1 - share, np.sin((1 - share) * angle) / sine)
    to_b = np.where(straight, share, np.sin(share * angle) / sine)
    return to_a * a + to_b * b


def linear_interpolation(a, b, share):
    return (1 - share) * a + share * b


def between(stations, steps, interpolation):
    """Returns the points from station to station, both ends included."""
    points = [
        interpolation(a, b, i / steps)
        for a, b in itertools.pairwise(stations)
        for i in range(steps)
    ]
    return np.stack([*points, stations[-1]])


def _check_walk(model, name, stations, steps):
    check_sagan(model)
    if np.ndim(stations) != 1 or len(stations) < 2:
        raise ValueError(
            f"`{name}` must be two or more integers. "
            f"Received: {name}={stations}"
        )
    check_integer("steps", steps, 1, _MOST_STEPS)
