"""A user's `Metric` takes part in `evaluate` and `report`."""

import json

import numpy as np
import pytest

from keras_sagan import metrics
from tests.helpers import tiny_model
from tests.metrics.extractor import quadrants

pytestmark = pytest.mark.no_backend


class Brightness(metrics.Metric):
    name = "brightness"
    title = "difference of brightness"
    format = ".1f"

    def compute(self, real, generated, protocol):
        real_mean = real.statistics.mean.mean()
        return np.float32(abs(generated.statistics.mean.mean() - real_mean))


class Spread(metrics.Metric):
    """Two numbers of the generated images alone, from their features."""

    name = "spread"
    values = (
        metrics.Value("smallest_std", "smallest std", True, ".2f"),
        metrics.Value("largest_std", "largest std", True, ".2f"),
    )
    real_needs = None
    generated_needs = ("features",)

    def compute(self, real, generated, protocol):
        stds = generated.features.std(axis=0)
        return {
            "smallest_std": stds.min(),
            "smallest_std_std": stds.std(),
            "largest_std": stds.max(),
        }

    def details(self, results, protocol):
        return f"std over {len(results)} entries"


class Repetition(metrics.Metric):
    """How far images of one seed are from one another: a model's own images."""

    name = "repetition"
    generates = True

    def compute_from_model(self, real, generator, protocol, extract):
        labels = np.zeros(4, int)
        first, second = (
            extract(generator.images(4, generator.seed, labels))
            for _ in range(2)
        )
        return abs(first.statistics.mean - second.statistics.mean).sum()


@pytest.fixture
def images(rng):
    return rng.integers(0, 200, (2, 40, 8, 8, 3)).astype("uint8")


def test_a_metric_of_ones_own_is_evaluated_and_reported(images):
    real, fake = images[0], images[0] + 30
    own = Brightness()
    results = metrics.evaluate(
        fake, real, ["fid", own], feature_extractor=quadrants
    )
    assert results["brightness"] == pytest.approx(30, abs=1e-4)
    assert type(results["brightness"]) is float
    assert results["fid"] > 0
    lines = metrics.report(results, [own]).splitlines()
    assert lines[1] == "difference of brightness  30.0"
    # Without the metric, a report calls the value by its name.
    assert "brightness         30.0000" in metrics.report(results)


def test_a_metric_of_two_values_may_need_no_real_images(images):
    own = Spread()
    results = metrics.evaluate(
        images[1], None, own, feature_extractor=quadrants
    )
    stds = np.float32(quadrants(images[1])[0]).std(axis=0)
    assert results["largest_std"] == pytest.approx(float(stds.max()))
    json.dumps(results)  # Also the value that `values` does not name.
    text = metrics.report(results, own)
    expected = f"smallest std       {stds.min():.2f} +- {stds.std():.2f}"
    assert expected in text and "std over 4 entries" in text


def test_a_metric_may_generate_images_of_its_own(any_singular_vector, images):
    results = metrics.evaluate(
        tiny_model(), images[0], Repetition(), feature_extractor=quadrants
    )
    assert results["repetition"] == 0
    # No images were generated but the metric's.
    assert results["protocol"]["generated"] is None


def test_built_in_metrics_are_objects_too(images):
    by_name, by_object = (
        metrics.evaluate(
            images[0], images[1], metric, feature_extractor=quadrants
        )
        for metric in ("fid", metrics.FrechetDistance())
    )
    assert by_name == by_object
    found = metrics.get_metrics(metrics.list_metrics())
    assert [m.name for m in found] == metrics.list_metrics()
    assert {v.name for m in found for v in m.values if v.higher_is_better} == {
        "is",
        "precision",
        "recall",
        "density",
        "coverage",
    }


def test_bad_metrics_are_errors(images):
    class Nameless(metrics.Metric):
        def compute(self, real, generated, protocol):
            return 0.0

    class Silent(Brightness):
        name = "silent"
        compute = metrics.Metric.compute

    class Wrong(Brightness):
        def compute(self, real, generated, protocol):
            return {"light": 1.0}

    for own, error, message in (
        (Brightness, ValueError, "or `Metric` objects"),
        ([], ValueError, "or `Metric` objects"),
        (Nameless(), ValueError, "a name of its own"),
        ([Brightness(), Brightness()], ValueError, "a name of its own"),
        (Silent(), NotImplementedError, "a method `compute"),
        (Wrong(), ValueError, "with brightness"),
    ):
        with pytest.raises(error, match=message):
            metrics.evaluate(*images, own, feature_extractor=quadrants)
