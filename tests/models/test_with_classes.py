"""Other classes for a trained model, and fine-tuning to them."""

import keras
import numpy as np
import pytest

import keras_sagan
from keras_sagan import layers
from keras_sagan import models
from keras_sagan.models.discriminator import ClassEmbedding
from tests.helpers import array
from tests.helpers import embedding_generator
from tests.helpers import tiny_model
from tests.helpers import values


@pytest.fixture
def trained(digits_like):
    model = tiny_model(ema_momentum=0.5, ema_start_step=0)
    images, labels = digits_like
    model.fit(images, labels, batch_size=8, verbose=0)
    # Class tables that differ, as after long training.
    rng = np.random.default_rng(0)
    for network in (model.generator, model.ema_generator):
        for layer in network.layers:
            if isinstance(layer, layers.ConditionalBatchNorm):
                for table in (layer.gamma, layer.beta):
                    noise = rng.normal(size=table.shape)
                    table.assign(array(table) + noise.astype("float32"))
    return model


@pytest.mark.no_backend
def test_new_classes_start_from_those_named(trained):
    new = trained.with_classes(["c", "a"], from_classes=[2, 0])
    assert new.num_classes == 2 and new.count_steps() == 0
    assert new.compiled and new.loss.name == trained.loss.name
    latents, _ = trained.draw_inputs([0, 0], seed=1)
    for ema in (True, False):
        old = trained.generate([2, 0], latents=latents, ema=ema)
        now = new.generate([0, 1], latents=latents, ema=ema)
        assert np.array_equal(old, now)
    x = np.random.default_rng(1).uniform(-1, 1, (2, 16, 16, 3))
    x = x.astype("float32")
    logits = array(trained.discriminator([x, np.array([2, 0], "int32")]))
    found = array(new.discriminator([x, np.array([0, 1], "int32")]))
    # The norm of an embedding of fewer rows is another one.
    embedding = trained.discriminator.get_layer("embedding")
    norms = [
        float(array(m.discriminator.get_layer("embedding").sigma()))
        for m in (trained, new)
    ]
    h = keras.Model(
        trained.discriminator.inputs,
        [
            trained.discriminator.get_layer(name).output
            for name in ("linear", "projection")
        ],
    )
    linear, projection = map(array, h([x, np.array([2, 0], "int32")]))
    assert np.allclose(logits, linear + projection, atol=1e-5)
    expected = linear + projection * norms[0] / norms[1]
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-4)
    exact = np.linalg.norm(array(embedding.kernel)[[2, 0]], 2)
    assert abs(norms[1] - exact) < 1e-4 * exact


@pytest.mark.no_backend
def test_the_mean_of_all_classes_where_none_is_named(trained):
    new = trained.with_classes(4, from_classes=[None, 1, None, None])
    assert new.num_classes == 4
    latents, _ = trained.draw_inputs([0, 0], seed=1)
    mean = trained.generate(
        class_weights=np.full((2, 3), 1 / 3), latents=latents
    ).astype(int)
    for label in (0, 2, 3):
        now = new.generate(label, latents=latents)
        assert np.abs(now - mean).max() <= 1
    one = new.generate(1, latents=latents)
    assert np.array_equal(one, trained.generate(1, latents=latents))
    default = trained.with_classes(1).generate(0, latents=latents)
    assert np.abs(default - mean).max() <= 1


@pytest.mark.no_backend
def test_class_tables_with_spectral_normalization(digits_like):
    sizes = {"resolution": 16, "num_classes": 3, "base_channels": 2}
    model = keras_sagan.SAGAN(
        models.build_generator(
            **sizes, latent_dim=8, class_table_spectral_normalization=True
        ),
        models.build_discriminator(**sizes),
    )
    model.compile()
    new = model.with_classes(5, from_classes=[0, 1, 2, 0, 1])
    for norm in new.generator.layers:
        if isinstance(norm, layers.ConditionalBatchNorm):
            exact = np.linalg.norm(array(norm.gamma.kernel), 2)
            assert abs(float(array(norm.gamma.sigma())) - exact) < 1e-4
    images, _ = digits_like
    new.fit(images, np.arange(len(images)) % 5, batch_size=8, verbose=0)
    assert new.count_steps() == len(images) // 8


def test_it_trains_saves_and_loads(trained, digits_like, tmp_path):
    before = values(trained.variables)
    new = trained.with_classes(
        5, freeze_discriminator=2, augmentation=("translation",), seed=3
    )
    assert new.augmentation == ("translation",) and new.seed == 3
    frozen = ["block_1", "block_2"]
    weights = {
        name: [
            array(v)
            for x in new.discriminator.layers
            if x.name.startswith(name)
            for v in x.trainable_variables + x.non_trainable_variables
            if v.name not in ("u", "v")
        ]
        for name in (*frozen, "block_3")
    }
    images, _ = digits_like
    new.fit(images, np.arange(len(images)) % 5, batch_size=8, verbose=0)
    for name, old in weights.items():
        now = [
            array(v)
            for x in new.discriminator.layers
            if x.name.startswith(name)
            for v in x.trainable_variables + x.non_trainable_variables
            if v.name not in ("u", "v")
        ]
        same = all(np.array_equal(a, b) for a, b in zip(old, now, strict=True))
        assert same == (name in frozen) and old
    for a, b in zip(before, values(trained.variables), strict=True):
        assert np.array_equal(a, b)
    new.save(tmp_path / "new.keras")
    again = keras.saving.load_model(tmp_path / "new.keras")
    assert again.num_classes == 5
    assert len(again.discriminator.trainable_variables) == len(
        new.discriminator.trainable_variables
    )
    made = [m.generate([4, 0], seed=2) for m in (new, again)]
    assert np.array_equal(*made)
    again.fit(images, np.arange(len(images)) % 5, batch_size=8, verbose=0)
    # What was frozen is trained again in the next model.
    free = again.with_classes(2)
    assert len(free.discriminator.trainable_variables) == len(
        trained.discriminator.trainable_variables
    )


