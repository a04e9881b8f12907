"""`metrics.evaluate`: what is judged, how it is told, and what is refused."""

import io
import itertools

import keras
import numpy as np
import pytest
from PIL import Image

from keras_sagan import data
from keras_sagan import metrics
from keras_sagan.metrics.images import Generated
from keras_sagan.metrics.progress import progress
from tests.helpers import tiny_model
from tests.metrics.extractor import quadrants

no_backend = pytest.mark.no_backend


@pytest.fixture
def sets(rng):
    """Real and generated images at 8 pixels, of 3 classes."""
    labels = np.arange(120) % 3
    base = 60 * labels[:, None, None, None]
    real = base + rng.integers(0, 90, (120, 8, 8, 3))
    fake = base + rng.integers(0, 120, (120, 8, 8, 3))
    return real.astype("uint8"), fake.astype("uint8"), labels


@pytest.fixture
def protocol():
    return {
        **metrics.get_protocol("torch-fidelity"),
        "kid_subsets": 5,
        "kid_subset_size": 20,
        "images_per_class": 15,
    }


ALL = metrics.list_metrics()


@no_backend
def test_all_metrics_are_those_of_the_features(sets, protocol):
    real, fake, labels = sets
    results = metrics.evaluate(
        (fake, labels),
        (real, labels),
        ALL,
        protocol=protocol,
        feature_extractor=quadrants,
        batch_size=50,
    )
    (x, _), (y, logits) = quadrants(real), quadrants(fake)
    x, y = np.float32(x), np.float32(y)
    expected = {
        "fid": metrics.frechet_distance(x, y),
        "is": metrics.inception_score(logits)[0],
        "kid": metrics.kernel_distance(x, y, 5, 20)[0],
        "precision": metrics.precision_recall(x, y)[0],
        "recall": metrics.precision_recall(x, y)[1],
        "density": metrics.density_coverage(x, y)[0],
        "coverage": metrics.density_coverage(x, y)[1],
        "intra_fid": metrics.intra_fid(x, labels, y, labels)[0],
    }
    for name, value in expected.items():
        assert results[name] == pytest.approx(value, rel=1e-5), name
    assert results["protocol"]["generated"] == 120
    text = metrics.report(results)
    # Not FID: another extractor's distance, and it says so.
    assert "FID " not in text.replace("intra-FID:", "")
    for part in (
        "Frechet distance",
        "features: quadrants",
        "120 generated, 120 real",
        "10 splits, unbiased logits",
        "5 subsets of 20",
        "k = 3",
        "3 classes, 15 generated of each",
        "seed 0",
        "protocol torch-fidelity, but for kid_subsets, kid_subset_size",
    ):
        assert part in text, part


def test_a_model_is_judged_by_what_it_generates(
    any_singular_vector, sets, protocol
):
    real, _, labels = sets
    model = tiny_model()
    results = metrics.evaluate(
        model,
        (real, labels),
        ["fid", "intra_fid"],
        num_images=15,
        protocol=protocol,
        feature_extractor=quadrants,
        batch_size=16,
        seed=3,
        truncation=0.8,
    )
    images = model.generate(num_images=15, seed=(3, 0), truncation=0.8)
    x, y = quadrants(real)[0], quadrants(images)[0]
    expected = metrics.frechet_distance(x, y)
    assert results["fid"] == pytest.approx(expected, rel=1e-5)
    images = model.generate([1] * 15, seed=(3, 1, 0), truncation=0.8)
    expected = metrics.frechet_distance(x[labels == 1], quadrants(images)[0])
    found = results["intra_fid_per_class"][1]
    assert found == pytest.approx(expected, rel=1e-5)
    assert "truncation 0.8" in metrics.report(results)


def test_the_papers_protocol_does_not_quantise(any_singular_vector, sets):
    seen = []

    def extractor(images):
        seen.append(images)
        return quadrants(images)

    model = tiny_model()
    real = sets[0]
    small = {**metrics.get_protocol("paper"), "real_images": 50}
    results = metrics.evaluate(
        model, real, ["fid"], 20, small, feature_extractor=extractor
    )
    assert results["protocol"]["real"] == 50
    floats = model.generate(num_images=20, seed=(0, 0), quantize=False)
    assert np.array_equal(seen[-1], floats) and floats.dtype == np.float32
    assert not np.array_equal(np.rint(floats * 127.5), floats * 127.5)
    uint8 = model.generate(num_images=20, seed=(0, 0))
    assert np.abs((floats + 1) * 127.5 - uint8).max() <= 0.5001
    # The real ones as the release scales them.
    assert seen[0].min() >= -1 and seen[0].max() <= 1
    scaled = np.unique(real) / 127.5 - 1
    assert np.isclose(seen[0].ravel()[:50, None], scaled).any(axis=1).all()


