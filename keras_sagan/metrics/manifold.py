"""Fidelity, diversity and coverage, from Euclidean distances."""

import numpy as np

from keras_sagan.metrics.progress import progress

_BLOCK = 1024


def coverage(real, fake, nearest_k=5):
    """Share of the real images that have a generated image within reach.

    The reach of a real image is its distance to its `nearest_k`-th nearest
    real neighbour, not counting itself. A generator that makes few kinds of
    images scores low, however good they are.

    Args:
        real: Floats or uint8 `(N, ...)`, images or features, N > `nearest_k`.
        fake: Floats or uint8 `(M, ...)`, of the same shape after the first
            axis.
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
    return density_coverage(real, fake, nearest_k)[1]


def density_coverage(real, fake, nearest_k=5):
    """Computes density and coverage.

    Outliers affect them less than precision and recall. Density is the number
    of real images within whose reach a generated image lies, averaged over the
    generated images and divided by `nearest_k`; it may exceed 1. See `coverage`
    for the reach and for coverage.

    Args:
        real: Floats or uint8 `(N, ...)`, images or features, N > `nearest_k`.
        fake: Floats or uint8 `(M, ...)`, of the same shape after the first
            axis.
        nearest_k: Positive integer.

    Returns:
        Density and coverage, floats.

    Raises:
        ValueError: If the shapes do not fit or there are too few images.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(50, 4))
    >>> keras_sagan.metrics.density_coverage(x, x + 100)
    (0.0, 0.0)

    Reference: Naeem et al., arXiv 2002.09797, eq. 4 and 5.
    """
    real, fake = _check_pair(real, fake, nearest_k)
    reach = _reach(real, nearest_k)
    within = covered = 0
    for begin, distances in _in_blocks(real, fake):
        inside = distances <= reach[begin : begin + len(distances), None]
        within += np.sum(inside)
        covered += np.sum(inside.any(axis=1))
    density = within / (nearest_k * len(fake))
    return float(density), float(covered / len(real))


def precision_recall(real, fake, nearest_k=3):
    """Improved precision and recall.

    Precision is the share of generated images within the reach of a real one.
    Recall is the share of real images within the reach of a generated one.
    The reach of an image is its distance to its `nearest_k`-th nearest
    neighbour on its own side.

    Args:
        real: Floats or uint8 `(N, ...)`, images or features, N > `nearest_k`.
        fake: Floats or uint8 `(M, ...)`, M > `nearest_k`.
        nearest_k: Positive integer.

    Returns:
        Precision and recall, floats in [0, 1].

    Raises:
        ValueError: If the shapes do not fit or there are too few images.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(50, 4))
    >>> keras_sagan.metrics.precision_recall(x, x)
    (1.0, 1.0)

    Reference: Kynkaanniemi et al., arXiv 1904.06991, eq. 1 and 2.
    """
    real, fake = _check_pair(real, fake, nearest_k)
    if len(fake) <= nearest_k:
        raise ValueError(
            "`fake` must hold more than `nearest_k` images. "
            f"Received: {len(fake)} images, nearest_k={nearest_k}"
        )
    real_reach, fake_reach = _reach(real, nearest_k), _reach(fake, nearest_k)
    precise = np.zeros(len(fake), bool)
    recalled = 0
    for begin, distances in _in_blocks(real, fake):
        reach = real_reach[begin : begin + len(distances), None]
        precise |= (distances <= reach).any(axis=0)
        recalled += np.sum((distances <= fake_reach).any(axis=1))
    return float(precise.mean()), float(recalled / len(real))


def _check_pair(real, fake, nearest_k):
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
    return real, fake


def _reach(x, nearest_k):
    """Squared distance to the `nearest_k`-th nearest of the others, `(N,)`."""
    reach = []
    for begin, distances in _in_blocks(x, x):
        rows = np.arange(len(distances))
        distances[rows, begin + rows] = np.inf
        reach.append(np.partition(distances, nearest_k - 1)[:, nearest_k - 1])
    return np.concatenate(reach)


def _in_blocks(a, b):
    """Yields squared distances of some rows of `a` to all of `b`, float64.

    `b` is converted to float64 part by part: a whole copy would take hundreds
    of megabytes, as does a block of 50,000 columns.
    """
    of_b = np.concatenate([squares(part) for _, part in _parts(b)])
    for begin in progress(range(0, len(a), _BLOCK), "distances"):
        block = a[begin : begin + _BLOCK].astype("float64")
        distances = np.empty((len(block), len(b)))
        for start, part in _parts(b):
            distances[:, start : start + len(part)] = block @ part.T
        distances *= -2
        distances += of_b
        distances += squares(block)[:, None]
        yield begin, np.maximum(distances, 0.0, out=distances)


def _parts(x):
    for begin in range(0, len(x), 4 * _BLOCK):
        yield begin, x[begin : begin + 4 * _BLOCK].astype("float64")


def squares(x):
    """Returns the squared length of each row."""
    return np.einsum("ij,ij->i", x, x)


def mean_class_distance(images, labels):
    """Mean over the classes of the mean distance between two of its images.

    Divided by the value for real images, it is the within-class diversity: 1 if
    generated images are as varied as real ones, 0 for one picture per class.

    Args:
        images: Floats or uint8 `(N, ...)`.
        labels: Integers `(N,)`; every class that occurs must occur at least
            twice.

    Returns:
        A float, in the unit of the images.

    Raises:
        ValueError: If a class occurs only once.

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
        total = 0.0
        for begin, distances in _in_blocks(members, members):
            rows = np.arange(len(distances))
            distances[rows, begin + rows] = 0.0
            total += np.sum(np.sqrt(distances))
        means.append(total / (n * (n - 1)))
    return float(np.mean(means))


def _flatten(name, images):
    images = np.asarray(images)
    if images.ndim < 2:
        raise ValueError(
            f"`{name}` must have at least two axes, images along the first. "
            f"Received: {name} of shape {images.shape}"
        )
    images = images.reshape(len(images), -1)
    if not np.isfinite(images).all():
        raise ValueError(f"`{name}` must be finite. Received: NaN or infinity")
    return images
