"""The kernels of a network, normalized together, are those of each layer."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_sagan import backends
from keras_sagan.layers import SpectralNormalization
from keras_sagan.layers import calls
from keras_sagan.layers import together
from tests.helpers import array
from tests.helpers import inputs_of
from tests.helpers import tiny_networks
from tests.helpers import values

pytestmark = pytest.mark.skipif(
    not backends.RUNS_EAGERLY, reason="this backend compiles the step"
)


def normalized(layer, name, **kwargs):
    return SpectralNormalization(layer, name=name, **kwargs)


def unusual_network():
    """Shared, grouped, not called, zero, and iterating twice."""
    x = keras.Input((6,))
    shared = normalized(layers.Dense(6), "shared")
    y = shared(shared(x))
    y = normalized(layers.Dense(6), "twice", power_iterations=2)(y)
    zero = layers.Dense(6, kernel_initializer="zeros")
    y = y + normalized(zero, "zero")(y)
    y = normalized(layers.Dense(6), "other_epsilon", epsilon=0.5)(y)
    y = layers.Reshape((6, 1))(y)
    y = normalized(layers.DepthwiseConv1D(2), "grouped")(y)
    return keras.Model(x, layers.Flatten()(y))


def network(name):
    keras.utils.set_random_seed(0)
    if name == "unusual":
        return unusual_network()
    return tiny_networks(3)[("generator", "discriminator").index(name)]


def run(name, times, monkeypatch, is_together):
    """Returns outputs, gradients and state after some training passes."""
    monkeypatch.setattr(backends, "RUNS_EAGERLY", is_together)
    import torch

    model = network(name)
    inputs = inputs_of(model)
    for _ in range(times):
        y = calls.call(model, *inputs, True)
    gradients = torch.autograd.grad(
        keras.ops.sum(y**2), [v.value for v in model.trainable_variables]
    )
    averaged = network(name)
    together.after_averaging(averaged, keras.ops.convert_to_tensor(0.5))
    together.after_averaging(averaged, keras.ops.convert_to_tensor(0.0))
    return [
        array(y.detach()),
        *map(array, gradients),
        *values(model.variables),
        *values(averaged.variables),
    ]


@pytest.fixture
def float64():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("name", ["generator", "discriminator", "unusual"])
@pytest.mark.usefixtures("float64")
def test_equals_one_layer_after_the_other(name, monkeypatch):
    results = [run(name, 3, monkeypatch, x) for x in (False, True)]
    for one_by_one, all_together in zip(*results, strict=True):
        np.testing.assert_allclose(
            all_together, one_by_one, rtol=1e-8, atol=1e-10
        )
        assert np.isfinite(one_by_one).all()


def test_a_layer_that_is_not_called_stays():
    class Either(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = normalized(layers.Dense(4), "first")
            self.second = normalized(layers.Dense(4), "second")

        def build(self, input_shape):
            self.first.build(input_shape)
            self.second.build(input_shape)

        def call(self, x, training=False):
            return self.first(x, training=training)

    model = Either()
    x = keras.ops.ones((2, 4))
    model(x)
    for layer in (model.first, model.second):
        layer.u.assign([1.0, 0.0, 0.0, 0.0])
    calls.call(model, x, None, True)
    assert array(model.first.u)[0] != 1
    assert array(model.second.u).tolist() == [1, 0, 0, 0]
    # Nothing is left that a later call outside could take.
    u = array(model.first.u)
    model(x, training=True)
    assert not np.array_equal(array(model.first.u), u)


def test_an_error_leaves_the_vectors():
    class Failing(layers.Layer):
        def call(self, x):
            if keras.ops.is_tensor(x) and x.device.type != "meta":
                raise RuntimeError("on purpose")
            return x

    x = keras.Input((4,))
    layer = normalized(layers.Dense(4), "first")
    model = keras.Model(x, Failing()(layer(x)))
    before = array(layer.u)
    with pytest.raises(RuntimeError, match="on purpose"):
        calls.call(model, keras.ops.ones((2, 4)), None, True)
    np.testing.assert_array_equal(array(layer.u), before)
    assert together.prepared_matrix(layer) is None


def test_gradients_of_gradients():
    """Where `create_graph=True` asks for them, in a loss of a user's."""
    import torch

    model = network("discriminator")
    x, labels = inputs_of(model)
    kernels = [v.value for v in model.trainable_variables if v.ndim == 4]

    def squared_norm(call):
        loss = keras.ops.sum(call() ** 2)
        gradients = torch.autograd.grad(loss, kernels, create_graph=True)
        total = sum((g**2).sum() for g in gradients)
        return torch.autograd.grad(total, kernels)

    before = values(model.variables)
    first = squared_norm(lambda: calls.call(model, x, labels, True))
    for variable, value in zip(model.variables, before):
        variable.assign(value)
    second = squared_norm(lambda: model([x, labels], training=True))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(array(a), array(b), rtol=2e-3, atol=1e-5)
