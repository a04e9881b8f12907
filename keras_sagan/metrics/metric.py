"""What a metric is: the base class that users subclass, and its values."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Value:
    """A number that a metric gives, and how it is written.

    Attributes:
        name: String, the number's key in the results of `evaluate`.
        title: String, what reports call it.
        higher_is_better: Whether more is better.
        format: Format specification of Python, such as `".4f"`.
        generic_title: What reports call it where the features are not those
            of the Inception network: FID, for example, is the name of the
            Frechet distance of Inception's features alone. None: `title`.

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
    """Base class of metrics: subclass it to evaluate by a measure of your own.

    A metric says what it is called, how its value is written, and what it
    needs of the images; `compute` returns the value. Its objects are
    given to `metrics.evaluate`, `metrics.report` and `callbacks.Evaluation`,
    alone or beside the names of built-in metrics.

    Class attributes, which a subclass sets:

    - `name`: string, the key in the results of `evaluate`.
    - `title`: string, what reports call the value. None: `name`.
    - `higher_is_better`: whether more is better. `callbacks.Evaluation` keeps
      the best model by it.
    - `format`: format specification of Python, `".4f"` unless set.
    - `real_needs`: which arrays are kept of the real images beside their
      statistics, `"features"` or `"logits"` in a tuple. An empty tuple:
      statistics are enough. None: no real images are needed.
    - `generated_needs`: likewise for the generated images, a tuple.
    - `generates`: whether the metric, where a model is evaluated, generates
      images of its own in `compute_from_model`. False: `compute` gets the
      images that all metrics share.

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
        """The numbers that the metric gives, a tuple of `Value`.

        A metric of several numbers overrides this; otherwise it is the one
        that the class attributes describe.
        """
        title = self.title or self.name
        return (Value(self.name, title, self.higher_is_better, self.format),)

    def compute(self, real, generated, protocol):
        """Computes the metric.

        Args:
            real: The real images' `statistics` (`GaussianStatistics`:
                `count`, `mean`, `covariance`), `features` and `logits` (float
                arrays `(N, D)` and `(N, classes)` if they are needed, or
                None) and `labels` (integers `(N,)` or None), as attributes of
                one object; or None if no metric needs real images.
            generated: Likewise for the generated images.
            protocol: Dict, see `metrics.get_protocol`.

        Returns:
            A float; or, for a metric of several numbers, a dict with the
            name of each. A dict may hold more: `NAME_std` is reported as the
            standard deviation of `NAME`.
        """
        raise NotImplementedError(
            f"`{type(self).__name__}` must have a method `compute(real, "
            "generated, protocol)`"
        )

    def compute_from_model(self, real, generator, protocol, extract):
        """Computes the metric of images that it generates by itself.

        Args:
            real: As in `compute`.
            generator: An object with the attributes `model`, `seed` and
                `arguments`, a dict of arguments for `model.generate`; and
                with a method `images(num_images, seed, labels=None)` that
                gives images to `extract`.
            protocol: As in `compute`.
            extract: Function from such images to their statistics, as
                `generated` in `compute`.

        Returns:
            As `compute`.
        """
        raise NotImplementedError(
            f"`{type(self).__name__}` must have a method `compute_from_model("
            "real, generator, protocol, extract)`, because it has "
            "`generates = True`"
        )

    def details(self, results, protocol):
        """Returns what a report adds about how it was computed, or None.

        Args:
            results: Dict of `metrics.evaluate`.
            protocol: Dict, that of the results.
        """
        return None

    def needs_of(self, side):
        """The arrays that are kept of `"real"` or `"generated"` images."""
        needs = self.real_needs if side == "real" else self.generated_needs
        return needs or ()


def as_results(metric, computed):
    """Returns what a metric computed as a dict, its values as floats.

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
    return {**computed, **{name: float(computed[name]) for name in names}}
