"""What figures are computed, and from what."""

import dataclasses
import typing
import warnings

from keras_sagan.metrics.frechet import frechet_distance
from keras_sagan.metrics.manifold import density_coverage
from keras_sagan.metrics.manifold import precision_recall
from keras_sagan.metrics.scores import inception_score
from keras_sagan.metrics.scores import intra_fid
from keras_sagan.metrics.scores import kernel_distance


@dataclasses.dataclass(frozen=True)
class Metric:
    """How a figure, or some, come from the `Features` of both sides.

    Attributes:
        compute: Function of the real images' `Features`, the generated
            ones' and the protocol, that returns a dict.
        real: What must be kept of the real images beside statistics; None if
            none are needed.
        generated: What must be kept of the generated ones.
    """

    compute: typing.Callable
    real: tuple | None = ()
    generated: tuple = ()

    def kept_of(self, side):
        return (self.real or ()) if side == "real" else self.generated


def check_metrics(metrics):
    """Returns the names of metrics as a list."""
    metrics = [metrics] if isinstance(metrics, str) else list(metrics)
    unknown = [name for name in metrics if name not in METRICS]
    if unknown or not metrics:
        raise ValueError(
            f"`metrics` must be of {', '.join(METRICS)}. "
            f"Received: metrics={metrics}"
        )
    return metrics


def check_labelled(name, labels):
    if labels is None:
        raise ValueError(
            f"`{name}` must come with labels for intra-FID. Received: none"
        )


def _fid(real, fake, protocol):
    for name, side in (("real", real), ("model", fake)):
        n, d = side.statistics.count, len(side.statistics.mean)
        if 0 < n <= d:
            warnings.warn(
                f"`{name}` has {n:,} images for {d:,} features: the "
                "covariance lacks full rank, and the distance is too large",
                stacklevel=3,
            )
    return {"fid": frechet_distance(real.statistics, fake.statistics)}


def _is(real, fake, protocol):
    splits, seed = protocol["is_splits"], protocol["is_seed"]
    mean, std = inception_score(fake.logits, splits, seed)
    return {"is": mean, "is_std": std}


def _kid(real, fake, protocol):
    mean, std = kernel_distance(
        real.features,
        fake.features,
        protocol["kid_subsets"],
        protocol["kid_subset_size"],
        protocol["kid_degree"],
        protocol["kid_seed"],
    )
    return {"kid": mean, "kid_std": std}


def _precision_recall(real, fake, protocol):
    values = precision_recall(
        real.features, fake.features, protocol["precision_recall_k"]
    )
    return dict(zip(("precision", "recall"), values))


def _density_coverage(real, fake, protocol):
    values = density_coverage(
        real.features, fake.features, protocol["density_coverage_k"]
    )
    return dict(zip(("density", "coverage"), values))


def _intra_fid_of_images(real, fake, protocol):
    for name, side in (("real", real), ("model", fake)):
        check_labelled(name, side.labels)
    mean, distances = intra_fid(
        real.features, real.labels, fake.features, fake.labels
    )
    return {"intra_fid": mean, "intra_fid_per_class": distances}


_FEATURES = ("features",)
METRICS = {
    "fid": Metric(_fid),
    "is": Metric(_is, None, ("logits",)),
    "kid": Metric(_kid, _FEATURES, _FEATURES),
    "precision_recall": Metric(_precision_recall, _FEATURES, _FEATURES),
    "density_coverage": Metric(_density_coverage, _FEATURES, _FEATURES),
    "intra_fid": Metric(_intra_fid_of_images, _FEATURES, _FEATURES),
}
