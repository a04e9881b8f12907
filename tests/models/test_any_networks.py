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


def plain_discriminator(head):
    x = images = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(4, 4, 4, activation="relu")(x)
    return keras.Model(images, head(x))


HEADS = {
    "(B, 1)": lambda x: layers.Dense(1)(layers.Flatten()(x)),
    "(B,)": lambda x: layers.Reshape(())(layers.Dense(1)(layers.Flatten()(x))),
    "(B, h, w, 1)": lambda x: layers.Conv2D(1, 1)(x),
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_forms_of_logits(head, rng):
    """A map of logits is averaged; what the loss is of one logit, it is."""
    model = keras_sagan.SAGAN(
        sequential_networks()[0], plain_discriminator(head), seed=1
    )
    model.compile(run_eagerly=keras.backend.backend() != "jax")
    images = rng.uniform(-1, 1, (8, SIZE, SIZE, 3)).astype("float32")
    logs = model.evaluate(images, batch_size=8, verbose=0, return_dict=True)
    real = array(model.discriminator(images))
    np.testing.assert_allclose(logs["real_logits"], real.mean(), rtol=1e-4)
    history = model.fit(images, batch_size=4, verbose=0).history
    assert np.isfinite(history["discriminator_loss"]).all()


@keras.saving.register_keras_serializable(package="tests")
class Idle(layers.Layer):
    """Has a weight that it does not use."""

    def build(self, input_shape):
        self.unused = self.add_weight(shape=(3,), name="unused")

    def call(self, x):
        return x


def test_a_weight_that_is_not_used_stays(rng):
    generator, discriminator = sequential_networks()
    generator.add(Idle())
    model = keras_sagan.SAGAN(generator, discriminator, seed=1)
    model.compile()
    before = array(generator.layers[-1].unused)
    images = rng.uniform(-1, 1, (8, SIZE, SIZE, 3)).astype("float32")
    model.fit(images, batch_size=4, verbose=0)
    np.testing.assert_array_equal(before, array(generator.layers[-1].unused))


@pytest.mark.parametrize("frozen", ["generator", "discriminator"])
def test_a_network_may_be_frozen_as_a_whole(frozen, rng):
    model = keras_sagan.SAGAN(*sequential_networks(), seed=1)
    getattr(model, frozen).trainable = False
    model.compile()
    other = {"generator": "discriminator", "discriminator": "generator"}[frozen]
    before = {
        name: values(getattr(model, name).variables) for name in (frozen, other)
    }
    images = rng.uniform(-1, 1, (8, SIZE, SIZE, 3)).astype("float32")
    history = model.fit(images, batch_size=4, verbose=0).history
    assert history[f"{frozen}_gradient_norm"] == [0.0]
    for name, moved in ((frozen, False), (other, True)):
        after = values(getattr(model, name).variables)
        changed = [
            not np.array_equal(a, b) for a, b in zip(before[name], after)
        ]
        assert any(changed) == moved


def test_gray_networks_take_gray_images(rng):
    generator = keras.Sequential(
        [
            keras.Input((LATENTS,)),
            layers.Dense(SIZE * SIZE, activation="tanh"),
            layers.Reshape((SIZE, SIZE, 1)),
        ]
    )
    x = images = keras.Input((SIZE, SIZE, 1))
    discriminator = keras.Model(images, layers.Dense(1)(layers.Flatten()(x)))
    model = keras_sagan.SAGAN(generator, discriminator)
    model.compile()
    gray = rng.integers(0, 256, (8, SIZE, SIZE, 1), "uint8")
    model.fit(gray, batch_size=4, verbose=0)
    assert model.generate(num_images=2).shape == (2, SIZE, SIZE, 1)
    with pytest.raises(ValueError, match=r"\(batch, 16, 16, 1\)"):
        model.fit(np.repeat(gray, 3, axis=-1), verbose=0)


def test_weights_in_float16_are_refused():
    keras.config.set_dtype_policy("float16")
    with pytest.raises(ValueError, match="must not have weights in float16"):
        keras_sagan.SAGAN(*sequential_networks())


def test_two_outputs_are_refused():
    generator, discriminator = sequential_networks()
    x = discriminator.outputs[0]
    two = keras.Model(discriminator.inputs, [x, x])
    with pytest.raises(ValueError, match="must have one output"):
        keras_sagan.SAGAN(generator, two)


def test_the_model_may_be_called_and_predicts(rng):
    model = keras_sagan.SAGAN(*sequential_networks())
    model.compile()
    latents = rng.normal(size=(4, LATENTS)).astype("float32")
    expected = array(model.ema_generator(latents))
    np.testing.assert_allclose(array(model(latents)), expected, atol=1e-6)
    predicted = model.predict(latents, verbose=0)
    np.testing.assert_allclose(predicted, expected, atol=1e-6)


def test_callbacks_see_current_values(rng, tmp_path):
    """On JAX the values are not in the variables while `fit` runs."""
    model = keras_sagan.SAGAN(*sequential_networks(), seed=1)
    model.compile()
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(model.count_steps())
            weights = model.get_weights()
            path = tmp_path / f"{batch}.weights.h5"
            model.save_weights(path)
            model.save(tmp_path / f"{batch}.keras")
            copy = keras.saving.load_model(tmp_path / f"{batch}.keras")
            for a, b in zip(weights, copy.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)
            other = keras_sagan.SAGAN(*sequential_networks(), seed=1)
            other.compile()
            other.load_weights(path)
            np.testing.assert_array_equal(
                other.generate(seed=0), model.generate(seed=0)
            )
            seen.append(model.predict(np.zeros((2, LATENTS)), verbose=0).shape)
            model.evaluate(images, batch_size=4, verbose=0)
            for a, b in zip(weights, model.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)

    images = rng.uniform(-1, 1, (8, SIZE, SIZE, 3)).astype("float32")
    model.fit(images, batch_size=4, verbose=0, callbacks=[Look()])
    shape = (2, SIZE, SIZE, 3)
    assert seen == [1, shape, 2, shape]
