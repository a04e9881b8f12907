import numpy as np
import pytest

from keras_sagan import metrics


def test_coverage_of_itself_and_of_something_far(rng):
    x = rng.normal(size=(60, 4))
    assert metrics.coverage(x, x) == 1
    assert metrics.coverage(x, x + 100) == 0
    assert metrics.coverage(x, x[:1].repeat(50, axis=0)) < 0.3


def test_coverage_is_the_definition(rng):
    real, fake = rng.normal(size=(40, 3)), rng.normal(size=(30, 3))
    covered = 0
    for i, x in enumerate(real):
        among = np.sort(np.linalg.norm(np.delete(real, i, 0) - x, axis=1))
        covered += np.linalg.norm(fake - x, axis=1).min() <= among[2]
    assert metrics.coverage(real, fake, 3) == covered / 40


def test_coverage_in_blocks(rng, monkeypatch):
    real, fake = rng.normal(size=(40, 3)), rng.normal(size=(30, 3))
    whole = metrics.coverage(real, fake, 3)
    monkeypatch.setattr("keras_sagan.metrics.manifold._BLOCK", 7)
    assert metrics.coverage(real, fake, 3) == whole


def test_mean_class_distance(rng):
    images = rng.normal(size=(12, 2, 2))
    labels = np.repeat([0, 1, 5], 4)
    means = []
    for label in (0, 1, 5):
        x = images[labels == label].reshape(4, -1)
        pairs = [
            np.linalg.norm(x[i] - x[j]) for i in range(4) for j in range(i)
        ]
        means.append(np.mean(pairs))
    np.testing.assert_allclose(
        metrics.mean_class_distance(images, labels), np.mean(means)
    )


def test_refuses_bad_arguments(rng):
    x = rng.normal(size=(5, 4))
    for call, message in (
        (lambda: metrics.coverage(x, x[:, :2]), "vectors of one size"),
        (lambda: metrics.coverage(x, x), "more than `nearest_k`"),
        (lambda: metrics.coverage(x[:, 0], x), "at least two axes"),
        (
            lambda: metrics.mean_class_distance(x, np.arange(5)),
            "every class at least twice",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_frechet_distance_of_gaussians_is_the_closed_form(rng):
    """For covariances that commute: sum of (s_1 - s_2)^2, plus |m|^2."""
    x = rng.normal(size=(4000, 3))
    x = (x - x.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    shift, scale = np.array([1.0, -2.0, 0.5]), np.array([2.0, 1.0, 0.5])
    expected = np.sum(shift**2) + np.sum((scale - 1) ** 2)
    found = metrics.frechet_distance(x, x * scale + shift)
    assert found == pytest.approx(expected, rel=1e-9)
    assert metrics.frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_is_scipys(rng):
    """Also of covariances without full rank."""
    from scipy.linalg import sqrtm

    mixing = rng.normal(size=(6, 6))
    for n in (50, 4):
        a, b = rng.normal(size=(n, 6)) @ mixing, rng.normal(size=(n, 6)) + 1
        s_1, s_2 = np.cov(a.T), np.cov(b.T)
        root = sqrtm(s_1 @ s_2).real
        expected = np.sum((a.mean(0) - b.mean(0)) ** 2)
        expected += np.trace(s_1 + s_2 - 2 * root)
        found = metrics.frechet_distance(a, b)
        assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (np.zeros((3, 2)), np.zeros((3, 4)), "must be features"),
        (np.zeros((1, 2)), np.zeros((3, 2)), "at least two"),
        (np.zeros(3), np.zeros(3), "must be features"),
        (np.full((3, 2), np.nan), np.zeros((3, 2)), "must be finite"),
    ],
)
def test_frechet_distance_refuses_bad_features(real, fake, message):
    with pytest.raises(ValueError, match=message):
        metrics.frechet_distance(real, fake)
