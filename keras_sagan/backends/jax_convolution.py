"""Convolutions on JAX, with gradients that are fast on a CPU.

XLA computes the gradient of a kernel as a convolution whose kernel is as large
as the map, and that of the input of a strided convolution with a dilated one.
On a CPU (JAX 0.10.2), the first takes up to 8 times as long as the same
products by matrices, and the second up to 14 times as long as a convolution
with a stride of 1. `benchmarks/jax_convolution.py` measures both.
"""

import functools

import jax
from jax import numpy as jnp

from keras_sagan.backends.jax_replicas import has_accelerator
from keras_sagan.backends.jax_replicas import replicas

# Matrix products of so few images at a time stay in the processor's cache.
_IMAGES = 4


def convolve(x, kernel, stride, padding):
    """Convolves `(B, H, W, C)` with a kernel `(h, w, C, D)`.

    `padding` is a pair of numbers for each axis, "SAME" or "VALID".
    """
    if isinstance(padding, str):
        strides = (stride, stride)
        padding = jax.lax.padtype_to_pads(
            x.shape[1:3], kernel.shape[:2], strides, padding
        )
    padding = tuple(map(tuple, padding))
    if not _is_on_one_cpu(x):
        return convolve_by_xla(x, kernel, stride, padding)
    if kernel.shape[:2] == (1, 1) and stride == 1 and not any(sum(padding, ())):
        return _product(x, kernel[0, 0])
    return _convolve_on_cpu(x, kernel, stride, padding)


def _is_on_one_cpu(x):
    """Returns whether a loop over the images is possible and fast."""
    # It would gather the images of several devices, and needs to know their
    # number, which an exported program does not.
    return (
        not has_accelerator()
        and replicas() == 1
        and isinstance(x.shape[0], int)
    )


def convolve_by_xla(x, kernel, stride, padding):
    """Convolves with XLA's own gradients; see `convolve`."""
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _convolve_on_cpu(x, kernel, stride, padding):
    return convolve_by_xla(x, kernel, stride, padding)


def _derivative(stride, padding, primals, tangents):
    (x, kernel), (dx, dkernel) = primals, tangents
    y = _convolve_on_cpu(x, kernel, stride, padding)
    tangent = jnp.zeros_like(y)
    # Reverse mode only transposes these linear functions of the tangents.
    if not isinstance(dx, jax.custom_derivatives.SymbolicZero):
        linear = _along_input(x, kernel, stride, padding)
        tangent += linear(dx, kernel, stride, padding)
    if not isinstance(dkernel, jax.custom_derivatives.SymbolicZero):
        linear = _along_kernel(y, kernel)
        tangent += linear(x, dkernel, stride, padding)
    return y, tangent


_convolve_on_cpu.defjvp(_derivative, symbolic_zeros=True)


def _along_input(x, kernel, stride, padding):
    """Returns the function whose gradient of the input is fastest."""
    sides = [n + sum(pad) for n, pad in zip(x.shape[1:3], padding)]
    fits = all(n % stride == 0 for n in (*sides, *kernel.shape[:2]))
    if stride > 1 and fits and max(kernel.shape[2:]) <= 128:
        return _convolve_without_stride
    return _convolve_on_cpu


def _along_kernel(y, kernel):
    """Returns the function whose gradient of the kernel is fastest."""
    few, many = sorted(kernel.shape[2:])
    many_positions = y.size // y.shape[-1] > 4096
    if many_positions and few >= 16 and many >= 32:
        return _sum_of_products
    return _convolve_on_cpu


def _convolve_without_stride(x, kernel, stride, padding):
    """Convolves squares of `stride * stride` pixels as if they were pixels."""
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    b, h, w, c = x.shape
    rows, columns, _, d = kernel.shape
    s = stride
    x = x.reshape(b, h // s, s, w // s, s, c).swapaxes(2, 3)
    kernel = kernel.reshape(rows // s, s, columns // s, s, c, d).swapaxes(1, 2)
    return _convolve_on_cpu(
        x.reshape(b, h // s, w // s, s * s * c),
        kernel.reshape(rows // s, columns // s, s * s * c, d),
        1,
        ((0, 0), (0, 0)),
    )


def _sum_of_products(x, kernel, stride, padding):
    """Convolves by one matrix product for each location in the kernel."""
    dtype = jnp.promote_types(x.dtype, "float32")  # For the sum over images.
    rows, columns, _, channels = kernel.shape
    height, width = (
        (n + sum(pad) - size) // stride + 1
        for n, pad, size in zip(x.shape[1:3], padding, (rows, columns))
    )
    matrices = [
        [kernel[i, j].astype(dtype) for j in range(columns)]
        for i in range(rows)
    ]

    def of_some(matrices, images):
        y = sum(
            _product(
                images[
                    :,
                    i : i + (height - 1) * stride + 1 : stride,
                    j : j + (width - 1) * stride + 1 : stride,
                ],
                matrices[i][j],
            )
            for i in range(rows)
            for j in range(columns)
        )
        return matrices, y

    some = next(n for n in (_IMAGES, 2, 1) if len(x) % n == 0)
    # JAX 0.6 can transpose the loop only if it carries the matrices, and if
    # nothing but them and the images goes into it.
    padded = jnp.pad(x.astype(dtype), ((0, 0), *padding, (0, 0)))
    parts = padded.reshape(-1, some, *padded.shape[1:])
    # The gradient needs only the images, not all their shifted copies.
    of_some = jax.checkpoint(of_some, prevent_cse=False)
    _, y = jax.lax.scan(of_some, matrices, parts)
    return y.reshape(len(x), height, width, channels).astype(x.dtype)


def _product(x, matrix):
    """`x @ matrix` as a product of matrices, which XLA computes fastest."""
    y = x.reshape(-1, x.shape[-1]) @ matrix
    return y.reshape(*x.shape[:-1], matrix.shape[1])
