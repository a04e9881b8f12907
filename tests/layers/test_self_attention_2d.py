import keras
import numpy as np
import pytest

from keras_sagan.backends import chunked_attention
from keras_sagan.layers import SelfAttention2D
from tests.helpers import array
from tests.helpers import gradients

FORMS = {
    "released": {},
    "paper": {"value_ratio": 8, "pool_size": 1},
    "self_attn": {
        "value_ratio": 1,
        "pool_size": 1,
        "output_projection": False,
        "use_bias": True,
    },
    "plain": {"spectral_normalization": False, "pool_size": 4},
}
INPUTS = np.random.default_rng(3).normal(size=(2, 8, 4, 16)).astype("float32")


@pytest.fixture(params=FORMS)
def layer(request, rng):
    layer = SelfAttention2D(**FORMS[request.param])
    layer.build(INPUTS.shape)
    for variable in layer.trainable_variables:
        if "bias" in variable.path or "gamma" in variable.path:
            variable.assign(rng.normal(size=variable.shape))
    return layer


def reference(layer, x):
    """The released `non_local.py`, and its variants, in NumPy loops."""
    batch, height, width, _ = x.shape

    def conv(projection, x):
        kernel = projection.kernel
        if layer.spectral_normalization:
            kernel = projection.normalized_kernel()
            projection = projection.layer
        y = x @ array(kernel)[0, 0]
        return y + array(projection.bias) if layer.use_bias else y

    def pool(x):
        p = layer.pool_size
        x = x.reshape(batch, height // p, p, width // p, p, x.shape[-1])
        return x.max(axis=(2, 4)).reshape(batch, -1, x.shape[-1])

    f = conv(layer.query, x).reshape(batch, height * width, -1)
    g, h = pool(conv(layer.key, x)), pool(conv(layer.value, x))
    outputs, maps = [], []
    for b in range(batch):
        energy = f[b] @ g[b].T
        weights = np.exp(energy - energy.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        maps.append(weights)
        outputs.append((weights @ h[b]).reshape(height, width, -1))
    o = np.stack(outputs)
    if layer.output_projection:
        o = conv(layer.projection, o)
    return x + float(array(layer.gamma)) * o, np.stack(maps)


def test_is_the_formula(layer):
    outputs, scores = layer(INPUTS, return_attention_scores=True)
    expected_outputs, expected_scores = reference(layer, INPUTS)
    np.testing.assert_allclose(array(outputs), expected_outputs, atol=2e-5)
    np.testing.assert_allclose(array(scores), expected_scores, atol=1e-5)
    np.testing.assert_allclose(array(layer(INPUTS)), array(outputs), atol=1e-6)


def test_rows_sum_to_one(layer):
    _, scores = layer(INPUTS, return_attention_scores=True)
    assert scores.shape[1:] == (32, 32 // layer.pool_size**2)
    np.testing.assert_allclose(array(scores).sum(axis=-1), 1, atol=1e-5)


def test_a_new_layer_is_the_identity():
    for training in (False, True):
        outputs = SelfAttention2D()(INPUTS, training=training)
        np.testing.assert_array_equal(array(outputs), INPUTS)


def test_parameters_are_those_of_the_release():
    layer = SelfAttention2D()
    layer.build((None, 32, 32, 256))
    shapes = {
        v.path.split("/")[-3] if "kernel" in v.path else v.name: tuple(v.shape)
        for v in layer.trainable_variables
    }
    assert sorted(shapes.values()) == sorted(
        [
            (),
            (1, 1, 256, 32),
            (1, 1, 256, 32),
            (1, 1, 256, 128),
            (1, 1, 128, 256),
        ]
    )


def test_scores_are_symbolic_too():
    inputs = keras.Input((8, 4, 16))
    outputs, scores = SelfAttention2D()(inputs, return_attention_scores=True)
    assert tuple(scores.shape) == (None, 32, 8)
    model = keras.Model(inputs, [outputs, scores])
    assert tuple(model(INPUTS)[1].shape) == (2, 32, 8)


def test_softmax_is_float32_under_mixed_bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    outputs, scores = SelfAttention2D()(INPUTS, return_attention_scores=True)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(scores.dtype) == "float32"
    np.testing.assert_allclose(array(scores).sum(axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"query_ratio": 0}, "`query_ratio` must be a positive integer"),
        ({"value_ratio": 2.0}, "`value_ratio` must be a positive integer"),
        ({"pool_size": -1}, "`pool_size` must be a positive integer"),
        ({"output_projection": False}, "`value_ratio` must be 1 without"),
    ],
)
def test_refuses_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        SelfAttention2D(**kwargs)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 8, 6, 16), "`pool_size` must divide .* Received: pool_size=4"),
        ((2, 8, 16), "`inputs` must have shape"),
        ((2, None, 8, 16), "`inputs` must have shape"),
    ],
)
def test_refuses_bad_maps(shape, message):
    with pytest.raises(ValueError, match=message):
        SelfAttention2D(pool_size=4)(keras.Input(shape[1:]))


def test_blocks_of_a_large_map_are_the_whole(layer, monkeypatch, rng):
    weights = rng.normal(size=INPUTS.shape).astype("float32")
    x = keras.Variable(INPUTS)

    def run():
        y = layer(keras.ops.convert_to_tensor(x))
        return keras.ops.sum(keras.ops.multiply(y, weights))

    variables = [x, *layer.trainable_variables]
    whole = gradients(run, variables)
    outputs = array(layer(INPUTS))
    monkeypatch.setattr(chunked_attention, "MAX_SCORES", 1)
    monkeypatch.setattr(chunked_attention, "CHUNK_SCORES", 32)
    np.testing.assert_allclose(array(layer(INPUTS)), outputs, atol=1e-5)
    # A bias of the keys shifts all scores of a query alike: no gradient.
    largest = max(np.abs(gradient).max() for gradient in whole)
    for block, reference in zip(gradients(run, variables), whole, strict=True):
        assert np.abs(block - reference).max() < 1e-5 * largest


def test_number_of_chunks():
    number = chunked_attention.number_of_chunks
    assert number(32 * 32, 32 * 32) == 1
    assert number(64 * 64, 32 * 32) == 1  # released, at 64x64
    assert number(64 * 64, 64 * 64) == 8  # the paper's
    assert number(3 * 1365, 4096) == 1  # no equal cut
