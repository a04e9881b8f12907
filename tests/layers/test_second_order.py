"""Gradients of gradients, against plain implementations in float64.

The references below have no fused operation and no gradient of their own: the
backend differentiates them twice by itself. `u` and `v` are constants.
"""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_sagan import layers
from keras_sagan.backends import chunked_attention
from keras_sagan.layers.conditional_batch_norm import ClassTable
from tests.helpers import array
from tests.helpers import computing_in
from tests.helpers import hessian_products

MAP = np.random.default_rng(6).normal(size=(3, 4, 4, 6))
ROWS = MAP[:, 0, 0]
LABELS = np.array([1, 0, 1], "int32")
DRAWS = np.random.default_rng(7).uniform(0.2, 0.8, (3, 7))
EPSILON = 1e-3


class Weights:
    """Trainable tensors by name; kernels of a normalized layer divided."""

    def __init__(self, layer, tensors, vectors):
        names = [_name(layer, v) for v in layer.trainable_variables]
        self.tensors = dict(zip(names, tensors, strict=True))
        self.vectors = vectors
        self.layer = layer

    def __getitem__(self, name):
        kernel = self.tensors.get(name)
        prefix, _, last = name.rpartition("/")
        if last != "kernel" or prefix not in self.vectors:
            return kernel
        u, v = map(ops.convert_to_tensor, self.vectors[prefix])
        sigma = ops.sum(v[:, None] * ops.reshape(kernel, (-1, len(u))) * u)
        return kernel / sigma


def _name(layer, variable):
    """`query/kernel` of `layer/query/conv/kernel`, and the like."""
    parts = variable.path.split("/")
    known = [p for p in parts[:-1] if p in PARTS]
    return "/".join([*known[-1:], parts[-1]])


PARTS = ("query", "key", "value", "projection", "gamma", "beta")


def normalized_parts(layer):
    """By name, the layers in it that divide their kernel by its norm."""
    if isinstance(layer, layers.SpectralNormalization):
        return {"": layer}
    return {
        name: getattr(layer, name)
        for name in PARTS
        if isinstance(getattr(layer, name, None), layers.SpectralNormalization)
    }


def conv(x, kernel, bias=None):
    """A convolution that keeps the size, shift by shift."""
    side = kernel.shape[0]
    height, width = x.shape[1:3]
    p = side // 2
    x = ops.pad(x, [[0, 0], [p, p], [p, p], [0, 0]])
    y = sum(
        x[:, i : i + height, j : j + width] @ kernel[i, j]
        for i in range(side)
        for j in range(side)
    )
    return y if bias is None else y + bias


