"""Diversity and coverage, by Euclidean distances."""

import numpy as np

_BLOCK = 1024


def coverage(real, fake, nearest_k=5):
    """Share of the real images that have a generated one in their reach.

    A real image's reach is its distance to its `nearest_k`-th nearest real
    neighbour, itself not counted. A generator that makes few kinds of image
    scores low however good they are.

    Args:
        real: Floats or uint8 `(N, ...)`, images or features, N > `nearest_k`.
        fake: Likewise `(M, ...)`, of the same shape after the first axis.
        nearest_k: Positive integer.

    Returns:
        A float in [0, 1].

    Raises:
        ValueError: If the shapes do not fit or there are too few images.

    Example:
    >>> x = np.random.default_rng(0).normal(size=(50, 4))
    >>> keras_sagan.metrics.coverage(x, x)
    1.0

    Reference: Naeem et al., "Reliable Fidelity and Diversity Metrics for
    Generative Models", arXiv 2002.09797, eq. 5.
    """
    real, fake = _flatten("real", real), _flatten("fake", fake)
    if real.shape[1] != fake.shape[1] or not len(fake):
        raise ValueError(
            "`real` and `fake` must hold vectors of one size. "
            f"Received: real of {real.shape}, fake of {fake.shape}"
        )
    if len(real) <= nearest_k or nearest_k < 1:
        raise ValueError(
            "`real` must hold more than `nearest_k` >= 1 images. "
            f"Received: {len(real)} images, nearest_k={nearest_k}"
        )
    covered = 0
    for begin in range(0, len(real), _BLOCK):
        block = real[begin : begin + _BLOCK]
        among_real = _squared_distances(block, real)
        rows = np.arange(len(block))
        among_real[rows, begin + rows] = np.inf
        reach = np.partition(among_real, nearest_k - 1)[:, nearest_k - 1]
        covered += np.sum(_squared_distances(block, fake).min(axis=1) <= reach)
    return float(covered / len(real))


def mean_class_distance(images, labels):
    """Mean over the classes of the mean distance of two images of the class.

    Divided by that of real images, it is the within-class diversity: 1 as
    varied as they are, 0 one picture per class.

    Args:
        images: Floats or uint8 `(N, ...)`.
        labels: Integers `(N,)`; every class that occurs must occur twice.

    Returns:
        A float, in the unit of the images.

    Raises:
        ValueError: If a class occurs once.

    Example:
    >>> images = np.array([[0.0], [2.0], [1.0], [1.0]])
    >>> keras_sagan.metrics.mean_class_distance(images, np.array([0, 0, 1, 1]))
    1.0
    """
    images, labels = _flatten("images", images), np.asarray(labels)
    means = []
    for label in np.unique(labels):
        members = images[labels == label]
        n = len(members)
        if n < 2:
            raise ValueError(
                "`labels` must hold every class at least twice. "
                f"Received: class {label} once"
            )
        distances = np.sqrt(_squared_distances(members, members))
        np.fill_diagonal(distances, 0.0)
        means.append(distances.sum() / (n * (n - 1)))
    return float(np.mean(means))


def _flatten(name, images):
    images = np.asarray(images)
    if images.ndim < 2:
        raise ValueError(
            f"`{name}` must have at least two axes, the first one counting. "
            f"Received: {name} of shape {images.shape}"
        )
    return images.reshape(len(images), -1).astype("float64")


def _squared_distances(a, b):
    """`(N, D)` and `(M, D)` to `(N, M)`."""
    squares = np.sum(a * a, 1)[:, None] + np.sum(b * b, 1) - 2 * a @ b.T
    return np.maximum(squares, 0.0)
