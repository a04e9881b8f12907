"""Several processes, here threads, judge images as one does."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keras_sagan import backends
from keras_sagan import metrics
from keras_sagan.metrics.images import Generated
from keras_sagan.metrics.images import Images
from keras_sagan.metrics.parts import local_slice
from tests.metrics.extractor import quadrants

pytestmark = pytest.mark.no_backend
METRICS = ["fid", "is", "kid", "precision_recall", "intra_fid"]


class Processes:
    """Threads in the place of processes, with the exchange of an engine."""

    def __init__(self, n, monkeypatch):
        self.n = n
        self.barrier = threading.Barrier(n, timeout=60)
        self.slots = [None] * n
        self.local = threading.local()
        monkeypatch.setattr(backends, "process", self.process)
        monkeypatch.setattr(backends, "gather", self.gather)

    def process(self):
        return self.local.index, self.n

    def gather(self, array):
        self.slots[self.local.index] = np.asarray(array)
        self.barrier.wait()
        every = np.stack(self.slots)  # Raises if the shapes differ.
        self.barrier.wait()
        return every

    def run(self, function):
        def run_as(index):
            self.local.index = index
            return function()

        with ThreadPoolExecutor(self.n) as pool:
            return list(pool.map(run_as, range(self.n)))


@pytest.fixture
def sets(rng):
    labels = rng.integers(3, size=130)
    real, fake = rng.integers(0, 256, (2, 130, 8, 8, 3)).astype("uint8")
    return (real, labels), (fake, np.roll(labels, 1))


# Of three batches of real images: one each, and none for the fourth.
@pytest.mark.parametrize("processes", [3, 4])
def test_all_have_the_values_of_one(processes, sets, monkeypatch, tmp_path):
    real, fake = sets
    protocol = {
        **metrics.get_protocol("torch-fidelity"),
        "kid_subsets": 5,
        "kid_subset_size": 20,
    }
    judged = []

    def extractor(images):
        judged.append(len(images))
        return quadrants(images)

    def run(cache):
        return metrics.evaluate(
            fake,
            real,
            METRICS,
            protocol=protocol,
            feature_extractor=extractor,
            batch_size=50,
            cache=tmp_path / cache,
        )

    one = run("one")
    several = Processes(processes, monkeypatch)
    for cached in (False, True):
        judged.clear()
        every = several.run(lambda: run("several"))
        # And an image for each process' look at the cache.
        assert sum(judged) == 130 + 130 * (not cached) + processes
        for results in every:
            for name in ("is", "kid", "precision", "recall"):
                assert results[name] == one[name], name
            for name in ("fid", "intra_fid"):
                assert results[name] == pytest.approx(one[name], rel=1e-10)
            assert results["protocol"] == one["protocol"]
    features = [
        np.load(tmp_path / c / "features.npy") for c in ("one", "several")
    ]
    assert np.array_equal(*features)


def made():
    class Model:
        def generate(self, labels, num_images, seed, quantize):
            rng = np.random.default_rng(seed)
            return rng.uniform(-1, 1, (num_images, 1, 1, 3))

    return Generated(Model(), 3300, seed=1), None, 64


def there():
    images = np.arange(390, dtype="uint8").reshape(130, 1, 1, 3)
    return Images("real", images), np.arange(0, 130, 2), 16


@pytest.mark.parametrize("processes", [1, 2, 5])
@pytest.mark.parametrize("kind", [made, there])
def test_parts_are_whole_pieces_and_together_all(kind, processes, monkeypatch):
    images, indices, batch_size = kind()

    def batches(indices):
        return [x for x, _ in images.batches(batch_size, indices)]

    whole = batches(indices)
    parts = Processes(processes, monkeypatch).run(
        lambda: batches(local_slice(images, indices, batch_size))
    )
    together = [x for part in parts for x in part]
    # The same batches, not only the same images.
    assert [len(x) for x in together] == [len(x) for x in whole]
    assert np.array_equal(np.concatenate(together), np.concatenate(whole))
    assert max(map(len, parts)) < len(whole) or processes == 1