@no_backend
def test_statistics_are_kept_and_found_again(sets, protocol, tmp_path):
    real, fake, _labels = sets
    calls = []

    def extractor(images):
        calls.append(len(images))
        return quadrants(images)

    def run(images=real, names=("fid",), of=extractor, **kwargs):
        calls.clear()
        return metrics.evaluate(
            fake,
            images,
            names,
            protocol={**protocol, **kwargs},
            feature_extractor=of,
            cache=tmp_path / "cache",
        )["fid"]

    first = run()
    assert sum(calls) == 120 + 120 + 1
    assert run() == first and sum(calls) == 120 + 1
    # Of other images, another extractor or more features: made again.
    assert run(real[:100]) != first
    assert run(of=lambda x: quadrants(x)[0] + 1) == pytest.approx(first)
    assert run(names=["fid", "kid"]) == pytest.approx(first)
    assert sum(calls) == 241
    run(names=["kid", "fid"])
    assert sum(calls) == 121

    # Interrupted, it leaves nothing that would be taken for whole.
    def stopping(images):
        extractor(images)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return quadrants(images)

    with pytest.raises(KeyboardInterrupt):
        run(names=["fid", "kid"], of=stopping)
    assert not (tmp_path / "cache" / "statistics.npz").exists()
    assert run(names=["fid", "kid"]) == pytest.approx(first)
    (tmp_path / "cache" / "features.npy").unlink()
    assert run(names=["fid", "kid"]) == pytest.approx(first)
    assert sum(calls) == 241
    # So it is if a file was cut off.
    path = tmp_path / "cache" / "statistics.npz"
    path.write_bytes(path.read_bytes()[:300])
    assert run(names=["fid", "kid"]) == pytest.approx(first)
    assert sum(calls) == 241
    # Other tools read it, and it serves as `real`.
    assert {"mu", "sigma"} <= set(np.load(path).files)
    again = metrics.evaluate(fake, path, "fid", feature_extractor=quadrants)
    assert again["fid"] == pytest.approx(first)
    with pytest.raises(ValueError, match="must be images for kid"):
        metrics.evaluate(fake, path, ["kid"], feature_extractor=quadrants)


class Source:
    class_names = None

    def __init__(self, images, labels):
        self.items = list(zip(images, labels))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


@no_backend
def test_images_from_anywhere_are_the_same(sets, tmp_path):
    real, fake, labels = sets
    for i, (image, label) in enumerate(zip(fake, labels)):
        folder = tmp_path / "pictures" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{i:03}.png")
    np.savez(tmp_path / "images.npz", images=fake, labels=labels)
    found = [
        metrics.evaluate(
            x, (real, labels), "intra_fid", feature_extractor=quadrants
        )
        for x in (
            (fake, labels),
            Source(fake, labels),
            tmp_path / "pictures",
            str(tmp_path / "images.npz"),
        )
    ]
    for results in found[1:]:
        assert results["intra_fid"] == pytest.approx(found[0]["intra_fid"])


@no_backend
def test_the_inception_score_needs_no_real_images(sets):
    results = metrics.evaluate(sets[1], None, "is", feature_extractor=quadrants)
    expected = metrics.inception_score(quadrants(sets[1])[1])
    assert (results["is"], results["is_std"]) == pytest.approx(expected)
    assert "120 generated;" in metrics.report(results)


@no_backend
def test_mixed_sizes_and_wrong_images_are_errors(sets, tmp_path):
    real, fake, labels = sets

    def refuses(images, message, error=ValueError, names="fid"):
        with pytest.raises(error, match=message):
            metrics.evaluate(images, real, names, feature_extractor=quadrants)

    mixed = [(x[: 8 - i % 2], 0) for i, x in enumerate(fake)]
    refuses(Source(*zip(*mixed)), r"one size.*\(7, 8, 3\)")
    refuses(fake[..., :2], "with 1, 3 or 4 channels")
    refuses(fake / 255.0, "uint8")
    refuses(np.full(fake.shape, np.nan), "uint8")
    refuses(fake[:0], "none")
    refuses(3, "an array of images")
    refuses(tmp_path / "nowhere", "nowhere", FileNotFoundError)
    refuses(tmp_path, "folder of pictures")
    refuses((fake, labels[:5]), "labels of shape")
    refuses(fake, "`metrics` must be fid", names=["FID"])
    refuses(fake, "come with labels", names="intra_fid")
    np.savez(tmp_path / "a.npz", pixels=fake)
    refuses(tmp_path / "a.npz", "must hold `images`")
    with pytest.raises(ValueError, match="`real` must be given"):
        metrics.evaluate(fake, None, "fid", feature_extractor=quadrants)
    with pytest.raises(ValueError, match="`protocol` must be one of"):
        metrics.evaluate(fake, real, protocol="studiogan")
    with pytest.raises(ValueError, match=r"must give \(64, D\)"):
        metrics.evaluate(fake, real, feature_extractor=lambda x: x)
    with pytest.raises(ValueError, match="features alone"):
        metrics.evaluate(
            fake, real, "is", feature_extractor=lambda x: quadrants(x)[0]
        )
    with pytest.raises(ValueError, match=r"must be finite.*the first 2"):
        metrics.evaluate(
            fake,
            real,
            feature_extractor=lambda x: np.where(
                np.arange(len(x))[:, None] == 2, np.nan, 1.0
            ),
        )