def blocks(x, size):
    """`(B, H, W, C)` to `(B, H / size, W / size, size^2, C)`."""
    b, h, w, c = x.shape
    x = ops.reshape(x, (b, h // size, size, w // size, size, c))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (b, h // size, w // size, size * size, c))


def repeated(x):
    b, h, w, c = x.shape
    x = ops.stack([x, x], axis=3)
    x = ops.stack([x, x], axis=2)
    return ops.reshape(x, (b, 2 * h, 2 * w, c))


def attention(weights, x, pool_size=2, project=True):
    b, h, w, _ = x.shape

    def part(name, x, size=1):
        y = conv(x, weights[f"{name}/kernel"], weights[f"{name}/bias"])
        y = ops.max(blocks(y, size), axis=3)
        return ops.reshape(y, (b, -1, y.shape[-1]))

    query = part("query", x)
    key, value = part("key", x, pool_size), part("value", x, pool_size)
    scores = ops.exp(query @ ops.transpose(key, (0, 2, 1)))
    beta = scores / ops.sum(scores, axis=-1, keepdims=True)
    o = ops.reshape(beta @ value, (b, h, w, -1))
    if project:
        o = conv(o, weights["projection/kernel"], weights["projection/bias"])
    return x + weights["gamma"] * o


def batch_norm(layer, x, gamma, beta, training):
    if training:
        axes, n = tuple(range(len(x.shape) - 1)), math.prod(x.shape[:-1])
        mean = ops.sum(x, axis=axes) / n
        variance = ops.sum((x - mean) ** 2, axis=axes) / n
    else:
        mean = ops.convert_to_tensor(array(layer.moving_mean))
        variance = ops.convert_to_tensor(array(layer.moving_variance))
    return gamma * (x - mean) / (variance + layer.epsilon) ** 0.5 + beta


def conditional(weights, x, training, one_plus=False):
    one_hot = ops.convert_to_tensor(np.eye(2)[LABELS])
    gamma, beta = (
        ops.reshape(one_hot @ weights[name], (3, 1, 1, 6))
        for name in (
            ("gamma/kernel", "beta/kernel") if one_plus else ("gamma", "beta")
        )
    )
    gamma = 1.0 + gamma if one_plus else gamma
    return batch_norm(weights.layer, x, gamma, beta, training)


def normalized(layer):
    return layers.SpectralNormalization(layer)


# Name: a layer, its reference by (weights, inputs, training), its inputs.
CASES = {
    "attention": (
        lambda: layers.SelfAttention2D(query_ratio=3),
        lambda w, t, x: attention(w, x),
        (MAP,),
    ),
    "attention_paper": (
        lambda: layers.SelfAttention2D(3, value_ratio=3, pool_size=1),
        lambda w, t, x: attention(w, x, 1),
        (MAP,),
    ),
    "attention_self_attn": (
        lambda: layers.SelfAttention2D(
            3, 1, 1, output_projection=False, use_bias=True
        ),
        lambda w, t, x: attention(w, x, 1, project=False),
        (MAP,),
    ),
    "attention_plain": (
        lambda: layers.SelfAttention2D(3, spectral_normalization=False),
        lambda w, t, x: attention(w, x),
        (MAP,),
    ),
    "batch_norm": (
        lambda: layers.BatchNorm(0.5, EPSILON),
        lambda w, t, x: batch_norm(w.layer, x, w["gamma"], w["beta"], t),
        (MAP,),
    ),
    "batch_norm_of_rows": (
        lambda: layers.BatchNorm(0.5, EPSILON),
        lambda w, t, x: batch_norm(w.layer, x, w["gamma"], w["beta"], t),
        (ROWS,),
    ),
    "conditional_batch_norm": (
        lambda: layers.ConditionalBatchNorm(2, 0.5, EPSILON),
        lambda w, t, x, y: conditional(w, x, t),
        (MAP, LABELS),
    ),
    "conditional_batch_norm_normalized": (
        lambda: layers.ConditionalBatchNorm(
            2, 0.5, EPSILON, spectral_normalization=True
        ),
        lambda w, t, x, y: conditional(w, x, t, one_plus=True),
        (MAP, LABELS),
    ),
    "conv": (
        lambda: layers.Conv2D(4, 3),
        lambda w, t, x: conv(x, w["kernel"], w["bias"]),
        (MAP,),
    ),
    "dense": (
        lambda: layers.Dense(4),
        lambda w, t, x: x @ w["kernel"] + w["bias"],
        (ROWS,),
    ),
    "upsample": (
        lambda: layers.UpsampleConv2D(4),
        lambda w, t, x: conv(repeated(x), w["kernel"], w["bias"]),
        (MAP,),
    ),
    "upsample_unfused": (
        lambda: layers.UpsampleConv2D(4, fused=False),
        lambda w, t, x: conv(repeated(x), w["kernel"], w["bias"]),
        (MAP,),
    ),
    "downsample": (
        lambda: layers.DownsampleConv2D(4),
        lambda w, t, x: (
            ops.sum(blocks(conv(x, w["kernel"], w["bias"]), 2), axis=3) / 4
        ),
        (MAP,),
    ),
    "downsample_unfused": (
        lambda: layers.DownsampleConv2D(4, fused=False),
        lambda w, t, x: (
            ops.sum(blocks(conv(x, w["kernel"], w["bias"]), 2), axis=3) / 4
        ),
        (MAP,),
    ),
    "normalized_conv": (
        lambda: normalized(layers.Conv2D(4, 3)),
        lambda w, t, x: conv(x, w["kernel"], w["bias"]),
        (MAP,),
    ),
    "normalized_upsample": (
        lambda: normalized(layers.UpsampleConv2D(4)),
        lambda w, t, x: conv(repeated(x), w["kernel"], w["bias"]),
        (MAP,),
    ),
    "normalized_keras_dense": (
        lambda: normalized(keras.layers.EinsumDense("bc,cd->bd", 4)),
        lambda w, t, x: x @ w["kernel"],
        (ROWS,),
    ),
    "normalized_dense": (
        lambda: normalized(layers.Dense(1, use_bias=False)),
        lambda w, t, x: x @ w["kernel"],
        (ROWS,),
    ),
    "normalized_table": (
        lambda: normalized(ClassTable(2, 5)),
        lambda w, t, y: ops.convert_to_tensor(np.eye(2)[LABELS]) @ w["kernel"],
        (LABELS,),
    ),
    "add_upsampled": (
        lambda: layers.AddUpsampled(),
        lambda w, t, x, y: x + repeated(y),
        (MAP, MAP[:, ::2, ::2]),
    ),
    "diff_augment": (
        lambda: layers.DiffAugment(("color", "translation", "cutout"), seed=1),
        None,
        (MAP[..., :3], DRAWS),
    ),
}


class Case:
    """A layer in float64, its scalar of all its tensors, and directions."""

    def __init__(self, name, training):
        make_layer, self.reference, self.inputs = CASES[name]
        self.training = training
        rng = np.random.default_rng(5)
        self.layer = layer = make_layer()
        layer(*map(ops.convert_to_tensor, self.inputs))
        for variable in layer.variables:
            if variable.path.rpartition("/")[2] not in ("u", "v"):
                value = rng.uniform(0.5, 1.5, variable.shape)
                variable.assign(value * rng.choice([-1, 1], variable.shape))
        if hasattr(layer, "moving_variance"):
            layer.moving_variance.assign(rng.uniform(1, 2, size=6))
        parts = normalized_parts(layer)
        for part in parts.values():
            if not training:
                part.iterate()
        # A training call divides by the norm that its own iteration gives.
        self.vectors = {
            name: tuple(array(x) for x in part.iterated_vectors()[:2])
            if training
            else (array(part.u), array(part.v))
            for name, part in parts.items()
        }
        floats = [x for x in self.inputs if x.dtype == "float64"]
        self.arguments = [*floats, *map(array, layer.trainable_variables)]
        self.directions = [rng.normal(size=x.shape) for x in self.arguments]

    def split(self, tensors):
        tensors = list(tensors)
        inputs = [
            tensors.pop(0) if x.dtype == "float64" else ops.convert_to_tensor(x)
            for x in self.inputs
        ]
        return inputs, tensors

    def __call__(self, *tensors):
        """The layer's outputs as a scalar of curvature everywhere."""
        inputs, weights = self.split(tensors)
        outputs, _ = self.layer.stateless_call(
            weights,
            [v.value for v in self.layer.non_trainable_variables],
            *inputs,
            **({"training": True} if self.training else {}),
        )
        return scalar(outputs)

    def plain(self, *tensors):
        inputs, weights = self.split(tensors)
        weights = Weights(self.layer, weights, self.vectors)
        return scalar(self.reference(weights, self.training, *inputs))


def scalar(outputs):
    coefficients = np.cos(np.arange(math.prod(outputs.shape)))
    coefficients = ops.convert_to_tensor(
        coefficients.reshape(outputs.shape), outputs.dtype
    )
    return ops.sum(coefficients * outputs * (1.0 + outputs * outputs / 3.0))


def assert_close(actual, expected, tolerance):
    for a, b in zip(actual, expected, strict=True):
        # A key's bias has none: the softmax takes it out again.
        scale = max(np.abs(b).max(), 1e-3)
        np.testing.assert_allclose(a / scale, b / scale, atol=tolerance)


@pytest.fixture
def in_float64():
    with computing_in("float64"):
        yield


# What runs otherwise in training does both.
MODES = [(name, False) for name in CASES] + [
    (name, True) for name in CASES if "norm" in name or "attention" in name
]


@pytest.mark.parametrize(
    ("name", "training"), [x for x in MODES if CASES[x[0]][1]]
)
def test_gradients_of_gradients(name, training, in_float64):
    case = Case(name, training)
    value, gradient, products = hessian_products(
        case, case.arguments, case.directions
    )
    reference = hessian_products(case.plain, case.arguments, case.directions)
    assert_close([value], [reference[0]], 1e-9)
    assert_close(gradient, reference[1], 1e-8)
    assert_close(products, reference[2], 1e-6)


def test_augmentation_by_differences(in_float64):
    """Its gradient is smooth: central differences of it are near exact."""
    case = Case("diff_augment", False)
    images, draws = case.inputs

    def of_images(x):
        return case(x, ops.convert_to_tensor(draws))

    direction, step = case.directions[0], 1e-5
    _, _, (product,) = hessian_products(of_images, [images], [direction])
    ahead, behind = (
        hessian_products(of_images, [x], [direction])[1][0]
        for x in (images + step * direction, images - step * direction)
    )
    difference = (ahead - behind) / (2 * step)
    assert_close([product], [difference], 1e-6)


def test_attention_in_chunks(in_float64, monkeypatch):
    monkeypatch.setattr(chunked_attention, "MAX_SCORES", 1)
    monkeypatch.setattr(chunked_attention, "CHUNK_SCORES", 16)
    test_gradients_of_gradients("attention", True, None)


def test_the_known_value(in_float64):
    """`SN(Dense(1))`: d^2/dw^2 of what the issue computed by hand."""
    layer = normalized(layers.Dense(1, use_bias=False))
    layer.build((1, 2))
    layer.layer.kernel.assign([[3.0], [4.0]])
    layer.iterate()
    x = np.array([[1.0, 2.0]])

    def output(kernel):
        outputs, _ = layer.stateless_call(
            [kernel], [v.value for v in layer.non_trainable_variables], x
        )
        return ops.sum(outputs)

    # y = x W / (v W u), v = (0.6, 0.8), u = 1: with s = 5, xW = 11,
    # y'' [d, d] = 2 (v d) (xW (v d) / s - x d) / s^2, and d = (1, 0).
    expected = 2 * 0.6 * (11 * 0.6 / 5 - 1.0) / 25
    _, _, (product,) = hessian_products(
        output, [np.array([[3.0], [4.0]])], [np.array([[1.0], [0.0]])]
    )
    np.testing.assert_allclose(product[0, 0], expected, rtol=1e-9)


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow",
    reason="TensorFlow's forward mode is not offered by Keras",
)
@pytest.mark.parametrize(("name", "training"), MODES)
def test_forward_mode(name, training, in_float64):
    """`jax.jvp` and `torch.func`: forward, and forward over reverse."""
    case = Case(name, training)
    value, gradient, products = hessian_products(
        case, case.arguments, case.directions
    )
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        jvp, grad = jax.jvp, jax.grad
    else:
        import torch

        jvp, grad = torch.func.jvp, torch.func.grad
    arguments = tuple(map(ops.convert_to_tensor, case.arguments))
    directions = tuple(map(ops.convert_to_tensor, case.directions))
    every = tuple(range(len(arguments)))

    def forward(arguments, directions):
        return jvp(case, arguments, directions), jvp(
            grad(case, every), arguments, directions
        )

    if backend == "jax":
        forward = jax.jit(forward)
    (primal, tangent), (_, tangents) = forward(arguments, directions)
    slope = sum((g * d).sum() for g, d in zip(gradient, case.directions))
    assert_close([array(primal), array(tangent)], [value, slope], 1e-8)
    assert_close(list(map(array, tangents)), products, 1e-6)


@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="it is of PyTorch"
)
@pytest.mark.parametrize("name", ["attention", "normalized_upsample"])
def test_gradients_of_each_example(name, in_float64):
    """`torch.func.vmap` of a gradient: one for each image."""
    import torch

    case = Case(name, False)
    images, *weights = map(ops.convert_to_tensor, case.arguments)
    slopes = torch.func.grad(lambda w, x: case(x[None], *w))
    together = torch.func.vmap(slopes, (None, 0))(weights, images)
    for i, image in enumerate(images):
        one = slopes(weights, image)
        for a, b in zip(together, one, strict=True):
            np.testing.assert_allclose(array(a[i]), array(b), atol=1e-9)


@pytest.mark.parametrize("name", ["batch_norm", "conditional_batch_norm"])
def test_the_fused_batch_norm(name):
    """In float32 TensorFlow has another operation than in float64."""
    results = []
    for dtype in ("float32", "float64"):
        with computing_in(dtype):
            case = Case(name, True)
            arguments, directions = (
                [x.astype(dtype) for x in xs]
                for xs in (case.arguments, case.directions)
            )
            results.append(hessian_products(case, arguments, directions))
    for a, b in zip(results[0][2], results[1][2], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(b).max())