@pytest.mark.no_backend
def test_classes_are_taken_away_and_added(trained, digits_like):
    plain = trained.with_classes(None)
    assert plain.num_classes is None
    latents, _ = trained.draw_inputs([0, 0], seed=1)
    mean = trained.generate(
        class_weights=np.full((2, 3), 1 / 3), latents=latents
    ).astype(int)
    assert np.abs(plain.generate(latents=latents) - mean).max() <= 1
    images, _ = digits_like
    x = images[:4]
    linear = keras.Model(
        trained.discriminator.inputs,
        trained.discriminator.get_layer("linear").output,
    )
    expected = array(linear([x, np.zeros(4, "int32")]))
    assert np.allclose(array(plain.discriminator(x)), expected, atol=1e-6)
    plain.fit(images, batch_size=8, verbose=0)

    classed = plain.with_classes(2)
    assert classed.num_classes == 2
    both = classed.generate([0, 1], latents=latents)
    assert np.abs(both - plain.generate(latents=latents).astype(int)).max() <= 1
    classed.fit(images, np.arange(len(images)) % 2, batch_size=8, verbose=0)
    names = [layer.name for layer in classed.discriminator.layers]
    assert {"embedding", "projection", "logits"} <= set(names)
    # As if they had been built so.
    tiny = tiny_model(num_classes=2)
    for network in ("generator", "discriminator"):
        shapes = [
            sorted(tuple(v.shape) for v in getattr(m, network).variables)
            for m in (classed, tiny)
        ]
        assert shapes[0] == shapes[1]
    assert plain.with_classes(None).num_classes is None


@keras.saving.register_keras_serializable(package="tests")
class Weighted(keras_sagan.SAGAN):
    """A subclass with an argument of its own, which it needs."""

    def __init__(self, generator, discriminator, weight, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.weight = weight

    def get_config(self):
        return {**super().get_config(), "weight": self.weight}


@pytest.mark.no_backend
def test_subclasses_keep_their_own_arguments():
    tiny = tiny_model(compiled=False)
    model = Weighted(tiny.generator, tiny.discriminator, weight=3, seed=5)
    new = model.with_classes(2)
    assert isinstance(new, Weighted) and new.weight == 3 and new.seed == 5
    assert model.with_classes(2, weight=4).weight == 4


@pytest.mark.no_backend
def test_sums_keep_their_other_terms():
    tiny = tiny_model(compiled=False)
    images, labels = tiny.discriminator.inputs
    logits = keras.layers.Add()(
        [
            tiny.discriminator.outputs[0],
            keras.layers.Dense(1, name="more")(keras.layers.Flatten()(images)),
        ]
    )
    embedded = ClassEmbedding(3, 1, name="bias")(labels)
    logits = keras.layers.Add(name="all")(
        [logits, keras.layers.Identity()(logits), embedded]
    )
    discriminator = keras.Model([images, labels], logits)
    model = keras_sagan.SAGAN(tiny.generator, discriminator)
    plain = model.with_classes(None)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 16, 16, 3))
    x = x.astype("float32")
    parts = keras.Model(
        [images, labels],
        [discriminator.get_layer(name).output for name in ("linear", "more")],
    )
    linear, more = map(array, parts([x, np.zeros(2, "int32")]))
    found = array(plain.discriminator(x))
    assert np.allclose(found, 2 * (linear + more), atol=1e-5)


@pytest.mark.no_backend
@pytest.mark.parametrize(
    ("classes", "kwargs", "message"),
    [
        (0, {}, "`classes` must be an integer from 1"),
        (2.5, {}, "`classes` must be an integer from 1"),
        ([], {}, "`classes` must be an integer from 1"),
        ([1, 2], {}, "`classes` must be a list of strings"),
        (2, {"num_classes": 5}, "`num_classes` must be given as `classes`"),
        (2, {"from_classes": [0]}, "`from_classes` must be a list of 2"),
        (2, {"from_classes": 1}, "`from_classes` must be a list of 2"),
        (2, {"from_classes": [0, 3]}, "`from_classes` must be an integer from"),
        (2, {"from_classes": [0, "a"]}, "`from_classes` must be an integer"),
        (None, {"from_classes": [0]}, "`from_classes` must be None if"),
        (2, {"freeze_discriminator": 9}, "must be an integer from 0 to 4"),
        (2, {"freeze_discriminator": -1}, "must be an integer from 0 to 4"),
    ],
)
def test_bad_arguments_are_refused(classes, kwargs, message):
    model = tiny_model(compiled=False)
    with pytest.raises(ValueError, match=message):
        model.with_classes(classes, **kwargs)


@pytest.mark.no_backend
def test_networks_that_know_their_classes_otherwise_are_refused():
    discriminator = tiny_model(compiled=False).discriminator
    model = keras_sagan.SAGAN(
        embedding_generator(), discriminator, num_classes=3
    )
    for classes in (2, None):
        with pytest.raises(ValueError, match="without such a layer"):
            model.with_classes(classes)
