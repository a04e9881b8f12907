"""Networks whose layers run without Keras' checks compute the same numbers."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_sagan import backends
from keras_sagan.layers import SpectralNormalization
from keras_sagan.layers import calls
from keras_sagan.layers import direct
from keras_sagan.layers.dense import Dense
from tests.helpers import array
from tests.helpers import inputs_of
from tests.helpers import tiny_networks
from tests.helpers import values

pytestmark = pytest.mark.skipif(
    not backends.RUNS_EAGERLY, reason="this backend compiles the step"
)


def by_keras(network, inputs, training):
    return network(inputs, training=training)


@pytest.mark.parametrize("index", [0, 1], ids=["generator", "discriminator"])
@pytest.mark.parametrize("classes", [3, None])
@pytest.mark.parametrize(
    "policy", ["float32", "float64", "mixed_bfloat16", "mixed_float16"]
)
def test_numbers_are_those_of_keras(policy, classes, index, monkeypatch):
    import torch

    results = []
    for run in (direct.run, by_keras):
        monkeypatch.setattr(direct, "run", run)
        keras.utils.set_random_seed(0)
        keras.config.set_dtype_policy(policy)
        try:
            network = tiny_networks(classes)[index]
        finally:
            keras.config.set_dtype_policy("float32")
        inputs = inputs_of(network)
        outputs = [calls.call(network, *inputs, t) for t in (True, False)]
        gradients = torch.autograd.grad(
            sum(keras.ops.sum(y**2) for y in outputs),
            [v.value for v in network.trainable_variables],
            allow_unused=True,
            materialize_grads=True,
        )
        assert outputs[0].dtype == outputs[1].dtype
        results.append(
            [str(y.dtype) for y in outputs]
            + [array(y.detach().float()) for y in outputs]
            + [array(g) for g in gradients]
            + values(network.variables)
        )
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def small_network(**kwargs):
    """A network with one `ReLU`, which is what the tests look at."""
    x = keras.Input((4,))
    y = layers.Reshape((4, 1))(x)
    return keras.Model(x, layers.ReLU(**kwargs)(y))


def plain():
    return small_network()


def with_a_hook_of_a_layer():
    network = small_network()
    network.layers[-1].register_forward_hook(lambda *_: None)
    return network


def with_a_hook():
    network = small_network()
    network.register_forward_pre_hook(lambda *_: None)
    return network


def with_a_penalty():
    return small_network(activity_regularizer="l2")


def recomputed():
    with keras.RematScope("full"):
        return small_network()


def quantized():
    x = keras.Input((4,))
    network = keras.Model(x, layers.ReLU()(Dense(2)(x)))
    calls.call(network, *inputs_of(network), True)
    network.layers[1].quantize("int8", type_check=False)
    return network


def with_another_call():
    network = small_network()
    layer = network.layers[-1]
    object.__setattr__(layer, "call", type(layer).call.__get__(layer))
    return network


def with_a_layer_of_a_user():
    class Mine(layers.ReLU):
        pass

    x = keras.Input((4,))
    return keras.Model(x, layers.ReLU()(Mine()(x)))


def with_an_unknown_layer():
    x = keras.Input((4,))
    return keras.Model(x, layers.Dropout(0.5)(layers.ReLU()(x)))


def with_an_unknown_wrapped_layer():
    x = keras.Input((4,))
    dense = SpectralNormalization(layers.Dense(2))
    return keras.Model(x, dense(layers.ReLU()(x)))


def with_an_initializer_that_has_no_config():
    class Ones:
        def __call__(self, shape, dtype=None):
            return keras.ops.ones(shape, dtype)

    x = keras.Input((4,))
    dense = Dense(2, kernel_initializer=Ones())
    return keras.Model(x, layers.ReLU()(dense(x)))


def with_an_operation():
    x = keras.Input((4,))
    return keras.Model(x, keras.ops.square(layers.ReLU()(x)))


def with_a_layer_that_is_called_twice():
    relu, x = layers.ReLU(), keras.Input((4,))
    return keras.Model(x, relu(relu(x)))


def with_two_outputs():
    x = keras.Input((4,))
    y = layers.ReLU()(x)
    return keras.Model(x, [y, layers.Reshape((4, 1))(y)])


def with_a_dict():
    x = keras.Input((4,), name="x")
    return keras.Model({"x": x}, layers.ReLU()(x))


def with_another_dtype():
    x = keras.Input((4,), dtype="float16")
    return keras.Model(x, layers.ReLU()(x))


def of_a_subclass():
    class Mine(keras.Model):
        pass

    x = keras.Input((4,))
    return Mine(x, layers.ReLU()(x))


def not_functional():
    return keras.Sequential([layers.ReLU()])


MADE_BY_KERAS = [
    with_a_hook_of_a_layer,
    with_a_hook,
    with_a_penalty,
    recomputed,
    quantized,
    with_another_call,
    with_a_layer_of_a_user,
    with_an_unknown_layer,
    with_an_unknown_wrapped_layer,
    with_an_initializer_that_has_no_config,
    with_an_operation,
    with_a_layer_that_is_called_twice,
    with_two_outputs,
    with_a_dict,
    with_another_dtype,
    of_a_subclass,
    not_functional,
]


@pytest.mark.parametrize("make", [plain, *MADE_BY_KERAS])
def test_only_plain_layers_run_without_keras(make, monkeypatch):
    network = make()
    counted = []
    call = layers.ReLU.__call__

    def counting(self, *args, **kwargs):
        counted.append(self)
        return call(self, *args, **kwargs)

    monkeypatch.setattr(layers.ReLU, "__call__", counting)
    x = keras.ops.convert_to_tensor(np.ones((2, 4), "float32"))
    calls.call(network, x, None, True)
    assert bool(counted) == (make is not plain)
