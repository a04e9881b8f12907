import numpy as np
import pytest

import keras_sagan
from keras_sagan import models
from keras_sagan.layers import ConditionalBatchNorm
from keras_sagan.models import sampling
from tests.helpers import array
from tests.helpers import same
from tests.helpers import tiny_model
from tests.helpers import values


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def test_gives_uint8_images(model):
    images = model.generate(labels=[0, 1, 2], seed=0)
    assert images.dtype == np.uint8 and images.shape == (3, 16, 16, 3)
    assert model.generate().shape == (1, 16, 16, 3)
    assert model.generate(labels=2, num_images=4).shape == (4, 16, 16, 3)


def test_one_seed_one_picture(model):
    a, b, c = (model.generate(labels=1, seed=s) for s in (5, 5, 6))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    assert not np.array_equal(model.generate(1), model.generate(1))


def test_latents_are_numpys_on_every_backend():
    latents, labels = sampling.prepare_inputs(
        None, 2, 0, None, None, latent_dim=3, num_classes=5
    )
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(latents, rng.normal(size=(2, 3)).astype("f4"))
    np.testing.assert_array_equal(labels, rng.integers(5, size=2, dtype="i4"))


def test_is_the_generator_on_given_latents(model, rng):
    latents = rng.normal(size=(5, 8)).astype("float32")
    labels = np.array([0, 1, 2, 1, 0], "int32")
    images = array(model.ema_generator([latents, labels]))
    expected = np.rint((images + 1) * 127.5)
    for batch_size in (64, 2):
        actual = model.generate(labels, latents=latents, batch_size=batch_size)
        assert np.abs(actual - expected).max() <= 1


def test_ema_or_not(model):
    variable = model.generator.get_layer("rgb").layer.bias
    before = array(variable)
    variable.assign([1.0, 2.0, 3.0])
    averaged = model.generate(1, seed=0)
    raw = model.generate(1, seed=0, ema=False)
    variable.assign(before)
    assert not np.array_equal(averaged, raw)
    np.testing.assert_array_equal(averaged, model.generate(1, seed=0))


def test_truncation_redraws(rng):
    latents = sampling.draw_latents(rng, 2000, 4, truncation=0.5)
    assert np.abs(latents).max() <= 0.5
    # Drawn again, not clipped: nothing piles up at the edge.
    assert np.mean(np.abs(latents) > 0.49) < 0.05


def test_standing_statistics_are_those_of_the_batches(model, rng):
    before = values(model.variables)
    copy = sampling.with_standing_statistics(
        model.ema_generator, 3, batch_size=4, latent_dim=8, num_classes=3
    )
    norm = copy.get_layer("up_8_norm_1")
    source = np.random.default_rng(0)
    linear = model.ema_generator.get_layer("linear")
    means = []
    for _ in range(3):
        latents = source.standard_normal((4, 8)).astype("float32")
        source.integers(3, size=4)
        h = array(linear(latents)).reshape(4, 4, 4, -1)
        means.append(h.mean((0, 1, 2)))
    np.testing.assert_allclose(
        array(norm.moving_mean), np.mean(means, axis=0), rtol=1e-3, atol=1e-5
    )
    model.generate(1, standing_statistics=2, batch_size=4)
    assert all(same(before, values(model.variables)))


@pytest.mark.parametrize("normalized", [False, True])
def test_shares_of_classes_blend_their_gains_and_offsets(normalized, rng):
    model = keras_sagan.SAGAN(
        models.build_generator(
            16,
            3,
            latent_dim=8,
            base_channels=2,
            class_table_spectral_normalization=normalized,
        ),
        models.build_discriminator(16, 3, base_channels=2),
    )
    generator = model.ema_generator
    norms = [
        layer
        for layer in generator.layers
        if isinstance(layer, ConditionalBatchNorm)
    ]
    for norm in norms:
        for table in (norm.gamma, norm.beta):
            table = table.layer.kernel if normalized else table
            table.assign(rng.normal(1, 0.5, table.shape))
    latents = rng.normal(size=(3, 8)).astype("float32")
    before = values(model.variables)
    at_ends = model.generate(
        class_weights=np.eye(3)[[2, 0, 1]], latents=latents
    )
    expected = model.generate([2, 0, 1], latents=latents)
    np.testing.assert_array_equal(at_ends, expected)
    shares = np.array([[0.25, 0.0, 0.75]] * 3)
    blended = model.generate(class_weights=shares, latents=latents)
    assert not np.array_equal(blended, model.generate(2, latents=latents))
    assert all(same(before, values(model.variables)))
    if normalized:
        return  # A row cannot be set without changing the norm.
    for norm in norms:
        for table in (norm.gamma, norm.beta):
            rows = array(table)
            table.assign([0.25 * rows[0] + 0.75 * rows[2], rows[1], rows[2]])
    actual = model.generate(0, latents=latents)
    assert np.abs(actual.astype(int) - blended).max() <= 1


def test_draws_the_inputs_of_the_images(model):
    latents, labels = model.draw_inputs(num_images=3, seed=4, truncation=0.5)
    np.testing.assert_array_equal(
        model.generate(labels, latents=latents),
        model.generate(num_images=3, seed=4, truncation=0.5),
    )


def test_touches_no_training_seed(model):
    before = array(model.seed_generator.state)
    model.generate(labels=[0, 1])
    np.testing.assert_array_equal(before, array(model.seed_generator.state))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"labels": 3}, r"`labels` must be in \[0, 3\).* with 3"),
        ({"labels": [0, -1]}, "Received: labels with -1"),
        ({"labels": 0.5}, "`labels` must be an integer or integers"),
        ({"labels": [[0]]}, "`labels` must be an integer or integers"),
        ({"labels": [0, 1], "num_images": 3}, "must agree on the number"),
        ({"labels": [[0.2, 0.3, 0.5]]}, "go to `class_weights`"),
        ({"class_weights": [[0.5, 0.5]]}, r"floats of shape \(N, 3\)"),
        ({"class_weights": [[0.5, 0.2, 0.1]]}, "rows that sum to 1"),
        (
            {"class_weights": [[0.5, 0.2, 0.3]], "labels": 1},
            "`labels` must be None if `class_weights`",
        ),
        (
            {"class_weights": [[0.5, 0.2, 0.3]], "num_images": 2},
            "`num_images` must be 1",
        ),
        ({"labels": []}, "`labels` must not be empty"),
        ({"latents": np.zeros((0, 8))}, "`latents` must not be empty"),
        ({"num_images": 0}, "`num_images` must be a positive integer"),
        ({"latents": np.zeros((2, 5))}, r"`latents` must have shape \(N, 8\)"),
        ({"truncation": 0.0}, "`truncation` must be a float"),
        (
            {"latents": np.zeros((2, 8)), "truncation": 1.0},
            "`truncation` is for latents that are drawn",
        ),
        ({"standing_statistics": 0}, "`standing_statistics` must be a pos"),
        ({"batch_size": 0}, "`batch_size` must be a positive integer"),
    ],
)
def test_refuses_bad_arguments(model, kwargs, message):
    with pytest.raises(ValueError, match=message):
        model.generate(**kwargs)


def test_refuses_labels_without_classes():
    with pytest.raises(ValueError, match="this SAGAN has no classes"):
        tiny_model(num_classes=None).generate(labels=1)
