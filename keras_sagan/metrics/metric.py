"""The base class of metrics, and the values that they give."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Value:
    """A value of a metric, and how it is formatted.

    Attributes:
        name: String, the key of the value in the results of `evaluate`.
        title: String, the name of the value in reports.
        higher_is_better: Whether higher values are better.
        format: Format specification of Python, such as `".4f"`.
        generic_title: String, the name of the value in reports if the features
            are not those of the Inception network. FID, for example, is the
            name of the Frechet distance for Inception's features only. Defaults
            to `title`.

    Example:

    >>> (metric,) = keras_sagan.metrics.get_metrics("precision_recall")
    >>> value = metric.values[1]
    >>> value.name, value.higher_is_better, value.format
    ('recall', True, '.4f')
    """

    name: str
    title: str
    higher_is_better: bool = False
    format: str = ".4f"
    generic_title: str | None = None


class Metric:
    """Base class of metrics; subclass it to define a metric of your own.

    A metric defines its name, how its value is formatted, and what it needs
    from the images; `compute` returns the value. Pass its instances to
    `metrics.evaluate`, `metrics.report` and `callbacks.Evaluation`, alone or
    together with names of built-in metrics.

    Class attributes, which a subclass sets:

    - `name`: string, the key in the results of `evaluate`.
    - `title`: string, the name of the value in reports. Defaults to `name`.
    - `higher_is_better`: whether higher values are better.
      `callbacks.Evaluation` uses it to keep the best model.
    - `format`: format specification of Python. Defaults to `".4f"`.
    - `real_needs`: tuple of the arrays to keep for the real images in addition
      to their statistics, `"features"` or `"logits"`. An empty tuple means that
      statistics are enough, and None that no real images are needed.
    - `generated_needs`: the same for the generated images, a tuple.
    - `generates`: whether the metric generates its own images in
      `compute_from_model` when a model is evaluated. If it is False, `compute`
      gets the images that all metrics share.

    Example:

    >>> class Brightness(keras_sagan.metrics.Metric):
    ...     name = "brightness"
    ...     title = "brightness difference"
    ...     format = ".1f"
    ...
    ...     def compute(self, real, generated, protocol):
    ...         real_mean = real.statistics.mean.mean()
    ...         return abs(generated.statistics.mean.mean() - real_mean)
    >>> x = np.zeros((8, 8, 8, 3), "uint8")
    >>> results = keras_sagan.metrics.evaluate(
    ...     x + 10, x, ["fid", Brightness()],
    ...     feature_extractor=lambda images: images.mean(axis=(1, 2)))
    >>> results["brightness"]
    10.0
    >>> print(keras_sagan.metrics.report(results, [Brightness()]))
    Frechet distance       300.0000
    brightness difference  10.0
    features: <lambda>
    protocol torch-fidelity: 8 generated, 8 real; uint8; seed 0
    """

    name = None
    title = None
    higher_is_better = False
    format = ".4f"
    real_needs = ()
    generated_needs = ()
    generates = False

    @property
    def values(self):
        """The values that the metric gives, a tuple of `Value`.

        A metric with several values overrides this. By default, there is one
        value, which the class attributes describe.
        """
        title = self.title or self.name
        return (Value(self.name, title, self.higher_is_better, self.format),)

    def compute(self, real, generated, protocol):
        """Computes the metric.

        Args:
            real: Object that describes the real images, with the attributes
                `statistics` (`GaussianStatistics`: `count`, `mean`,
                `covariance`), `features` and `logits` (float arrays `(N, D)`
                and `(N, classes)` if they are needed, or None) and `labels`
                (integers `(N,)` or None). It is None if no metric needs real
                images.
            generated: The same for the generated images.
            protocol: Dict, see `metrics.get_protocol`.

        Returns:
            A float; or, for a metric with several values, a dict with a float
            for each name. The dict may hold more: `NAME_std` is reported as the
            standard deviation of `NAME`.
        """
        raise NotImplementedError(
            f"`{type(self).__name__}` must have a method `compute(real, "
            "generated, protocol)`"
        )

    def compute_from_model(self, real, generator, protocol, extract):
        """Computes the metric for images that it generates itself.

        Args:
            real: As in `compute`.
            generator: An object with the attributes `model`, `seed` and
                `arguments`, a dict of arguments for `model.generate`; and
                with a method `images(num_images, seed, labels=None)` that
                returns images for `extract`.
            protocol: As in `compute`.
            extract: Function that takes such images and returns an object like
                `generated` in `compute`.

        Returns:
            As in `compute`.
        """
        raise NotImplementedError(
            f"`{type(self).__name__}` must have a method `compute_from_model("
            "real, generator, protocol, extract)`, because it has "
            "`generates = True`"
        )

    def details(self, results, protocol):
        """Returns text for reports on how the metric was computed, or None.

        Args:
            results: Dict of `metrics.evaluate`.
            protocol: Dict, the protocol of the results.
        """
        return None

    def needs_of(self, side):
        """Returns the arrays to keep for `"real"` or `"generated"` images."""
        needs = self.real_needs if side == "real" else self.generated_needs
        return needs or ()


def as_results(metric, computed):
    """Returns what a metric computed as a dict, with values as floats.

    Raises:
        ValueError: If a value is missing.
    """
    names = [value.name for value in metric.values]
    if not isinstance(computed, dict):
        computed = {metric.name: computed}
    missing = [name for name in names if name not in computed]
    if missing:
        raise ValueError(
            f"`{type(metric).__name__}` must compute a float, or a dict with "
            f"{', '.join(names)}. Received: {computed}"
        )
    # JSON has no NumPy scalars.
    plain = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in computed.items()
    }
    return {**plain, **{name: float(computed[name]) for name in names}}
