"""The Frechet distance between the features of two sets of images."""

import numpy as np


def frechet_distance(real, fake):
    """Frechet distance of two sets of features, each taken as a Gaussian.

    `|m_1 - m_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))`, with means `m` and
    unbiased covariances `S`. It is FID where the features are those of the
    Inception network and not otherwise: name the features with the figure.

    Args:
        real: Floats `(N, D)`, N at least 2.
        fake: Floats `(M, D)`, M at least 2.

    Returns:
        A float, at least 0, in the squared unit of the features.

    Raises:
        ValueError: If the shapes do not fit or a value is not finite.

    Example:
    >>> x = np.random.default_rng(0).normal(size=(100, 4))
    >>> round(keras_sagan.metrics.frechet_distance(x, x + 1), 6)
    4.0

    Reference: Heusel et al., arXiv 1706.08500, eq. 6.
    """
    real, fake = np.float64(real), np.float64(fake)
    shapes = f"real of {real.shape}, fake of {fake.shape}"
    if (
        real.ndim != 2
        or fake.ndim != 2
        or real.shape[1] != fake.shape[1]
        or min(len(real), len(fake)) < 2
    ):
        raise ValueError(
            "`real` and `fake` must be features (N, D) and (M, D), at least "
            f"two of each. Received: {shapes}"
        )
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        raise ValueError(
            f"`real` and `fake` must be finite. Received: {shapes}, with NaN "
            "or infinity"
        )
    difference = real.mean(0) - fake.mean(0)
    s_1, s_2 = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (real, fake))
    # tr (S_1 S_2)^(1/2) is the sum of the roots of the eigenvalues of the
    # symmetric S_1^(1/2) S_2 S_1^(1/2): real, and never negative but for
    # rounding.
    values, vectors = np.linalg.eigh(s_1)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    values = np.linalg.eigvalsh(root @ s_2 @ root)
    trace = np.sum(np.sqrt(np.maximum(values, 0)))
    distance = difference @ difference + np.trace(s_1 + s_2) - 2 * trace
    return max(0.0, float(distance))
