"""The Inception Score, the kernel distance (KID) and the intra-FID."""

import numpy as np

from keras_sagan.metrics.frechet import frechet_distance
from keras_sagan.metrics.progress import progress
from keras_sagan.metrics.statistics import check_features


def inception_score(logits, splits=10, seed=2020):
    """Inception Score: `exp(mean of KL(p(y|x) || p(y)))`.

    It lies between 1 and the number of classes. It does not compare with real
    images, and says nothing about variety within a class.

    Args:
        logits: Floats `(N, classes)` of generated images.
        splits: Positive integer up to N, number of parts; each has a score
            with its own p(y).
        seed: Integer, the seed for the random order before splitting
            (torch-fidelity uses 2020). If `None`, the order is kept.

    Returns:
        Mean and standard deviation of the scores of the parts, floats.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> logits = 100.0 * np.eye(10)
    >>> mean, _ = keras_sagan.metrics.inception_score(logits, splits=1)
    >>> round(mean, 6)
    10.0

    Reference: Salimans et al., arXiv 1606.03498.
    """
    logits = check_features("logits", logits, dtype=None)
    n = len(logits)
    if not 1 <= splits <= n:
        raise ValueError(
            f"`splits` must be from 1 to {n}, the number of images. "
            f"Received: splits={splits}"
        )
    order = np.arange(n)
    if seed is not None:
        # The same random generator as torch-fidelity, and so the same order.
        order = np.random.RandomState(seed).permutation(n)
    scores = []
    for i in range(splits):
        part = order[i * n // splits : (i + 1) * n // splits]
        log_p = logits[part].astype("float64")
        log_p -= log_p.max(axis=1, keepdims=True)
        log_p -= np.log(np.sum(np.exp(log_p), axis=1, keepdims=True))
        p = np.exp(log_p)
        mean = p.mean(axis=0)
        # A class without images adds 0 log 0 = 0.
        log_mean = np.log(np.maximum(mean, np.finfo("float64").tiny))
        scores.append(np.exp(np.mean(np.sum(p * (log_p - log_mean), axis=1))))
    return float(np.mean(scores)), float(np.std(scores))


def kernel_distance(
    real, fake, subsets=100, subset_size=1000, degree=3, seed=2020
):
    """Kernel distance: the mean squared MMD of random subsets.

    With Inception's features it is KID. The kernel is
    `(x . y / D + 1)^degree`. The estimate is unbiased: it may be slightly
    below 0, and, unlike FID, it does not fall with the number of images.

    Args:
        real: Floats `(N, D)`, N at least `subset_size`.
        fake: Floats `(M, D)`, M at least `subset_size`.
        subsets: Positive integer, number of subsets.
        subset_size: Integer, at least 2.
        degree: Positive integer.
        seed: Integer, the seed for drawing the subsets.

    Returns:
        Mean and standard deviation over the subsets, floats.

    Raises:
        ValueError: If there are too few images or shapes do not fit.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(50, 4))
    >>> mean, _ = keras_sagan.metrics.kernel_distance(
    ...     x, x + 1, subsets=10, subset_size=20)
    >>> mean > 0
    True

    Reference: Binkowski et al., arXiv 1801.01401.
    """
    # No copy is made here: only the subsets are converted to float64.
    real = check_features("real", real, dtype=None)
    fake = check_features("fake", fake, dtype=None)
    if real.shape[1] != fake.shape[1]:
        raise ValueError(
            "`real` and `fake` must be features (N, D) and (M, D). Received: "
            f"real of {real.shape}, fake of {fake.shape}"
        )
    if not 2 <= subset_size <= min(len(real), len(fake)) or subsets < 1:
        raise ValueError(
            "`subset_size` must be from 2 to the number of images, `subsets` "
            "positive; in a protocol it is `kid_subset_size`. Received: "
            f"subset_size={subset_size}, subsets={subsets}, {len(real)} real "
            f"and {len(fake)} fake images"
        )
    # The subsets are those of torch-fidelity, which draws the fake one first.
    rng = np.random.RandomState(seed)
    distances = []
    for _ in progress(range(subsets), "kernel distance"):
        y, x = (
            part[rng.choice(len(part), subset_size, replace=False)].astype(
                "float64"
            )
            for part in (fake, real)
        )
        k_xx, k_yy, k_xy = (
            (a @ b.T / a.shape[1] + 1) ** degree
            for a, b in ((x, x), (y, y), (x, y))
        )
        within = sum(k.sum() - np.trace(k) for k in (k_xx, k_yy))
        m = subset_size
        distances.append(within / (m * (m - 1)) - 2 * k_xy.mean())
    return float(np.mean(distances)), float(np.std(distances))


def intra_fid(real, real_labels, fake, fake_labels):
    """Frechet distance class by class, and the mean over the classes.

    A generator that makes one good picture per class has a good FID and a bad
    intra-FID.

    Args:
        real: Floats `(N, D)`, an array in memory or in a file. The features are
            read one class at a time.
        real_labels: Integers `(N,)`.
        fake: Floats `(M, D)`, likewise.
        fake_labels: Integers `(M,)`.

    Returns:
        The mean over the classes, a float, and a dict with a float per class.

    Raises:
        ValueError: If a class has fewer than two images on either side.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(100, 4))
    >>> labels = np.arange(100) % 2
    >>> mean, _ = keras_sagan.metrics.intra_fid(x, labels, x + 1, labels)
    >>> round(mean, 6)
    4.0

    Reference: Miyato and Koyama, arXiv 1802.05637, section 5.1.
    """
    real_labels, fake_labels = np.asarray(real_labels), np.asarray(fake_labels)
    check_classes(real_labels, fake_labels)
    distances = {
        int(label): frechet_distance(
            real[np.flatnonzero(real_labels == label)],
            fake[np.flatnonzero(fake_labels == label)],
        )
        for label in progress(np.unique(real_labels), "intra-FID")
    }
    return float(np.mean(list(distances.values()))), distances


def check_classes(real_labels, fake_labels):
    """Raises an error if a class has fewer than two images on either side."""
    for name, labels in (
        ("real_labels", real_labels),
        ("fake_labels", fake_labels),
    ):
        classes = np.union1d(real_labels, fake_labels)
        counts = {c: np.sum(labels == c) for c in classes.tolist()}
        few = [c for c, count in counts.items() if count < 2]
        if few:
            raise ValueError(
                f"`{name}` must hold every class at least twice. Received: "
                f"{counts[few[0]]} of class {few[0]}"
                + (f", and {len(few) - 1} more such" if few[1:] else "")
            )
