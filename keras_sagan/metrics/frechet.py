"""The Frechet distance between two sets of features."""

import numpy as np

from keras_sagan.metrics.statistics import GaussianStatistics
from keras_sagan.metrics.statistics import check_features


def frechet_distance(real, fake):
    """Computes the Frechet distance of two sets of features.

    Both sets are treated as Gaussian. The distance is
    `|m_1 - m_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))`, with means `m` and
    unbiased covariances `S`. It is FID only with the features of the Inception
    network, so name the features when you publish a value.

    Args:
        real: Floats `(N, D)` with N at least 2, or `GaussianStatistics`. If N
            is at most D, no covariance is computed, which is faster.
        fake: Floats `(M, D)` or `GaussianStatistics`, likewise.

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
    real, fake = _Gaussian("real", real), _Gaussian("fake", fake)
    if real.mean.shape != fake.mean.shape:
        raise ValueError(
            "`real` and `fake` must be features (N, D) and (M, D). Received: "
            f"D = {len(real.mean)} and D = {len(fake.mean)}"
        )
    difference = real.mean - fake.mean
    distance = difference @ difference + real.trace + fake.trace
    return max(0.0, float(distance - 2 * _trace_of_root(real, fake)))


class _Gaussian:
    """A mean, and a covariance `S` or a factor `A` of it, `S = A^T A`."""

    def __init__(self, name, x):
        self.covariance = self.factor = None
        if not isinstance(x, GaussianStatistics):
            x = check_features(name, x)
            n, d = x.shape
            if n < 2:
                raise ValueError(
                    f"`{name}` must hold at least two images' features. "
                    f"Received: {name} of {x.shape}"
                )
            self.mean = x.mean(axis=0)
            centred = (x - self.mean) / np.sqrt(n - 1)
            if n <= d:
                self.factor = centred
                self.trace = np.sum(centred * centred)
                return
            self.covariance = centred.T @ centred
        else:
            self.mean, self.covariance = x.mean, x.covariance
        self.trace = np.trace(self.covariance)


def _trace_of_root(a, b):
    """Returns the trace of `(S_a S_b)^(1/2)`.

    The eigenvalues of `S_a S_b` are those of the symmetric `A S_b A^T`: they
    are real, and negative only by rounding. If both have factors, the roots
    are the singular values of `A B^T`.
    """
    if a.factor is None and b.factor is not None:
        a, b = b, a
    if b.factor is not None:
        product = a.factor @ b.factor.T
        return np.sum(np.linalg.svd(product, compute_uv=False))
    factor = _factor(a.covariance) if a.factor is None else a.factor
    values = np.linalg.eigvalsh(factor @ b.covariance @ factor.T)
    return np.sum(np.sqrt(np.maximum(values, 0)))


def _factor(covariance):
    """Returns `A` with `S = A^T A`, of full rank.

    Cholesky's decomposition needs a sixth of the work of eigenvectors.
    Eigenvectors are used if a pivot is so small that it may be a rounding
    error; `A` then has one row for each direction in which the features vary.
    """
    d = len(covariance)
    rounding = np.finfo("float64").eps * d
    try:
        lower = np.linalg.cholesky(covariance)
        pivots = np.diag(lower) ** 2
        if pivots.min() > rounding * np.diag(covariance).max():
            return lower.T
    except np.linalg.LinAlgError:
        pass
    values, vectors = np.linalg.eigh(covariance)
    kept = values > rounding * abs(values).max()
    return np.sqrt(values[kept])[:, None] * vectors[:, kept].T
