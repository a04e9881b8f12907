"""Standing statistics and blended classes of generators of any layers."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_sagan.layers import ConditionalBatchNorm
from keras_sagan.models import sampling
from tests.helpers import array
from tests.helpers import same
from tests.helpers import values


class Standardize(layers.Layer):
    """A batch norm whose statistics no momentum moves."""

    def build(self, shape):
        self.moving_mean = self.add_weight(shape=(shape[-1],), trainable=False)

    def call(self, x):
        return x - self.moving_mean


def standing(generator, num_classes=None):
    return sampling.with_standing_statistics(generator, 3, 16, 4, num_classes)


def batches():
    rng = np.random.default_rng(0)
    return [sampling.draw_latents(rng, 16, 4) for _ in range(3)]


@pytest.mark.parametrize("trainable", [True, False])
def test_standing_statistics_of_keras_batch_norm(trainable):
    generator = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(3, name="dense"),
            layers.BatchNormalization(name="norm"),
        ]
    )
    generator.trainable = trainable  # The EMA generator is not.
    before = values(generator.variables)
    copy = standing(generator)
    norm, dense = copy.get_layer("norm"), copy.get_layer("dense")
    h = [array(dense(x)) for x in batches()]
    np.testing.assert_allclose(
        array(norm.moving_mean),
        np.mean([x.mean(0) for x in h], axis=0),
        rtol=1e-4,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        array(norm.moving_variance),
        np.mean([x.var(0) for x in h], axis=0),
        rtol=1e-4,
    )
    assert all(same(before, values(generator.variables)))


@keras.saving.register_keras_serializable(package="tests")
class DenseAndNorm(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(3)
        self.norm = layers.BatchNormalization()

    def call(self, inputs, training=False):
        return self.norm(self.dense(inputs), training=training)


def test_standing_statistics_of_a_subclassed_generator():
    generator = DenseAndNorm()
    generator(np.zeros((1, 4), "float32"))
    copy = standing(generator)
    h = [array(copy.dense(x)).mean(0) for x in batches()]
    np.testing.assert_allclose(
        array(copy.norm.moving_mean), np.mean(h, axis=0), rtol=1e-4, atol=1e-6
    )


@pytest.mark.no_backend
@pytest.mark.parametrize(
    ("layer", "received"),
    [
        (layers.Dense(3), "the generator 'mine' without such a layer"),
        (Standardize(name="own"), "the layer own, <Standardize"),
    ],
)
def test_standing_statistics_without_effect_are_refused(layer, received):
    generator = keras.Sequential([keras.Input((4,)), layer], name="mine")
    with pytest.raises(ValueError, match=f"`standing_statistics`.*{received}"):
        standing(generator)


def conditional(latents, labels, name="norm"):
    x = layers.Dense(2 * 2 * 3)(latents)
    x = layers.Reshape((2, 2, 3))(x)
    return ConditionalBatchNorm(3, name=name)(x, labels)


def inputs():
    return keras.Input((4,), name="noise"), keras.Input((), dtype="int32")


def nested(rng):
    """Labels go to two norms, of which one is in a model inside."""
    inside = keras.Model(symbols := list(inputs()), conditional(*symbols))
    latents, labels = inputs()
    x = inside([latents, labels])
    x = ConditionalBatchNorm(3, name="outer")(x * 2.0, labels)
    generator = keras.Model([latents, labels], keras.ops.tanh(x))
    for variable in generator.trainable_variables:
        variable.assign(rng.normal(1, 0.5, variable.shape))
    return generator


def test_classes_are_blended_in_models_inside_too(rng):
    generator = nested(rng)
    latents = rng.normal(size=(3, 4)).astype("float32")
    weights = np.eye(3)[[2, 0, 1]]
    blended = sampling.with_blended_classes(generator, weights)
    np.testing.assert_allclose(
        array(blended([latents, np.arange(3)])),
        array(generator([latents, np.array([2, 0, 1])])),
        rtol=1e-6,
    )
    both = sampling.with_blended_classes(generator, np.full((1, 3), 1 / 3))
    for layer in (generator.get_layer("outer"), both.get_layer("outer")):
        assert layer.num_classes == (3 if layer in generator.layers else 1)
    mean = array(generator.get_layer("outer").gamma).mean(0)
    np.testing.assert_allclose(
        array(both.get_layer("outer").gamma)[0], mean, rtol=1e-6
    )


@pytest.mark.no_backend
def test_classes_that_another_layer_knows_are_not_blended():
    latents, labels = inputs()
    x = conditional(latents, labels)
    table = layers.Embedding(3, 3, name="table")
    generator = keras.Model([latents, labels], x + table(labels)[:, None, None])
    weights = np.full((1, 3), 1 / 3)
    with pytest.raises(ValueError, match="'table' of class Embedding"):
        sampling.with_blended_classes(generator, weights)
    outer = keras.Model(new := list(inputs()), generator(new))
    with pytest.raises(ValueError, match="'table' of class Embedding"):
        sampling.with_blended_classes(outer, weights)
    subclassed = DenseAndNorm()
    subclassed(np.zeros((1, 4), "float32"))
    with pytest.raises(ValueError, match="of class DenseAndNorm"):
        sampling.with_blended_classes(subclassed, weights)
