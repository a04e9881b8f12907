"""Images back to their latents: `SAGAN.project`."""

import keras
import numpy as np
import pytest
from PIL import Image

import keras_sagan
from keras_sagan import cli
from keras_sagan import layers
from keras_sagan import models
from keras_sagan import visualization
from tests.helpers import array
from tests.helpers import embedding_generator
from tests.helpers import tiny_model
from tests.helpers import values


def with_variety(model):
    """Class tables and kernels as after long training: images differ."""
    rng = np.random.default_rng(0)
    for layer in model.ema_generator.layers:
        if isinstance(layer, layers.ConditionalBatchNorm):
            for table in (layer.gamma, layer.beta):
                noise = rng.normal(size=table.shape).astype("float32")
                table.assign(array(table) + noise)
        elif layer.name == "last_norm":
            layer.gamma.assign(3 * array(layer.gamma))
    return model


@pytest.fixture
def model():
    return with_variety(tiny_model(compiled=False))


def test_generated_images_are_found_again(model):
    before = values(model.variables)
    labels = [2, 0, 1]
    images = model.generate(labels, seed=5)
    found = model.project(images, labels, steps=150, batch_size=2)
    again = model.generate(labels, latents=found.latents)
    assert np.abs(again.astype(int) - found.images.astype(int)).max() <= 1
    assert found.class_weights is None and found.labels.tolist() == labels
    # Far nearer than the nearest of 256 random ones, where it began.
    floats = images / 127.5 - 1
    start = np.square(found.history[0] / 127.5 - 1 - floats).mean((1, 2, 3))
    assert found.errors.mean() < 0.25 * start.mean()
    measured = np.square(found.images / 127.5 - 1 - floats).mean((1, 2, 3))
    assert np.allclose(found.errors, measured, atol=1e-3)
    assert len(found.curve) == 15 and found.curve[-1] < found.curve[0]
    assert found.steps[0] == 0 and found.steps[-1] == 150
    assert found.history.shape == (len(found.steps), *images.shape)
    for a, b in zip(before, values(model.variables), strict=True):
        assert np.array_equal(a, b)


def test_weights_of_classes_are_found_too(model):
    images = model.generate([2, 0], seed=5)
    found = model.project(images, steps=20)
    assert found.labels is None
    assert found.class_weights.shape == (2, 3)
    assert np.allclose(found.class_weights.sum(axis=1), 1, atol=1e-5)
    again = model.generate(
        latents=found.latents, class_weights=found.class_weights
    )
    assert np.abs(again.astype(int) - found.images.astype(int)).max() <= 1
    # The same seed finds the same, another one starts elsewhere.
    same = model.project(images, steps=20)
    assert np.allclose(same.latents, found.latents, atol=1e-5)
    other = model.project(images, steps=10, seed=1)
    assert not np.array_equal(other.history[0], found.history[0])


@pytest.mark.no_backend
def test_other_losses_and_models_without_classes():
    model = with_variety(tiny_model(num_classes=None, compiled=False))
    images = model.generate(num_images=2, seed=3)

    def means(x):
        return keras.ops.mean(x, axis=(1, 2))

    found = model.project(images, steps=100, loss=means, prior=0.0)
    assert found.labels is None and found.class_weights is None
    wanted, reached, start = (
        (x / 127.5 - 1).mean((1, 2))
        for x in (images, found.images, found.history[0])
    )
    assert np.abs(reached - wanted).max() < 0.5 * np.abs(start - wanted).max()
    network = keras.Sequential(
        [
            keras.Input(images.shape[1:]),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.9),
            keras.layers.Dense(4),
        ]
    )
    before = values(network.variables)
    found = model.project(images, steps=20, loss=network, ema=False)
    assert found.images.shape == images.shape
    for a, b in zip(before, values(network.variables), strict=True):
        assert np.array_equal(a, b)  # It measures, and is not trained.


