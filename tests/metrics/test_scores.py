"""Metrics have their closed forms, and torch-fidelity's values."""

import numpy as np
import pytest

from keras_sagan import metrics
from keras_sagan.metrics import GaussianStatistics
from tests.metrics import references

pytestmark = pytest.mark.no_backend


def statistics_of(*parts):
    statistics = GaussianStatistics()
    for part in parts:
        statistics.update(part)
    return statistics


def test_values_are_those_of_torch_fidelity():
    real, fake, logits = references.features()
    golden = np.load(references.PATH)
    found = {
        "frechet_inception_distance": metrics.frechet_distance(real, fake),
        "inception_score": metrics.inception_score(logits),
        "kernel_inception_distance": metrics.kernel_distance(
            real, fake, subset_size=100
        ),
    }
    precision, recall = metrics.precision_recall(real, fake)
    found |= {"precision": precision, "recall": recall}
    for name, value in found.items():
        if isinstance(value, tuple):
            expected = [float(golden[f"{name}_{k}"]) for k in ("mean", "std")]
        else:
            expected = float(golden[name])
        assert value == pytest.approx(expected, rel=1e-4), name
    assert 0 < precision < 1 and 0 < recall < 1


def test_merged_statistics_are_those_of_the_whole(rng, tmp_path):
    x = 1e3 + rng.normal(size=(101, 7)) * np.arange(1, 8)
    whole = statistics_of(x)
    first, second = statistics_of(x[:3], x[3:50]), statistics_of(x[50:])
    first.merge(second)
    first.merge(GaussianStatistics())
    assert first.count == 101
    for merged in (first, statistics_of(*np.array_split(x, 20))):
        for found, expected in (
            (merged.mean, np.mean(x, axis=0)),
            (merged.covariance, np.cov(x, rowvar=False)),
            (merged.covariance, whole.covariance),
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_statistics_are_saved_as_others_read_them(rng, tmp_path):
    x = rng.normal(size=(20, 3))
    statistics = statistics_of(x)
    statistics.made_from = {"images": 20}
    statistics.save(tmp_path / "a.npz")
    arrays = np.load(tmp_path / "a.npz")
    np.testing.assert_allclose(arrays["mu"], x.mean(0))
    np.testing.assert_allclose(arrays["sigma"], np.cov(x.T))
    again = GaussianStatistics.load(tmp_path / "a.npz")
    assert again.made_from == {"images": 20} and again.count == 20
    again.update(x)
    np.testing.assert_allclose(again.covariance, np.cov(np.r_[x, x].T))
    # Of another tool: no count, so nothing to merge, but a distance.
    np.savez(tmp_path / "b.npz", mu=x.mean(0), sigma=np.cov(x.T))
    other = GaussianStatistics.load(tmp_path / "b.npz")
    assert metrics.frechet_distance(other, statistics) == pytest.approx(
        0, abs=1e-6
    )
    with pytest.raises(ValueError, match="without a count"):
        statistics.merge(other)
    np.savez(tmp_path / "c.npz", mean=x)
    with pytest.raises(ValueError, match=r"an \.npz with `mu` and `sigma`"):
        GaussianStatistics.load(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", mu=x[0], sigma=x)
    with pytest.raises(ValueError, match="sigma` of shape"):
        GaussianStatistics.load(tmp_path / "d.npz")
    with pytest.raises(ValueError, match="at least two images"):
        _ = statistics_of(x[:1]).covariance


def rank_deficient(rng, n, d, rank):
    return rng.normal(size=(n, rank)) @ rng.normal(size=(rank, d))


def test_frechet_distance_without_full_rank(rng):
    """Commuting covariances of rank 3 in 40 dimensions: a closed form."""
    basis, _ = np.linalg.qr(rng.normal(size=(40, 40)))
    x = rng.normal(size=(60, 5))
    x = (x - x.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    scale_1 = np.array([1.0, 2.0, 3.0, 0.0, 0.0])
    scale_2 = np.array([2.0, 2.0, 0.0, 4.0, 0.0])
    a, b = (x * scale @ basis[:5] for scale in (scale_1, scale_2))
    expected = np.sum((scale_1 - scale_2) ** 2)
    for real in (a, statistics_of(a)):
        for fake in (b, statistics_of(b)):
            found = metrics.frechet_distance(real, fake)
            assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("n", "m"), [(20, 25), (20, 90), (90, 20)])
def test_thin_factors_give_the_distance_of_covariances(n, m, rng):
    a = rng.normal(size=(n, 40))
    b = 0.5 + rng.normal(size=(m, 40)) @ rng.normal(size=(40, 40))
    found = metrics.frechet_distance(a, b)
    expected = metrics.frechet_distance(statistics_of(a), statistics_of(b))
    assert found == pytest.approx(expected, rel=1e-7)
    mixed = metrics.frechet_distance(a, statistics_of(b))
    assert mixed == pytest.approx(expected, rel=1e-7)


def test_distance_to_itself_is_zero(rng):
    for n in (10, 100):
        x = rng.normal(size=(n, 20))
        for a in (x, statistics_of(x)):
            for b in (x, statistics_of(x)):
                assert metrics.frechet_distance(a, b) < 1e-6


def test_inception_score_of_uniform_one_hots_is_the_classes():
    logits = np.tile(1000 * np.eye(7), (20, 1))
    assert metrics.inception_score(logits, splits=1) == pytest.approx((7, 0))
    same = np.tile([[5.0, 1.0, 0.0]], (20, 1))
    assert metrics.inception_score(same, splits=4) == pytest.approx((1, 0))
    with pytest.raises(ValueError, match="`splits` must be from 1 to 20"):
        metrics.inception_score(same, splits=21)


def test_kernel_distance_is_the_definition(rng):
    """Over all pairs, by loops; subsets of everything are everything."""
    x, y = rng.normal(size=(9, 3)), rng.normal(size=(9, 3)) + 1
    k = lambda a, b: (a @ b / 3 + 1) ** 3  # noqa: E731
    pairs = [(i, j) for i in range(9) for j in range(9)]
    expected = np.mean([k(x[i], x[j]) for i, j in pairs if i != j])
    expected += np.mean([k(y[i], y[j]) for i, j in pairs if i != j])
    expected -= 2 * np.mean([k(x[i], y[j]) for i, j in pairs])
    found = metrics.kernel_distance(x, y, subsets=2, subset_size=9)
    assert found == pytest.approx((expected, 0))
    with pytest.raises(ValueError, match="`subset_size` must be from 2"):
        metrics.kernel_distance(x, y)


def test_precision_and_recall_are_the_definition(rng):
    real, fake = rng.normal(size=(30, 2)), 0.5 * rng.normal(size=(20, 2))

    def share(of, among):
        reach = [np.sort(np.linalg.norm(among - x, axis=1))[3] for x in among]
        inside = [
            np.any(np.linalg.norm(among - x, axis=1) <= reach) for x in of
        ]
        return np.mean(inside)

    found = metrics.precision_recall(real, fake)
    assert found == pytest.approx((share(fake, real), share(real, fake)))
    assert found[1] < found[0]


def test_equal_and_disjoint_sets(rng, monkeypatch):
    x = rng.normal(size=(40, 5))
    monkeypatch.setattr("keras_sagan.metrics.manifold._BLOCK", 7)
    assert metrics.precision_recall(x, x) == (1, 1)
    assert metrics.precision_recall(x, x + 100) == (0, 0)
    density, coverage = metrics.density_coverage(x, x)
    assert coverage == 1 and density > 0.9
    assert metrics.density_coverage(x, x + 100) == (0, 0)
    with pytest.raises(ValueError, match="`fake` must hold more"):
        metrics.precision_recall(x, x[:3])
    with pytest.raises(ValueError, match="must be finite"):
        metrics.precision_recall(x, np.full_like(x, np.nan))


def test_density_is_the_definition(rng):
    real, fake = rng.normal(size=(30, 2)), rng.normal(size=(20, 2))
    reach = [np.sort(np.linalg.norm(real - x, axis=1))[5] for x in real]
    counts = [np.sum(np.linalg.norm(real - x, axis=1) <= reach) for x in fake]
    found, _ = metrics.density_coverage(real, fake)
    assert found == pytest.approx(np.mean(counts) / 5)


def test_intra_fid(rng):
    real, fake = rng.normal(size=(60, 4)), rng.normal(size=(40, 4))
    real_labels, fake_labels = np.arange(60) % 3, np.arange(40) % 3
    mean, distances = metrics.intra_fid(real, real_labels, fake, fake_labels)
    expected = [
        metrics.frechet_distance(real[real_labels == c], fake[fake_labels == c])
        for c in range(3)
    ]
    assert list(distances.values()) == pytest.approx(expected)
    assert mean == pytest.approx(np.mean(expected))
    with pytest.raises(ValueError, match=r"fake_labels.* 0 of class 2"):
        metrics.intra_fid(real, real_labels, fake, fake_labels % 2)
    with pytest.raises(ValueError, match=r"real_labels.* 0 of class 2"):
        metrics.intra_fid(real, real_labels % 2, fake, fake_labels)


def test_neighbours_are_the_nearest_and_oneself_first(rng):
    images = rng.integers(0, 256, (50, 4, 4, 3), "uint8")
    samples = rng.integers(0, 256, (6, 4, 4, 3), "uint8")
    samples[2] = images[11]
    indices, distances = metrics.nearest_neighbors(
        samples, images, 4, batch_size=9
    )
    x, y = (a.reshape(len(a), -1) / 255 for a in (samples, images))
    exact = np.linalg.norm(x[:, None] - y, axis=-1)
    assert (indices == np.argsort(exact, axis=1)[:, :4]).all()
    np.testing.assert_allclose(distances, np.sort(exact, axis=1)[:, :4])
    assert indices[2, 0] == 11 and distances[2, 0] == 0
    colours = lambda x: x.mean(axis=(1, 2))  # noqa: E731
    by_colour, _ = metrics.nearest_neighbors(
        samples, images, 1, feature_extractor=colours
    )
    exact = np.linalg.norm(colours(samples)[:, None] - colours(images), axis=-1)
    assert (by_colour[:, 0] == exact.argmin(axis=1)).all()
    with pytest.raises(
        ValueError, match="`count` must be an integer from 1 to 50"
    ):
        metrics.nearest_neighbors(samples, images, 51)
    with pytest.raises(ValueError, match="of one size"):
        metrics.nearest_neighbors(samples[:, :2], images)


def test_statistics_without_a_count_cannot_grow(tmp_path, rng):
    np.savez(tmp_path / "x.npz", mu=np.zeros(2), sigma=np.eye(2))
    statistics = GaussianStatistics.load(tmp_path / "x.npz")
    with pytest.raises(ValueError, match="must know their number of images"):
        statistics.update(rng.normal(size=(10, 2)))
    np.testing.assert_array_equal(statistics.mean, [0, 0])
