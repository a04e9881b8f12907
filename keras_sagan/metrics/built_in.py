"""The metrics that come with the package, and their names."""

import warnings

import numpy as np

from keras_sagan import backends
from keras_sagan.metrics.frechet import frechet_distance
from keras_sagan.metrics.manifold import density_coverage
from keras_sagan.metrics.manifold import precision_recall
from keras_sagan.metrics.metric import Metric
from keras_sagan.metrics.metric import Value
from keras_sagan.metrics.progress import progress
from keras_sagan.metrics.scores import check_classes
from keras_sagan.metrics.scores import inception_score
from keras_sagan.metrics.scores import intra_fid
from keras_sagan.metrics.scores import kernel_distance


class FrechetDistance(Metric):
    """`"fid"`: FID, see `metrics.frechet_distance`.

    Example:

    >>> x = np.random.default_rng(0).integers(0, 200, (64, 8, 8, 3), "uint8")
    >>> results = keras_sagan.metrics.evaluate(
    ...     x + 10, x, keras_sagan.metrics.FrechetDistance(),
    ...     feature_extractor=lambda images: images.mean(axis=(1, 2)))
    >>> round(results["fid"], 4)
    300.0
    """

    name = "fid"
    values = (Value("fid", "FID", generic_title="Frechet distance"),)

    def compute(self, real, generated, protocol):
        for name, side in (("real", real), ("model", generated)):
            n, d = side.statistics.count, len(side.statistics.mean)
            if 0 < n <= d:
                warnings.warn(
                    f"`{name}` has {n:,} images for {d:,} features: the "
                    "covariance lacks full rank, and the distance is too "
                    "large",
                    stacklevel=3,
                )
        return frechet_distance(real.statistics, generated.statistics)


class InceptionScore(Metric):
    """`"is"`: the Inception Score, see `metrics.inception_score`.

    Example:

    >>> x = np.arange(40, dtype="uint8").reshape(-1, 1, 1, 1) % 4
    >>> def extractor(images):
    ...     return images[:, 0, 0], 100.0 * np.eye(4)[images[:, 0, 0, 0]]
    >>> protocol = keras_sagan.metrics.get_protocol("torch-fidelity")
    >>> results = keras_sagan.metrics.evaluate(
    ...     x, metrics=keras_sagan.metrics.InceptionScore(),
    ...     protocol={**protocol, "is_splits": 1}, feature_extractor=extractor)
    >>> round(results["is"], 4)
    4.0
    """

    name = "is"
    title = "Inception Score"
    higher_is_better = True
    real_needs = None
    generated_needs = ("logits",)

    def compute(self, real, generated, protocol):
        splits, seed = protocol["is_splits"], protocol["is_seed"]
        mean, std = inception_score(generated.logits, splits, seed)
        return {"is": mean, "is_std": std}

    def details(self, results, protocol):
        splits, logits = protocol["is_splits"], protocol["logits"]
        return f"IS: {splits} splits, {logits} logits"


class KernelDistance(Metric):
    """`"kid"`: KID, see `metrics.kernel_distance`.

    Example:

    >>> x = np.zeros((1000, 8, 8, 3), "uint8")
    >>> results = keras_sagan.metrics.evaluate(
    ...     x + 1, x, keras_sagan.metrics.KernelDistance(),
    ...     feature_extractor=lambda images: images.mean(axis=(1, 2)))
    >>> round(results["kid"], 4)
    7.0
    """

    name = "kid"
    values = (Value("kid", "KID", False, ".6f", "kernel distance"),)
    real_needs = generated_needs = ("features",)

    def compute(self, real, generated, protocol):
        mean, std = kernel_distance(
            real.features,
            generated.features,
            protocol["kid_subsets"],
            protocol["kid_subset_size"],
            protocol["kid_degree"],
            protocol["kid_seed"],
        )
        return {"kid": mean, "kid_std": std}

    def details(self, results, protocol):
        subsets, size = protocol["kid_subsets"], protocol["kid_subset_size"]
        return f"KID: {subsets} subsets of {size}"


class _OfNeighbors(Metric):
    """A pair of values from the k nearest neighbours of features."""

    real_needs = generated_needs = ("features",)

    def compute(self, real, generated, protocol):
        k = protocol[f"{self.name}_k"]
        pair = self.measure(real.features, generated.features, k)
        return {value.name: x for value, x in zip(self.values, pair)}

    def details(self, results, protocol):
        return f"{self.values[0].name}: k = {protocol[f'{self.name}_k']}"


class PrecisionRecall(_OfNeighbors):
    """`"precision_recall"`: see `metrics.precision_recall`.

    Example:

    >>> x = np.random.default_rng(0).integers(0, 50, (64, 8, 8, 3), "uint8")
    >>> x[32:] += 200
    >>> results = keras_sagan.metrics.evaluate(
    ...     x[:32], x, keras_sagan.metrics.PrecisionRecall(),
    ...     feature_extractor=lambda images: images.mean(axis=(1, 2)))
    >>> results["precision"], results["recall"]
    (1.0, 0.5)
    """

    name = "precision_recall"
    values = (
        Value("precision", "precision", higher_is_better=True),
        Value("recall", "recall", higher_is_better=True),
    )
    measure = staticmethod(precision_recall)