@keras.saving.register_keras_serializable(package="tests")
class Plain(keras.Model):
    """A subclassed generator from latents and labels."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.table = keras.layers.Embedding(3, 8)
        self.dense = keras.layers.Dense(16 * 16 * 3, activation="tanh")
        self.shape = keras.layers.Reshape((16, 16, 3))

    def call(self, inputs, training=False):
        latents, labels = inputs
        return self.shape(self.dense(latents + self.table(labels)))


def test_a_subclassed_generator():
    discriminator = models.build_discriminator(16, 3, base_channels=2)
    model = keras_sagan.SAGAN(
        Plain(), discriminator, num_classes=3, latent_dim=8
    )
    images = model.generate([2], seed=3)
    found = model.project(images, [2], steps=50, prior=0)
    assert found.curve[-1] < found.curve[0]
    walk = visualization.projection_walk(
        model, model.project(images.repeat(2, axis=0), 2, steps=10), steps=2
    )
    assert len(walk) == 3


@pytest.mark.no_backend
def test_a_second_batch_is_searched_for_as_the_first(model):
    images = model.generate([0, 0, 0], seed=5)
    keras.config.set_dtype_policy("mixed_float16")
    found = model.project(images, 0, steps=50, batch_size=1)
    floats = images / 127.5 - 1
    start = np.square(found.history[0] / 127.5 - 1 - floats).mean((1, 2, 3))
    assert (found.errors < 0.9 * start).all()


@pytest.mark.no_backend
def test_one_class_has_nothing_to_weigh():
    model = tiny_model(num_classes=1, compiled=False)
    found = model.project(model.generate(0, seed=1), steps=10)
    assert found.class_weights is None and found.labels.tolist() == [0]


@pytest.mark.no_backend
def test_the_prior_keeps_latents_short(model):
    target = np.full((1, 16, 16, 3), 255, "uint8")  # Far from any image.
    free, kept = (
        model.project(target, 0, steps=60, prior=prior) for prior in (0, 1.0)
    )
    assert np.square(kept.latents).mean() < np.square(free.latents).mean()
    assert kept.errors[0] >= free.errors[0]


@pytest.mark.no_backend
def test_pictures(model, tmp_path):
    images = model.generate([2, 0], seed=5)
    found = model.project(images, steps=20)
    sheet = visualization.projection_sheet(
        images, found, path=tmp_path / "sheet.png"
    )
    assert Image.open(tmp_path / "sheet.png").size == sheet.shape[1::-1]
    walk = visualization.projection_walk(model, found, steps=4)
    assert walk.shape == (5, 1, 16, 16, 3)
    for i, frame in ((0, 0), (1, -1)):
        difference = walk[frame, 0].astype(int) - found.images[i]
        assert np.abs(difference).max() <= 1
    labelled = model.project(images, [2, 0], steps=10)
    assert len(visualization.projection_walk(model, labelled, steps=2)) == 3
    with pytest.raises(ValueError, match="must be the 2 targets"):
        visualization.projection_sheet(images[:1], found)
    one = model.project(images[:1], steps=10)
    with pytest.raises(ValueError, match="two images or more"):
        visualization.projection_walk(model, one)


@pytest.mark.no_backend
def test_the_command_line(model, tmp_path, capsys):
    model.compile()
    model.save(tmp_path / "model.keras")
    for i in range(2):
        image = Image.new("RGB", (40, 30 + i), (80 * i, 10, 200))
        image.save(tmp_path / f"{i}.png")
    paths = [str(tmp_path / f"{i}.png") for i in range(2)]
    given = ["project", str(tmp_path / "model.keras"), *paths, "--steps=10"]
    assert cli.main(given) == 0
    printed = capsys.readouterr().out
    assert "0.png: mean squared error " in printed
    assert "pixels in [-1, 1]" in printed
    assert ", mostly class " in printed
    out = tmp_path / "projection"
    assert (out / "projection.png").exists() and (out / "walk.webp").exists()
    arrays = np.load(out / "projection.npz")
    assert set(arrays) == {"latents", "class_weights"}
    assert cli.main([*given, "--classes=1", f"--out={tmp_path}/b"]) == 0
    arrays = np.load(tmp_path / "b" / "projection.npz")
    assert arrays["labels"].tolist() == [1, 1]
    assert cli.main([*given, "--classes=1,2,0"]) == 2
    assert cli.main([*given[:2], str(tmp_path / "none.png")]) == 1
    assert "there is no file" in capsys.readouterr().err


@pytest.mark.no_backend
@pytest.mark.parametrize(
    ("images", "kwargs", "message"),
    [
        (np.zeros((1, 8, 8, 3), "uint8"), {}, r"\(batch, 16, 16, 3\)"),
        (np.zeros((16, 16, 3), "uint8"), {}, "`images` must have the shape"),
        (np.zeros((0, 16, 16, 3), "uint8"), {}, "`images` must have the shape"),
        (np.full((1, 16, 16, 3), 9.0), {}, r"must be in \[-1, 1\]"),
        (None, {"steps": 15}, "`steps` must be a multiple of 10"),
        (None, {"steps": 0}, "`steps` must be an integer, at least 10"),
        (None, {"loss": "mse"}, "`loss` must be 'pixels', or a function"),
        (None, {"loss": 3}, "`loss` must be a function"),
        (None, {"learning_rate": 0}, "`learning_rate` must be positive"),
        (None, {"prior": -1}, "`prior` must be"),
        (None, {"labels": [3]}, r"`labels` must be in \[0, 3\)"),
        (None, {"labels": [0, 1]}, "must agree on the number of images"),
        (None, {"batch_size": 0}, "`batch_size` must be a positive integer"),
        (None, {"seed": -1}, "`seed` must be a non-negative integer"),
        (None, {"verbose": 2}, "`verbose` must be True or False"),
    ],
)
def test_bad_arguments_are_refused(images, kwargs, message):
    model = tiny_model(compiled=False)
    if images is None:
        images = np.zeros((1, 16, 16, 3), "uint8")
    with pytest.raises(ValueError, match=message):
        model.project(images, **kwargs)


@pytest.mark.no_backend
def test_a_generator_of_other_layers_needs_labels():
    generator = embedding_generator()
    discriminator = models.build_discriminator(16, 3, base_channels=2)
    model = keras_sagan.SAGAN(generator, discriminator, num_classes=3)
    target = model.generate([1], seed=2)
    with pytest.raises(ValueError, match="`labels` must be given for a gen"):
        model.project(target)
    found = model.project(target, 1, steps=100, prior=0)
    assert found.curve[-1] < 0.5 * found.curve[0]