@no_backend
def test_few_images_are_warned_of(sets):
    real, fake, _ = sets
    with pytest.warns(UserWarning, match="12 images for 12 features"):
        metrics.evaluate(fake[:12], real, "fid", feature_extractor=quadrants)


def test_a_diverged_model_is_an_error(any_singular_vector, sets):
    model = tiny_model()
    for variable in model.ema_generator.variables[:4]:
        variable.assign(keras.ops.full(variable.shape, np.nan))
    with pytest.raises(ValueError, match="its training has diverged"):
        metrics.evaluate(model, sets[0], "fid", 8, feature_extractor=quadrants)


def test_an_empty_class_is_an_error_before_anything_is_generated(
    any_singular_vector, sets
):
    real, _, labels = sets
    with pytest.raises(ValueError, match="0 of class 2"):
        metrics.evaluate(
            tiny_model(),
            (real[labels < 2], labels[labels < 2]),
            "intra_fid",
            feature_extractor=quadrants,
        )


@no_backend
def test_models_are_generated_from_chunk_by_chunk():
    class Model:
        def generate(self, labels, num_images, seed, quantize, ema):
            assert not quantize and not ema
            rng = np.random.default_rng(seed)
            return rng.uniform(-1, 1, (num_images, 2, 2, 3))

    images = Generated(Model(), 2100, seed=5, ema=False)
    batches = [batch for batch, _ in images.batches(64)]
    assert max(map(len, batches)) == 64
    whole = np.concatenate(batches)
    assert len(whole) == 2100 and len(np.unique(whole[:, 0, 0, 0])) == 2100


@no_backend
@pytest.mark.parametrize("terminal", [True, False])
def test_long_computations_say_how_far_they_are(terminal, monkeypatch):
    stream, clock = io.StringIO(), itertools.count(0, 10)
    stream.isatty = lambda: terminal
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    items = list(progress(iter("abcdefghij"), "letters", 10, stream))
    assert items == list("abcdefghij")
    text = stream.getvalue()
    assert "letters: 5 of 10, 1:00 left" in text
    assert text.count("\r") == (10 if terminal else 0)


@no_backend
def test_pictures_are_read_as_for_training(tmp_path):
    """Gray, transparent (laid on white) and turned ones."""
    rng = np.random.default_rng(0)
    for i, shape in enumerate([(9, 12), (9, 12, 4), (12, 9, 3)]):
        image = Image.fromarray(rng.integers(256, size=shape).astype("uint8"))
        turned = Image.Exif()
        turned[0x0112] = 6 if i == 2 else 1
        image.save(tmp_path / f"{i}.png", exif=turned)
    source = data.ImageFolder(tmp_path)
    seen = []

    def look(images):
        seen.append(images)
        return images.mean(axis=(1, 2))

    metrics.reference(tmp_path, feature_extractor=look)
    for image, i in zip(np.concatenate(seen), range(3)):
        np.testing.assert_array_equal(image, source[i][0])
    (tmp_path / "3.png").write_bytes(b"not an image")
    with pytest.raises(ValueError, match=r"whole images.*3\.png.*not an image"):
        metrics.reference(tmp_path, feature_extractor=look)


@no_backend
def test_a_report_says_only_what_was_done(sets):
    real, fake, _ = sets
    results = metrics.evaluate(fake, real, "fid", feature_extractor=quadrants)
    assert "bilinear" not in metrics.report(results)
    results["protocol"]["extractor"] = "inception-2015-12-05"
    assert "TensorFlow 1 bilinear to 299" in metrics.report(results)


@no_backend
def test_a_protocol_has_no_unknown_keys():
    protocol = metrics.get_protocol("paper")
    assert metrics.get_protocol(protocol)["name"] == "paper"
    with pytest.raises(ValueError, match=r"no other keys.*a dict with splits"):
        metrics.get_protocol({**protocol, "splits": 1})


@no_backend
def test_another_cache_does_not_change_what_was_read(sets, tmp_path):
    real, fake, _ = sets
    arguments = {"cache": tmp_path, "feature_extractor": quadrants}
    first = metrics.reference(real, ["kid"], **arguments)
    before = np.array(first.features)
    metrics.reference(fake, ["kid"], **arguments)
    np.testing.assert_array_equal(first.features, before)
