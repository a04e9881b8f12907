"""Convolutions on a CPU with JAX, and their derivatives, are XLA's own."""

import functools

import keras
import numpy as np
import pytest

if keras.backend.backend() != "jax":
    pytest.skip("of JAX", allow_module_level=True)

import jax
import jax.export
from jax import numpy as jnp

from keras_sagan.backends import jax_convolution

ONE = ((1, 1), (1, 1))
# Input, kernel, stride, padding: each way to compute a derivative.
CASES = {
    "products": ((4, 36, 32, 16), (3, 3, 16, 32), 1, "SAME"),
    "products of six images": ((6, 30, 32, 32), (2, 2, 32, 16), 1, "VALID"),
    "products and squares": ((3, 80, 72, 16), (4, 4, 16, 32), 2, ONE),
    "squares": ((2, 16, 12, 3), (4, 4, 3, 5), 2, ONE),
    "odd size": ((2, 15, 13, 3), (4, 4, 3, 5), 2, ONE),
    "odd kernel": ((2, 8, 8, 3), (3, 3, 3, 5), 2, "SAME"),
    "pointwise": ((2, 5, 6, 3), (1, 1, 3, 4), 1, "SAME"),
    "pointwise with a stride": ((2, 6, 6, 3), (1, 1, 3, 4), 2, "VALID"),
}


def ours(stride, padding):
    return lambda x, k: jax_convolution.convolve(x, k, stride, padding)


def xla(stride, padding):
    return lambda x, k: jax.lax.conv_general_dilated(
        x,
        k,
        (stride, stride),
        padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def close(found, expected, tolerance=1e-5):
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape and found.dtype == expected.dtype
    scale = np.abs(expected.astype("float64")).max()
    error = np.abs(found.astype("float64") - expected.astype("float64"))
    assert error.max() <= tolerance * scale


def both(derivative, case, rng, dtype="float32"):
    """Returns a derivative of ours and of XLA's convolution."""
    shape, kernel_shape, stride, padding = CASES[case]
    x = jnp.asarray(rng.normal(size=shape), dtype)
    kernel = jnp.asarray(rng.normal(size=kernel_shape), dtype)
    return [
        jax.jit(functools.partial(derivative, of(stride, padding)))(x, kernel)
        for of in (ours, xla)
    ]


def wave(convolve):
    """Returns a scalar function with derivatives of every order."""
    return lambda x, kernel: jnp.mean(jnp.sin(convolve(x, kernel)))


@pytest.mark.parametrize("case", CASES)
def test_value_and_gradients(case, rng):
    def derivative(convolve, x, kernel):
        return convolve(x, kernel), jax.grad(wave(convolve), (0, 1))(x, kernel)

    for found, expected in zip(
        *map(jax.tree.leaves, both(derivative, case, rng))
    ):
        close(found, expected)


@pytest.mark.parametrize("argument", [0, 1])
def test_gradient_of_one_argument(argument, rng):
    def derivative(convolve, x, kernel):
        return jax.grad(wave(convolve), argument)(x, kernel)

    close(*both(derivative, "products and squares", rng))


@pytest.mark.parametrize("case", ["products", "squares", "pointwise"])
def test_gradient_of_a_gradient(case, rng):
    """As in R1, the gradient of the squared norm of an input's gradient."""

    def derivative(convolve, x, kernel):
        def penalty(x, kernel):
            gradients = jax.grad(wave(convolve), (0, 1))(x, kernel)
            return sum(jnp.sum(g**2) for g in gradients)

        return jax.grad(penalty, (0, 1))(x, kernel)

    for found, expected in zip(*both(derivative, case, rng)):
        close(found, expected, 1e-4)


@pytest.mark.parametrize("case", ["products and squares", "pointwise"])
def test_forward_mode(case, rng):
    def derivative(convolve, x, kernel):
        return jax.jvp(convolve, (x, kernel), (jnp.cos(x), jnp.sin(kernel)))[1]

    close(*both(derivative, case, rng))


def test_each_of_a_batch_of_batches(rng):
    def derivative(convolve, x, kernel):
        gradient = jax.grad(wave(convolve), 1)
        return jax.vmap(lambda x: gradient(x, kernel))(jnp.stack([x, 2 * x]))

    close(*both(derivative, "products", rng))


def test_bfloat16_sums_in_float32(rng):
    """No further from float32 than XLA's own gradient in bfloat16."""

    def derivative(convolve, x, kernel):
        return jax.grad(lambda *a: jnp.sum(convolve(*a) ** 2), 1)(x, kernel)

    found, expected = both(derivative, "products", rng, "bfloat16")
    close(found, expected, 2e-2)


def test_any_number_of_images(rng):
    """A program for any batch, and its gradient, can be exported."""
    shape, kernel_shape, stride, padding = CASES["products and squares"]
    (batch,) = jax.export.symbolic_shape("batch")
    x = jax.ShapeDtypeStruct((batch, *shape[1:]), "float32")
    kernel = jnp.asarray(rng.normal(size=kernel_shape), "float32")
    gradient = jax.grad(wave(ours(stride, padding)))
    program = jax.export.export(jax.jit(gradient))(x, kernel)
    images = jnp.asarray(rng.normal(size=shape), "float32")
    expected = jax.grad(wave(xla(stride, padding)))(images, kernel)
    close(program.call(images, kernel), expected)
