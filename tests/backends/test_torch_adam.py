"""Adam in one pass on PyTorch is Keras' Adam."""

import keras
import numpy as np
import pytest

from keras_sagan import backends
from tests.helpers import array

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="PyTorch's kernel of Adam"
)
SHAPES = (3, 3, 4, 5), (7,), (), (2, 6)


def variables_after(apply, optimizer, dtype="float32", steps=4):
    """Returns weights and moments after steps with gradients of any layout."""
    import torch

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    weights = [
        keras.Variable(rng.normal(size=shape), dtype=dtype) for shape in SHAPES
    ]
    optimizer.build(weights)
    for i in range(steps):
        # Some are so small that epsilon decides the update.
        gradients = [
            10.0 ** (-3 * i) * torch.randn(shape[::-1], dtype=w.value.dtype).T
            if len(shape) == 2
            else 10.0 ** (-3 * i) * torch.randn(shape, dtype=w.value.dtype)
            for shape, w in zip(SHAPES, weights)
        ]
        gradients[0] = gradients[0].permute(3, 2, 0, 1).contiguous()
        gradients[0] = gradients[0].permute(2, 3, 1, 0)  # A convolution's.
        with torch.no_grad():
            apply(optimizer, gradients, weights)
    return [array(x) for x in (*weights, *optimizer.variables)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options",
    [
        {"beta_1": 0.0, "epsilon": 1e-8},
        {"beta_1": 0.5, "beta_2": 0.9, "clipnorm": 0.1},
        {"beta_1": 0.9, "weight_decay": 0.1, "use_ema": True},
        {"amsgrad": True},
        {"gradient_accumulation_steps": 2},
        {
            "learning_rate": keras.optimizers.schedules.ExponentialDecay(
                0.01, 1, 0.5
            )
        },
        # This schedule adds to a constant in place.
        {
            "learning_rate": keras.optimizers.schedules.PiecewiseConstantDecay(
                [2], [0.01, 0.001]
            )
        },
    ],
    ids=lambda options: "-".join(options),
)
def test_it_is_keras_adam(options, dtype):
    options = {"learning_rate": 0.01, **options}
    with_ours = variables_after(
        backends.apply_gradients, keras.optimizers.Adam(**options), dtype
    )
    with_keras = variables_after(
        lambda optimizer, *args: optimizer.apply(*args),
        keras.optimizers.Adam(**options),
        dtype,
    )
    tolerance = {"float32": 1e-5, "float64": 1e-6}[dtype]
    for a, b in zip(with_ours, with_keras, strict=True):
        # float64 fails with Keras' nightly 3.16, which rounds it to float32.
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=1e-9)


def test_a_kernel_in_another_order_of_memory():
    """Keras' `Orthogonal` makes such kernels."""
    import torch

    ends = []
    for apply in (
        backends.apply_gradients,
        lambda optimizer, *args: optimizer.apply(*args),
    ):
        kernel = keras.Variable(torch.arange(12.0).reshape(3, 4).T)
        assert not kernel.value.is_contiguous()
        optimizer = keras.optimizers.Adam(0.1)
        optimizer.build([kernel])
        torch.manual_seed(0)
        for _ in range(2):
            with torch.no_grad():
                apply(optimizer, [torch.randn(4, 3)], [kernel])
        ends.append(array(kernel))
    np.testing.assert_allclose(*ends, rtol=1e-6)


def test_it_is_one_operation(monkeypatch):
    import torch

    calls = []
    fused = torch._fused_adam_
    monkeypatch.setattr(
        torch, "_fused_adam_", lambda *a, **k: calls.append(1) or fused(*a, **k)
    )
    optimizer = keras.optimizers.Adam(0.01)
    variables_after(backends.apply_gradients, optimizer)
    assert len(calls) == 4
    # It is Keras' own optimizer again: it can be saved and copied.
    assert "_parallel_update_step" not in vars(optimizer)


class Halved(keras.optimizers.Adam):
    """A user's optimizer."""

    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, gradient / 2)


@pytest.mark.parametrize(
    "make", [keras.optimizers.SGD, keras.optimizers.Nadam, Halved]
)
def test_other_optimizers_stay_as_they_are(make):
    with_ours = variables_after(backends.apply_gradients, make(0.01))
    with_keras = variables_after(
        lambda optimizer, *args: optimizer.apply(*args), make(0.01)
    )
    for a, b in zip(with_ours, with_keras, strict=True):
        np.testing.assert_array_equal(a, b)
