"""Gradients of gradients of every layer are those of its plain form.

So are its derivatives in forward mode, where the framework has them.
"""

import keras
import numpy as np
import pytest
from keras import ops

from keras_sagan.backends import chunked_attention
from keras_sagan.layers import SpectralNormalization
from keras_sagan.layers.dense import Dense
from tests.helpers import array
from tests.helpers import computing_in
from tests.helpers import derivatives
from tests.helpers import values
from tests.layers.derivative_cases import CASES

if keras.backend.backend() == "jax":
    import jax
elif keras.backend.backend() == "torch":
    import torch

PARAMETERS = [
    pytest.param(case, training, id=f"{name}-{training}")
    for name, case in CASES.items()
    for training in case.trainings
]
TOLERANCES = {"float64": 1e-6, "float32": 1e-3}
# TensorFlow and PyTorch have other kernels for float32 than for float64.
DTYPES = ["float64"] if keras.backend.backend() == "jax" else list(TOLERANCES)


@pytest.fixture(params=DTYPES)
def dtype(request):
    with computing_in(request.param):
        yield request.param


class Problem:
    """A loss of a layer and the same loss of its plain form.

    Both are functions of a list: the trainable values, then the inputs.
    """

    def __init__(self, case, training):
        layer, inputs = case.layer(), case.cast_inputs()
        kwargs = {} if training is None else {"training": training}
        state = values(layer.non_trainable_variables)
        weights = values(layer.trainable_variables)
        self.arguments = [*weights, *inputs]
        n = len(weights)
        outputs, after = layer.stateless_call(
            tensors(weights),
            tensors(state),
            *tensors(inputs),
            *tensors(case.constants),
            **kwargs,
        )
        after = [array(x) for x in after]
        rng = np.random.default_rng(10)
        factors = rng.normal(size=outputs.shape).astype(keras.config.floatx())
        self.directions = [
            rng.normal(size=x.shape).astype(x.dtype) for x in self.arguments
        ]

        def loss_of(outputs):
            (factor,) = tensors([factors])
            return ops.sum(outputs * outputs * outputs * factor)

        def loss(arguments):
            outputs, _ = layer.stateless_call(
                arguments[:n],
                tensors(state),
                *arguments[n:],
                *tensors(case.constants),
                **kwargs,
            )
            return loss_of(outputs)

        def plain_loss(arguments):
            return loss_of(
                case.plain(
                    arguments[:n],
                    tensors(after),
                    training,
                    *arguments[n:],
                    *case.constants,
                )
            )

        self.layer, self.loss, self.plain_loss = layer, loss, plain_loss


def tensors(arrays):
    return [ops.convert_to_tensor(x) for x in arrays]


@pytest.fixture
def problem(request, dtype, monkeypatch):
    case, training = request.param
    if case.chunked:
        monkeypatch.setattr(chunked_attention, "MAX_SCORES", 1)
        monkeypatch.setattr(chunked_attention, "CHUNK_SCORES", 64)
    return Problem(case, training)


every_case = pytest.mark.parametrize(
    "problem",
    [pytest.param(p.values, id=p.id) for p in PARAMETERS],
    indirect=True,
)


def assert_close(found, expected, dtype):
    # A bias of the keys moves all scores of a query alike: its gradient is
    # zero, and rounding, of the size of the other gradients, remains.
    scale = max(np.abs(x).max() for x in expected)
    least = {"float64": 1e-3, "float32": 1e-2}[dtype] * scale
    for x, y in zip(found, expected, strict=True):
        size = max(np.abs(y).max(), least)
        assert np.abs(x - y).max() < TOLERANCES[dtype] * size


@every_case
def test_second_order_is_that_of_the_plain_form(problem, dtype):
    """The gradient of <gradient, directions>: each weight and input mixed."""
    arguments = problem.arguments, problem.directions
    for found, expected in zip(
        derivatives(problem.loss, *arguments),
        derivatives(problem.plain_loss, *arguments),
    ):
        assert_close(found, expected, dtype)


@pytest.mark.skipif(
    keras.backend.backend() != "torch",
    reason="Only PyTorch assigns in place what a graph may still need",
)
@pytest.mark.parametrize(
    "case", [case for case in CASES.values() if True in case.trainings]
)
def test_a_training_pass_leaves_earlier_graphs_alone(case):
    layer = case.layer()
    inputs = tensors([*case.cast_inputs(), *case.constants])
    weights = [v.value for v in layer.trainable_variables]
    gradients = []
    for train in (False, True):
        outputs = layer(*inputs)
        if train:
            layer(*inputs, training=True)
        gradients.append(torch.autograd.grad(outputs.sum(), weights))
    for x, y in zip(*gradients, strict=True):
        np.testing.assert_array_equal(array(x), array(y))


