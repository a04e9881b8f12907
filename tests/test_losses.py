"""Losses and penalties: the published formulas, and that they train."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_sagan import losses
from tests.helpers import array

REAL, FAKE = np.random.default_rng(5).normal(0, 2, (2, 9, 1)).astype("float32")


def softplus(x):
    return np.log1p(np.exp(x))


# What the discriminator and what the generator minimize, by NumPy.
FORMULAS = {
    "hinge": (
        np.maximum(0, 1 - REAL).mean() + np.maximum(0, 1 + FAKE).mean(),
        -FAKE.mean(),
    ),
    "non_saturating": (
        softplus(-REAL).mean() + softplus(FAKE).mean(),
        softplus(-FAKE).mean(),
    ),
    "least_squares": (
        ((REAL - 1) ** 2).mean() / 2 + (FAKE**2).mean() / 2,
        ((FAKE - 1) ** 2).mean() / 2,
    ),
    "wasserstein": (FAKE.mean() - REAL.mean(), -FAKE.mean()),
    "relativistic": (
        softplus(FAKE - REAL).mean(),
        softplus(REAL - FAKE).mean(),
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_losses_are_the_formulas(name):
    loss = losses.get(name)
    real, fake = ops.array(REAL), ops.array(FAKE)
    real_or_none = real if loss.needs_real_logits else None
    np.testing.assert_allclose(
        [
            array(loss.discriminator_loss(real, fake)),
            array(loss.generator_loss(fake, real_or_none)),
        ],
        FORMULAS[name],
        rtol=1e-5,
    )


@pytest.mark.parametrize("name", FORMULAS)
def test_a_map_of_logits_is_averaged(name):
    loss = losses.get(name)
    real, fake = (ops.reshape(x, (1, 3, 3, 1)) for x in (REAL, FAKE))
    np.testing.assert_allclose(
        [
            array(loss.discriminator_loss(real, fake)),
            array(loss.generator_loss(fake, real)),
        ],
        FORMULAS[name],
        rtol=1e-5,
    )


@pytest.mark.parametrize(
    "made",
    [
        losses.HingeLoss(),
        losses.RelativisticLoss(name="pairs"),
        losses.R1(2.0, every=3),
        losses.WassersteinGradientPenalty(10.0, name="gp"),
    ],
    ids=lambda x: x.name,
)
def test_a_config_makes_it_again(made):
    config = keras.saving.serialize_keras_object(made)
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(made)
    assert again.get_config() == made.get_config()


def quadratic(x, y):
    """Logits whose gradient is `x * scale`, with the scale of the label."""
    scale = 1.0 + ops.cast(y, x.dtype)
    squares = ops.sum(ops.square(x), axis=(1, 2, 3))
    return ops.reshape(0.5 * scale * squares, (-1, 1))


@pytest.fixture
def pairs(rng):
    images = rng.normal(size=(2, 4, 3, 3, 2)).astype("float32")
    labels = np.array([[0, 1, 2, 0], [2, 2, 1, 0]], "int32")
    return [
        (ops.convert_to_tensor(x), ops.convert_to_tensor(y))
        for x, y in zip(images, labels)
    ]


@pytest.mark.parametrize("every", [1, 4])
def test_penalties_are_the_formulas(pairs, every, rng):
    real, fake = pairs
    e = rng.uniform(size=(4, 1, 1, 1)).astype("float32")

    def norms(x, y):
        scale = 1.0 + array(y)[:, None, None, None]
        return np.sqrt(np.sum((array(x) * scale) ** 2, axis=(1, 2, 3)))

    between = e * array(real[0]) + (1 - e) * array(fake[0])
    for penalty, expected in (
        (losses.R1, 0.5 * np.mean(norms(*real) ** 2)),
        (losses.R2, 0.5 * np.mean(norms(*fake) ** 2)),
        (
            losses.WassersteinGradientPenalty,
            np.mean((norms(between, real[1]) - 1) ** 2),
        ),
    ):
        made = penalty(3.0, every=every)
        value = made(quadratic, real, fake, ops.convert_to_tensor(e))
        np.testing.assert_allclose(array(value), 3 * every * expected, 1e-4)


def test_a_penalty_of_a_map_of_logits_is_of_their_mean(pairs):
    real, fake = pairs

    def patches(x, y):
        logits = quadratic(x, y)
        return ops.stack([logits, 3.0 * logits], axis=1)[..., None]

    np.testing.assert_allclose(
        array(losses.R1(1.0)(patches, real, fake)),
        4 * array(losses.R1(1.0)(quadratic, real, fake)),
        1e-4,
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.get("hing"), r"one of \['hinge', .* Received: loss='h"),
        (lambda: losses.get(len), "Received: loss=<built-in function len>"),
        (lambda: losses.R1(0.0), "`weight` must be positive"),
        (lambda: losses.R1("1"), "`weight` must be positive"),
        (lambda: losses.R2(1.0, every=0), "`every` must be a positive integer"),
    ],
)
def test_refuses_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
