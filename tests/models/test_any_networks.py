"""Somebody else's networks, without a layer of ours, are a SAGAN too."""

import urllib.request

import keras
import numpy as np
import pytest
from keras import layers

import keras_sagan
from keras_sagan import cli
from keras_sagan import models
from keras_sagan.data import normalize
from tests.helpers import array
from tests.helpers import free_port
from tests.helpers import values

LATENTS, CLASSES, SIZE = 6, 3, 16


def functional_networks(one_hot):
    """Functional networks of Keras' layers, with inputs of odd names."""
    z = keras.Input((LATENTS,), name="noise")
    x = layers.Dense(4 * 4 * 8)(z)
    y = keras.Input((CLASSES,) if one_hot else (1,), name="which")
    embedded = (
        layers.Dense(4)(y)
        if one_hot
        else layers.Flatten()(layers.Embedding(CLASSES, 4)(y))
    )
    x = layers.Reshape((4, 4, 8))(x)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2DTranspose(8, 4, 2, "same", activation="relu")(x)
    x = layers.Dropout(0.1, seed=5)(x)
    scale = layers.Reshape((1, 1, 8))(layers.Dense(8)(embedded))
    x = layers.Add()([x, scale])
    images = layers.Conv2DTranspose(3, 4, 2, "same", activation="tanh")(x)
    generator = keras.Model([z, y], images)

    picture = keras.Input((SIZE, SIZE, 3), name="picture")
    y = keras.Input((CLASSES,) if one_hot else (1,), name="kind")
    x = layers.Conv2D(8, 4, 2, "same", activation="leaky_relu")(picture)
    x = layers.Dropout(0.1, seed=5)(x)
    scale = layers.Reshape((1, 1, 8))(layers.Dense(8)(y))
    x = layers.Add()([x, scale])
    # A PatchGAN: a map of logits.
    logits = layers.Conv2D(1, 4, 2, "same")(x)
    return generator, keras.Model([picture, y], logits)


def sequential_networks():
    return (
        keras.Sequential(
            [
                keras.Input((LATENTS,)),
                layers.Dense(4 * 4 * 4),
                layers.Reshape((4, 4, 4)),
                layers.UpSampling2D(4),
                layers.Conv2D(3, 3, padding="same", activation="tanh"),
            ]
        ),
        keras.Sequential(
            [
                keras.Input((SIZE, SIZE, 3)),
                layers.Conv2D(4, 4, 4, activation="relu"),
                layers.Flatten(),
                layers.Dense(1),
            ]
        ),
    )