class DensityCoverage(_OfNeighbors):
    """`"density_coverage"`: see `metrics.density_coverage`.

    Example:

    >>> x = np.random.default_rng(0).integers(0, 50, (64, 8, 8, 3), "uint8")
    >>> x[32:] += 200
    >>> results = keras_sagan.metrics.evaluate(
    ...     x[:32], x, keras_sagan.metrics.DensityCoverage(),
    ...     feature_extractor=lambda images: images[:, 0, 0])
    >>> round(results["density"], 4), results["coverage"]
    (1.2, 0.5)
    """

    name = "density_coverage"
    values = (
        Value("density", "density", higher_is_better=True),
        Value("coverage", "coverage", higher_is_better=True),
    )
    measure = staticmethod(density_coverage)


class IntraFID(Metric):
    """`"intra_fid"`: FID class by class, see `metrics.intra_fid`.

    For a model, it generates as many images of each class as the protocol says,
    and discards them before the next class.

    Example:

    >>> x = np.random.default_rng(0).integers(0, 200, (64, 8, 8, 3), "uint8")
    >>> labels = np.arange(64) % 2
    >>> fake = x + 10 * labels[:, None, None, None].astype("uint8")
    >>> results = keras_sagan.metrics.evaluate(
    ...     (fake, labels), (x, labels), keras_sagan.metrics.IntraFID(),
    ...     feature_extractor=lambda images: images.mean(axis=(1, 2)))
    >>> round(results["intra_fid"], 4)
    150.0
    """

    name = "intra_fid"
    values = (Value("intra_fid", "intra-FID", generic_title="within classes"),)
    real_needs = generated_needs = ("features",)
    generates = True

    def compute(self, real, generated, protocol):
        for name, side in (("real", real), ("model", generated)):
            _check_labelled(name, side.labels)
        mean, distances = intra_fid(
            real.features, real.labels, generated.features, generated.labels
        )
        return {"intra_fid": mean, "intra_fid_per_class": distances}

    def compute_from_model(self, real, generator, protocol, extract):
        _check_labelled("real", real.labels)
        num_classes = generator.model.num_classes
        if num_classes is None:
            raise ValueError(
                "`model` must have classes for intra-FID. "
                "Received: a model with num_classes=None"
            )
        classes = np.arange(num_classes)
        check_classes(np.asarray(real.labels), np.repeat(classes, 2))
        # Each of n processes takes every n-th class.
        process, processes = backends.process()
        own = classes[process::processes].tolist()
        n, distances = protocol["images_per_class"], np.zeros(num_classes)
        for label in progress(own, "intra-FID"):
            seed = (generator.seed, label)
            fake = extract(generator.images(n, seed, np.full(n, label)))
            members = np.flatnonzero(real.labels == label)
            distances[label] = frechet_distance(
                real.features[members], fake.statistics
            )
        distances = backends.gather(distances).sum(axis=0).tolist()
        return {
            "intra_fid": np.mean(distances),
            "intra_fid_per_class": dict(enumerate(distances)),
        }

    def details(self, results, protocol):
        return (
            f"intra-FID: {len(results['intra_fid_per_class'])} classes, "
            f"{protocol['images_per_class']:,} generated of each"
        )


def _check_labelled(name, labels):
    if labels is None:
        raise ValueError(
            f"`{name}` must come with labels for intra-FID. Received: none"
        )


METRICS = {
    metric.name: metric
    for metric in (
        FrechetDistance(),
        InceptionScore(),
        KernelDistance(),
        PrecisionRecall(),
        DensityCoverage(),
        IntraFID(),
    )
}


def list_metrics():
    """Returns the names of the built-in metrics.

    Example:

    >>> keras_sagan.metrics.list_metrics()[:3]
    ['fid', 'is', 'kid']
    """
    return list(METRICS)


def get_metrics(metrics):
    """Returns `Metric` objects for the `metrics` that `evaluate` takes.

    Args:
        metrics: The name of a built-in metric or a `Metric`, or a list of
            these.

    Returns:
        A list of `Metric`.

    Raises:
        ValueError: If an item is neither, or if two metrics give a value of the
            same name.

    Example:

    >>> keras_sagan.metrics.get_metrics("precision_recall")[0].values[0].title
    'precision'
    """
    if not isinstance(metrics, (list, tuple)):
        metrics = [metrics]
    found = [METRICS.get(x) if isinstance(x, str) else x for x in metrics]
    if not found or not all(isinstance(x, Metric) for x in found):
        raise ValueError(
            f"`metrics` must be {', '.join(METRICS)}, or `Metric` objects. "
            f"Received: metrics={metrics}"
        )
    names = [value.name for metric in found for value in metric.values]
    if len({*names, "protocol", None}) != len(names) + 2:
        raise ValueError(
            "`metrics` must give each value a name of its own, other than "
            f"'protocol'. Received: values named {names}"
        )
    return found