@pytest.mark.parametrize("dtype", ["float64"], indirect=True)
@every_case
def test_forward_mode_is_the_reverse_one(problem, dtype):
    """`jvp` of the loss, and of its gradient: forward over reverse.

    TensorFlow is left out: its forward mode has no rule for functions with a
    gradient of their own (`tf.custom_gradient`).
    """
    if keras.backend.backend() == "tensorflow":
        pytest.skip("TensorFlow has no forward mode of custom gradients")
    loss, arguments, directions = (
        problem.loss,
        tensors(problem.arguments),
        tensors(problem.directions),
    )
    first, second = derivatives(loss, problem.arguments, problem.directions)
    along = sum(np.sum(x * y) for x, y in zip(first, problem.directions))
    if keras.backend.backend() == "jax":
        jvp, grad = jax.jvp, jax.grad
    else:
        jvp, grad = torch.func.jvp, torch.func.grad

    def forward(arguments, directions):
        return (
            jvp(loss, (arguments,), (directions,))[1],
            jvp(grad(loss), (arguments,), (directions,))[1],
        )

    if keras.backend.backend() == "jax":
        forward = jax.jit(forward)
    of_loss, of_gradient = forward(arguments, directions)
    assert_close([array(of_loss)], [along], dtype)
    assert_close([array(x) for x in of_gradient], second, dtype)


@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="`torch.func` is PyTorch's"
)
@pytest.mark.parametrize("dtype", ["float64"], indirect=True)
@every_case
def test_torch_func_differentiates_twice(problem, dtype):
    """`torch.func.grad` of `torch.func.grad`."""

    def along(arguments):
        first = torch.func.grad(problem.loss)(arguments)
        return sum((x * y).sum() for x, y in zip(first, directions))

    directions = tensors(problem.directions)
    found = torch.func.grad(along)(tensors(problem.arguments))
    _, second = derivatives(problem.loss, problem.arguments, problem.directions)
    assert_close([array(x) for x in found], second, dtype)


@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="`torch.func` is PyTorch's"
)
@pytest.mark.parametrize("name", ["attention", "conv", "normalized_upsample"])
def test_torch_func_gives_the_gradients_of_each_image(name, dtype):
    """`torch.func.vmap` of `torch.func.grad`."""
    problem = Problem(CASES[name], None)
    *weights, images = tensors(problem.arguments)
    state = [v.value for v in problem.layer.non_trainable_variables]

    def loss(weights, image):
        outputs, _ = problem.layer.stateless_call(weights, state, image[None])
        return (outputs**3).sum()

    gradient = torch.func.grad(loss)
    found = torch.func.vmap(gradient, (None, 0))(weights, images)
    for i, image in enumerate(images):
        expected = [array(x) for x in gradient(weights, image)]
        assert_close([array(x[i]) for x in found], expected, dtype)


@pytest.mark.parametrize("dtype", ["float64"], indirect=True)
def test_a_known_second_derivative(dtype):
    """Of `x W / sigma(W)` with one output, worked out by hand.

    With `W = (3, 4)`, `x = (1, 2)`: sigma is 5, `v` is `(0.6, 0.8)`, `u` is 1,
    and in the direction `d = (1, 0)` the second derivative is
    `2 (v d) ((x W) (v d) / sigma - x d) / sigma^2`.
    """
    layer = SpectralNormalization(Dense(1, use_bias=False))
    layer.build((1, 2))
    kernel = np.array([[3.0], [4.0]])
    layer.layer.kernel.assign(kernel)
    layer.iterate()
    state = values(layer.non_trainable_variables)

    def output(arguments):
        outputs, _ = layer.stateless_call(
            arguments, tensors(state), *tensors([np.array([[1.0, 2.0]])])
        )
        return ops.sum(outputs)

    direction = np.array([[1.0], [0.0]])
    _, (product,) = derivatives(output, [kernel], [direction])
    expected = 2 * 0.6 * (11 * 0.6 / 5 - 1.0) / 25
    np.testing.assert_allclose(product[0, 0], expected, rtol=1e-9)