@keras.saving.register_keras_serializable(package="tests")
class Generator(keras.Model):
    def __init__(self, width=4, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.embedding = layers.Embedding(CLASSES, LATENTS)
        self.dense = layers.Dense(4 * 4 * width)
        self.norm = layers.BatchNormalization()
        self.up = layers.UpSampling2D(4)
        self.rgb = layers.Conv2D(3, 3, padding="same", activation="tanh")

    def call(self, inputs, training=False):
        latents, labels = inputs
        x = self.dense(latents * (1 + self.embedding(labels)))
        x = keras.ops.reshape(x, (-1, 4, 4, self.width))
        return self.rgb(self.up(self.norm(x, training=training)))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable(package="tests")
class Discriminator(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(4, 4, 4, activation="relu")
        self.flatten = layers.Flatten()
        self.dense = layers.Dense(1)
        self.embedding = layers.Embedding(CLASSES, 64)

    def call(self, inputs):
        images, labels = inputs
        h = self.flatten(self.conv(images))
        return self.dense(h * (1 + self.embedding(labels)))


CASES = {
    "functional": lambda: (functional_networks(False), CLASSES, None),
    "one_hot": lambda: (functional_networks(True), CLASSES, None),
    "sequential": lambda: (sequential_networks(), None, None),
    "subclassed": lambda: ((Generator(), Discriminator()), CLASSES, LATENTS),
}


@pytest.fixture(params=CASES)
def model(request):
    networks, num_classes, latent_dim = CASES[request.param]()
    model = keras_sagan.SAGAN(
        *networks,
        num_classes=num_classes,
        latent_dim=latent_dim,
        ema_momentum=0.5,
        ema_start_step=0,
        seed=1,
    )
    model.compile()
    return model


@pytest.fixture
def examples(model, rng):
    images = rng.integers(0, 256, (16, SIZE, SIZE, 3), "uint8")
    if model.num_classes is None:
        return (images,)
    return images, np.arange(16, dtype="int32") % CLASSES


def test_goes_all_the_way(model, examples, tmp_path):
    before = values(model.trainable_variables)
    history = model.fit(*examples, batch_size=8, epochs=2, verbose=0).history
    assert all(np.isfinite(x).all() for x in history.values())
    after = values(model.trainable_variables)
    for a, b in zip(before, after, strict=True):
        # A last bias may stand still: the hinge pulls it both ways.
        assert a.ndim < 2 or not np.array_equal(a, b)
    results = model.evaluate(*examples, verbose=0, return_dict=True)
    assert np.isfinite(list(results.values())).all()
    images = model.generate(num_images=5, seed=3, batch_size=2)
    assert images.shape == (5, SIZE, SIZE, 3) and images.dtype == np.uint8
    latents, labels = model.draw_inputs(num_images=5, seed=3)
    np.testing.assert_array_equal(
        images, model.generate(labels, latents=latents)
    )

    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    np.testing.assert_array_equal(loaded.generate(num_images=5, seed=3), images)
    for one in (model, loaded):
        one.fit(*examples, batch_size=8, shuffle=False, verbose=0)
    for a, b in zip(
        values(model.trainable_variables), values(loaded.trainable_variables)
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.no_backend
def test_the_verbs_work(model, examples, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model.steps_trained.assign(3)
    model.save("model.keras")
    np.savez("real.npz", images=np.repeat(examples[0], 2, axis=0))
    monkeypatch.setattr(
        "keras_sagan.metrics.evaluation.Inception",
        lambda logits: lambda x: normalize(x).mean(axis=(1, 2)),
    )
    walk = ["--seed=0,1", "--steps=2", "--out=walk.gif"]
    for arguments in (
        ["info", "model.keras"],
        ["sample", "model.keras", "--count=2", "--out=grid.png"],
        ["sample", "model.keras", "--count=2", "--out=each"],
        ["walk", "model.keras", *walk],
        ["evaluate", "model.keras", "real.npz", "--num_images=32"],
    ):
        assert cli.main(arguments) == 0, capsys.readouterr().err
    printed = capsys.readouterr().out
    for part in ("16x16", "6 entries", "3 steps", "Frechet distance"):
        assert part in printed
    for name in ("grid.png", "walk.gif", "each"):
        assert (tmp_path / name).exists()


@pytest.mark.no_backend
def test_the_page_is_served(model, tmp_path, monkeypatch):
    pytest.importorskip("gradio")
    from keras_sagan import app

    model.save(tmp_path / "model.keras")
    port, pages, serve = free_port(), [], app.serve
    monkeypatch.setattr(
        app, "serve", lambda *args: pages.append(serve(*args, block=False))
    )
    arguments = ["serve", str(tmp_path / "model.keras"), f"--port={port}"]
    assert cli.main(arguments) == 0
    try:
        url = f"http://127.0.0.1:{port}/config"
        with urllib.request.urlopen(url) as response:
            assert "SAGAN, 16 pixels" in response.read().decode()
    finally:
        pages[0].close()


@pytest.mark.no_backend
def test_describes_a_file_by_loading_it(model, tmp_path):
    model.save(tmp_path / "model.keras")
    about = models.describe_file(tmp_path / "model.keras")
    assert about["image_shape"] == (SIZE, SIZE, 3)
    assert about["latent_dim"] == LATENTS
    assert about["num_classes"] == model.num_classes
    assert about["parameters"]["generator"] == sum(
        np.size(array(v)) for v in model.generator.trainable_variables
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: (*functional_networks(False),),
            "`num_classes` must be given: the networks take labels",
        ),
        (
            lambda: (*sequential_networks(), CLASSES),
            r"`generator` must take \[latents, labels\]",
        ),
        (lambda: (Generator(), Discriminator(), CLASSES), "`latent_dim` must"),
        (lambda: (*sequential_networks(), 0), "`num_classes` must be a posi"),
        (
            lambda: (sequential_networks()[0], sequential_networks()[0]),
            "`discriminator` must take images of the shape",
        ),
    ],
)
def test_refuses_what_does_not_fit(make, message):
    with pytest.raises(ValueError, match=message):
        keras_sagan.SAGAN(*make())


def test_refuses_inputs_without_an_order():
    z = keras.Input((LATENTS,), name="z")
    y = keras.Input((1,), name="a")
    images = layers.Reshape((1, 1, 3))(layers.Dense(3)(z) + layers.Dense(3)(y))
    generator = keras.Model({"z": z, "a": y}, images)
    with pytest.raises(ValueError, match="by position, as a list"):
        keras_sagan.SAGAN(generator, functional_networks(False)[1], CLASSES)


@keras.saving.register_keras_serializable(package="tests")
class Named(layers.Layer):
    """Attributes that happen to have the names of methods of our layers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.sigma, self.logs, self.num_classes = 0.1, [], 5
        self.after_averaging = None

    def call(self, x):
        return x


def test_attributes_of_other_layers_mean_nothing():
    generator, discriminator = sequential_networks()
    generator.add(Named())
    model = keras_sagan.SAGAN(generator, discriminator)
    assert model.num_classes is None
    model.compile()
    images = np.zeros((8, SIZE, SIZE, 3), "uint8")
    history = model.fit(images, batch_size=4, verbose=0).history
    assert "largest_sigma" not in history
    with pytest.raises(ValueError, match="labels are given as `y`"):
        model.fit((images, images))
