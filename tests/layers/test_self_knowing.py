"""What layers tell the rest of the package of themselves."""

import keras
import numpy as np
import pytest

from keras_sagan.layers import BatchNorm
from keras_sagan.layers import ConditionalBatchNorm
from keras_sagan.layers import DownsampleConv2D
from keras_sagan.layers import SelfAttention2D
from keras_sagan.layers import SpectralNormalization
from keras_sagan.layers import UpsampleConv2D
from keras_sagan.layers.convolutions import Conv2D
from keras_sagan.layers.dense import Dense
from keras_sagan.layers.nested import flatten_layers
from tests.helpers import array

MAP = (2, 8, 8, 16)


def normalized(layer):
    return SpectralNormalization(layer, name="normalized")


# A layer, and the shape of its inputs, a tuple, or inputs, a list.
FOLDED = {
    "dense": (lambda: normalized(Dense(5)), (2, 7)),
    "keras_dense": (lambda: normalized(keras.layers.Dense(5)), (2, 7)),
    "conv": (lambda: normalized(Conv2D(5, 3)), MAP),
    "upsample": (lambda: normalized(UpsampleConv2D(5)), MAP),
    "downsample": (lambda: normalized(DownsampleConv2D(5)), MAP),
    "transposed": (
        lambda: normalized(keras.layers.Conv2DTranspose(5, 3, strides=2)),
        MAP,
    ),
    "embedding": (lambda: normalized(keras.layers.Embedding(9, 5)), [3, 1]),
    "attention": (lambda: SelfAttention2D(), MAP),
    "plain_attention": (
        lambda: SelfAttention2D(
            value_ratio=1,
            output_projection=False,
            use_bias=True,
            spectral_normalization=False,
        ),
        MAP,
    ),
}


@pytest.mark.parametrize("name", FOLDED)
def test_folded_computes_the_same_without_a_norm(name, rng):
    make, shape = FOLDED[name]
    layer = make()
    x = np.array(shape)
    if isinstance(shape, tuple):
        x = rng.normal(size=shape).astype("float32")
    layer(x)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(1, 0.3, variable.shape))
    layer(x, training=True)
    folded = layer.folded()
    assert folded.built and folded.name == layer.name
    layers = [folded, *flatten_layers(folded)]
    assert not any(isinstance(y, SpectralNormalization) for y in layers)
    expected = array(layer(x))
    assert expected.std() > 0.02
    np.testing.assert_allclose(array(folded(x)), expected, rtol=1e-4, atol=1e-5)
    # It is a copy: what happens to the layer does not reach it.
    for variable in layer.trainable_variables:
        variable.assign(np.zeros(variable.shape))
    np.testing.assert_allclose(array(folded(x)), expected, rtol=1e-4, atol=1e-5)


def class_norm(rng, spectral_normalization):
    layer = ConditionalBatchNorm(
        4, spectral_normalization=spectral_normalization, name="norm"
    )
    layer.build((None, 8, 8, 6))
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(1, 0.5, variable.shape))
    layer.moving_mean.assign(rng.normal(size=6))
    layer.moving_variance.assign(rng.uniform(0.5, 2, 6))
    return layer


@pytest.mark.parametrize("spectral_normalization", [False, True])
def test_class_tables_are_what_the_norm_multiplies_and_adds(
    spectral_normalization, rng
):
    layer = class_norm(rng, spectral_normalization)
    x = rng.normal(size=(4, 3, 3, 6)).astype("float32")
    y = array(layer(x, np.arange(4)))
    gammas, betas = map(array, layer.class_tables())
    assert gammas.shape == betas.shape == (4, 6)
    mean, variance = map(array, (layer.moving_mean, layer.moving_variance))
    standardized = (x - mean) / np.sqrt(variance + layer.epsilon)
    expected = gammas[:, None, None] * standardized + betas[:, None, None]
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    folded = layer.folded()
    assert folded.name == "norm" and not folded.spectral_normalization
    np.testing.assert_allclose(
        array(folded(x, np.arange(4))), y, rtol=1e-5, atol=1e-5
    )


def test_a_norm_with_other_classes(rng):
    layer = class_norm(rng, False)
    gammas, betas = map(array, layer.class_tables())
    weights = np.array([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    other = layer.with_class_tables(weights @ gammas, weights @ betas)
    assert other.num_classes == 2 and layer.num_classes == 4
    x = rng.normal(size=(1, 3, 3, 6)).astype("float32")
    ends = [array(layer(x, np.array([i]))) for i in (0, 1)]
    np.testing.assert_allclose(
        array(other(x, np.array([0]))), np.mean(ends, axis=0), atol=1e-5
    )
    np.testing.assert_array_equal(
        array(other(x, np.array([1]))), array(layer(x, np.array([3])))
    )


@pytest.mark.parametrize(
    "layer",
    [BatchNorm(), ConditionalBatchNorm(3), SelfAttention2D()],
    ids=["batch_norm", "conditional", "attention"],
)
def test_parts_are_all_that_a_layer_has(layer):
    layer.build(MAP)
    variables = [
        v
        for part in layer.parts().values()
        for v in getattr(part, "variables", [part])
    ]
    assert {id(v) for v in variables} == {id(v) for v in layer.variables}
    for name, part in layer.parts().items():
        assert getattr(layer, name) is part
