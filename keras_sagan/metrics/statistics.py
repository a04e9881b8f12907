"""Mean and covariance of features, gathered batch by batch."""

import json
import pathlib

import numpy as np

from keras_sagan.files import read_npz
from keras_sagan.files import replacing

_AT_ONCE = 5000  # As many as intra-FID has per class: 80 MB at D = 2048.


class GaussianStatistics:
    """Mean and unbiased covariance of features, in float64.

    Any number of batches needs the memory of only one covariance. Parts can be
    merged: after `a.merge(b)`, `a` has the statistics of all features together.

    Args:
        made_from: Dict that says what the features were made from, or None. It
            is stored in the file.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(100, 3))
    >>> statistics = keras_sagan.metrics.GaussianStatistics()
    >>> statistics.update(x[:40])
    >>> statistics.update(x[40:])
    >>> np.allclose(statistics.covariance, np.cov(x, rowvar=False))
    True

    Reference: Chan, Golub, LeVeque, "Algorithms for computing the sample
    variance", 1983.
    """

    def __init__(self, made_from=None):
        self.made_from = made_from
        self._count = 0
        self._mean = None  # (D,)
        self._scatter = None  # Sum of (x - mean)(x - mean)^T, (D, D)
        self._waiting = []  # Batches, to be added together: it is far cheaper.
        self._covariance = None  # From a file without a count.

    @property
    def count(self):
        """Number of features, or 0 for a file without a count."""
        return self._count + sum(len(x) for x in self._waiting)

    @property
    def mean(self):
        """Mean of the features, `(D,)`."""
        self._take_in()
        return self._mean

    @property
    def covariance(self):
        """Unbiased covariance, `(D, D)`."""
        self._take_in()
        if self._covariance is not None:
            return self._covariance
        if self.count < 2:
            raise ValueError(
                "A covariance needs at least two images. "
                f"Received: {self.count}"
            )
        return self._scatter / (self.count - 1)

    @property
    def scatter(self):
        """Sum of `(x - mean)(x - mean)^T`, `(D, D)`."""
        self._take_in()
        return self._scatter

    def update(self, features):
        """Adds a batch of features, floats `(N, D)`."""
        self._check_count("update")
        features = check_features("features", features)
        mean = self._waiting[0] if self._waiting else self._mean
        if mean is not None and features.shape[1] != mean.shape[-1]:
            raise ValueError(
                f"`features` must have {mean.shape[-1]} entries each, like "
                f"those before. Received: {features.shape[1]}"
            )
        self._waiting.append(features)
        if sum(len(x) for x in self._waiting) >= _AT_ONCE:
            self._take_in()

    def merge(self, other):
        """Adds the features of another `GaussianStatistics`."""
        self._check_count("merge")
        other._check_count("merge")
        self._take_in()
        other._take_in()
        if other.count:
            self._add(other.count, other.mean, other._scatter.copy())

    def _check_count(self, verb):
        if self._covariance is not None:
            raise ValueError(
                f"Statistics to {verb} must know their number of images. "
                "Received: statistics of a file without a count"
            )

    def _take_in(self):
        if self._waiting:
            features = np.concatenate(self._waiting)
            self._waiting = []
            mean = features.mean(axis=0)
            features -= mean
            self._add(len(features), mean, features.T @ features)

    def _add(self, count, mean, scatter):
        if self._count:
            total = self._count + count
            difference = mean - self._mean
            scatter += self._scatter
            weighted = difference * (self._count * count / total)
            scatter += np.outer(weighted, difference)
            mean = self._mean + difference * (count / total)
            count = total
        self._count, self._mean, self._scatter = count, mean, scatter

    @classmethod
    def from_moments(cls, count, mean, scatter):
        """Makes statistics from a count, a mean and a `scatter`."""
        statistics = cls()
        statistics._add(count, mean, scatter)
        return statistics

    def save(self, path):
        """Writes an `.npz` file with `mu` and `sigma`, which other tools read.

        It also holds `count` and, as JSON, `made_from`.
        """
        arrays = {
            "mu": self.mean,
            "sigma": self.covariance,
            "count": self.count,
            "made_from": json.dumps(self.made_from),
        }
        with replacing(path) as temporary:
            np.savez(temporary, **arrays)

    @classmethod
    def load(cls, path):
        """Reads an `.npz` file with `mu` and `sigma`, also from other tools.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file does not hold them.
        """
        path = pathlib.Path(path)
        arrays = read_npz(path)
        if not {"mu", "sigma"} <= set(arrays):
            raise ValueError(
                "`path` must be an .npz with `mu` and `sigma`. "
                f"Received: {path} with {', '.join(sorted(arrays))}"
            )
        statistics = cls()
        try:
            statistics._mean = np.float64(arrays["mu"])
            covariance = np.float64(arrays["sigma"])
            if "count" in arrays:
                statistics._count = int(arrays["count"])
            if "made_from" in arrays:
                statistics.made_from = json.loads(str(arrays["made_from"]))
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(
                f"`path` must hold statistics. Received: {path}, where {error}"
            ) from error
        d = statistics.mean.size
        if statistics.mean.shape != (d,) or covariance.shape != (d, d):
            raise ValueError(
                "`path` must hold `mu` of shape (D,) and `sigma` of shape "
                f"(D, D). Received: {statistics.mean.shape} and "
                f"{covariance.shape} in {path}"
            )
        if not np.isfinite(covariance).all():
            raise ValueError(f"`sigma` must be finite. Received: NaN in {path}")
        if statistics.count > 1:
            statistics._scatter = covariance * (statistics.count - 1)
        else:
            statistics._covariance = covariance
        return statistics


def check_features(name, features, dtype="float64"):
    """Returns checked features `(N, D)`; `dtype=None` keeps their dtype."""
    features = np.asarray(features)
    if (
        features.ndim != 2
        or not len(features)
        or features.dtype.kind not in "fiu"
    ):
        raise ValueError(
            f"`{name}` must be features (N, D), N at least 1. Received: "
            f"{name} of shape {features.shape} and dtype {features.dtype}"
        )
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"`{name}` must be finite. Received: {name} of {features.shape}, "
            f"with NaN or infinity in {np.sum(~finite)} rows, the first "
            f"{np.argmin(finite)}"
        )
    return features if dtype is None else features.astype(dtype)
