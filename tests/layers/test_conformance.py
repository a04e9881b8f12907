"""What every layer must do in anybody's Keras model."""

import copy
import inspect

import keras
import numpy as np
import pytest
from keras import ops

from keras_sagan import layers
from keras_sagan.layers.average_pooling import AveragePooling2D
from keras_sagan.layers.convolutions import Conv2D
from tests.helpers import array
from tests.helpers import same
from tests.helpers import values

MAP = np.random.default_rng(6).normal(size=(4, 8, 8, 16)).astype("float32")
LABELS = np.array([0, 1, 2, 1], "int32")

CASES = {
    "attention": (lambda: layers.SelfAttention2D(), (MAP,)),
    "attention_paper": (
        lambda: layers.SelfAttention2D(value_ratio=8, pool_size=1),
        (MAP,),
    ),
    "attention_self_attn": (
        lambda: layers.SelfAttention2D(
            value_ratio=1, pool_size=1, output_projection=False, use_bias=True
        ),
        (MAP,),
    ),
    "attention_plain": (
        lambda: layers.SelfAttention2D(spectral_normalization=False),
        (MAP,),
    ),
    "normalized_conv": (
        lambda: layers.SpectralNormalization(
            keras.layers.Conv2D(4, 3), power_iterations=2, epsilon=1e-6
        ),
        (MAP,),
    ),
    "normalized_transpose": (
        lambda: layers.SpectralNormalization(
            keras.layers.Conv2DTranspose(4, 3, strides=2)
        ),
        (MAP,),
    ),
    "normalized_dense": (
        lambda: layers.SpectralNormalization(keras.layers.Dense(4)),
        (MAP,),
    ),
    "normalized_embedding": (
        lambda: layers.SpectralNormalization(keras.layers.Embedding(3, 4)),
        (LABELS,),
    ),
    "batch_norm": (lambda: layers.BatchNorm(0.5, 1e-3), (MAP,)),
    "conditional_batch_norm": (
        lambda: layers.ConditionalBatchNorm(3, 0.5, 1e-3),
        (MAP, LABELS),
    ),
    "conditional_batch_norm_normalized": (
        lambda: layers.ConditionalBatchNorm(
            3, spectral_normalization=True, spectral_epsilon=1e-6
        ),
        (MAP, LABELS),
    ),
    "conv": (lambda: Conv2D(4, 3, use_bias=False), (MAP,)),
    "upsample": (lambda: layers.UpsampleConv2D(4, fused=False), (MAP,)),
    "downsample": (lambda: layers.DownsampleConv2D(4), (MAP,)),
    "diff_augment": (
        lambda: layers.DiffAugment(("color", "cutout"), seed=1),
        (MAP, np.full((4, 7), 0.3, "float32")),
    ),
    "average_pooling": (lambda: AveragePooling2D(2), (MAP,)),
    "add_upsampled": (lambda: layers.AddUpsampled(), (MAP, MAP[:, ::2, ::2])),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def functional(make_layer, inputs):
    symbolic = [
        keras.Input(x.shape[1:], dtype=keras.backend.standardize_dtype(x.dtype))
        for x in inputs
    ]
    return keras.Model(symbolic, make_layer()(*symbolic))


def test_config_round_trip(case):
    make_layer, _ = case
    layer = make_layer()
    config = layer.get_config()
    # Keras' wrappers empty the config that they are given.
    again = type(layer).from_config(copy.deepcopy(config))
    assert again.get_config() == config


def test_every_argument_is_in_the_config(case):
    layer = case[0]()
    for kind in type(layer).__mro__:
        ours = kind.__module__.startswith("keras_sagan")
        if ours and "__init__" in vars(kind):
            names = inspect.signature(kind.__init__).parameters
            missing = set(names) - {"self", "kwargs"} - set(layer.get_config())
            assert not missing, kind


def test_symbolic_spec_is_the_eager_one(case):
    make_layer, inputs = case
    for policy in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        model = functional(make_layer, inputs)
        outputs = model.layers[-1](*inputs)
        assert model.output_shape[1:] == tuple(outputs.shape)[1:]
        assert keras.backend.standardize_dtype(outputs.dtype) == (
            keras.backend.standardize_dtype(model.outputs[0].dtype)
        )


def test_save_and_load(case, tmp_path):
    make_layer, inputs = case
    model = functional(make_layer, inputs)
    model(list(inputs), training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        array(loaded(list(inputs))), array(model(list(inputs)))
    )


def test_in_a_subclassed_model(case, tmp_path):
    make_layer, inputs = case

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = make_layer()

        def call(self, inputs):
            return self.layer(*inputs)

    model, again = Model(), Model()
    expected = array(model(list(inputs)))
    model.save_weights(tmp_path / "x.weights.h5")
    again(list(inputs))
    again.load_weights(tmp_path / "x.weights.h5")
    np.testing.assert_array_equal(array(again(list(inputs))), expected)


def test_bfloat16_is_near_float32(case):
    make_layer, inputs = case
    model = functional(make_layer, inputs)
    keras.config.set_dtype_policy("mixed_bfloat16")
    half = functional(make_layer, inputs)
    half.set_weights(model.get_weights())
    expected = array(model(list(inputs), training=True))
    actual = array(keras.ops.cast(half(list(inputs), training=True), "float32"))
    np.testing.assert_allclose(actual, expected, atol=0.05, rtol=0.05)


def test_stateless_call_is_the_stateful_one(case):
    make_layer, inputs = case
    layer = make_layer()
    layer(*inputs)
    kwargs = {"training": True} if layer._call_has_training_arg else {}
    state = [ops.copy(v.value) for v in layer.non_trainable_variables]
    outputs, new_state = layer.stateless_call(
        [v.value for v in layer.trainable_variables],
        state,
        *map(ops.convert_to_tensor, inputs),
        **kwargs,
    )
    unchanged = values(layer.non_trainable_variables)
    assert all(same(unchanged, map(array, state)))
    np.testing.assert_allclose(
        array(layer(*inputs, **kwargs)), array(outputs), atol=1e-6
    )
    for variable, value in zip(
        values(layer.non_trainable_variables), new_state, strict=True
    ):
        np.testing.assert_allclose(variable, array(value), atol=1e-6)


def test_inference_changes_no_variable(case):
    make_layer, inputs = case
    layer = make_layer()
    layer(*inputs)
    before = values(layer.variables)
    layer(*inputs)
    for x, y in zip(before, values(layer.variables), strict=True):
        np.testing.assert_array_equal(x, y)
