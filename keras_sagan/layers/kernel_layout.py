"""The kernels of layers as matrices from inputs to outputs."""

import dataclasses
import math

import keras
from keras import ops

from keras_sagan import backends

_TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
    keras.layers.Embedding,
)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


@dataclasses.dataclass(frozen=True)
class KernelLayout:
    """How a kernel is read as a matrix `(groups * rows, groups * columns)`.

    Attributes:
        shape: Shape of the kernel.
        view: Shape of the kernel with an axis for the groups of output
            channels.
        order: Axes of `view` in the order of groups, rows and columns. A row
            is an input that is summed over, and a column is an output.
        groups: Number of blocks on the diagonal of the matrix. Outside the
            blocks, the matrix is zero.
        rows: Number of inputs in a group.
        columns: Number of outputs in a group.
    """

    shape: tuple
    view: tuple
    order: tuple
    groups: int
    rows: int
    columns: int

    @property
    def matrix_shape(self):
        """`(rows, columns)` of the whole matrix."""
        return self.groups * self.rows, self.groups * self.columns

    def to_blocks(self, kernel):
        """Returns the blocks of a kernel's matrix, `(groups, rows, columns)`.

        For a kernel without groups, this is the matrix itself.
        """
        if self.view != self.shape:
            kernel = backends.reshape(kernel, self.view)
        if self.order != self._axes:
            kernel = ops.transpose(kernel, self.order)
        shape = self.rows, self.columns
        if self.groups > 1:
            shape = self.groups, *shape
        return backends.reshape(kernel, shape)

    def to_matrix(self, kernel):
        """Returns the matrix of a kernel."""
        blocks = self.to_blocks(kernel)
        if self.groups == 1:
            return blocks
        matrix = blocks[:, :, None] * self._diagonal(blocks)
        return backends.reshape(matrix, self.matrix_shape)

    def to_kernel(self, matrix):
        """Returns the kernel from its matrix."""
        if self.groups > 1:
            shape = self.groups, self.rows, self.groups, self.columns
            matrix = backends.reshape(matrix, shape)
            matrix = ops.sum(matrix * self._diagonal(matrix), axis=2)
        kernel = backends.reshape(
            matrix, [self.view[axis] for axis in self.order]
        )
        if self.order != self._axes:
            back = sorted(self._axes, key=self.order.__getitem__)
            kernel = ops.transpose(kernel, back)
        if self.view != self.shape:
            kernel = backends.reshape(kernel, self.shape)
        return kernel

    @property
    def _axes(self):
        return tuple(range(len(self.view)))

    def _diagonal(self, like):
        return ops.eye(self.groups, dtype=like.dtype)[:, None, :, None]


def kernel_layout(layer, shape):
    """Returns the `KernelLayout` of a layer's kernel.

    Args:
        layer: A `keras.layers.Layer` with a kernel, or with embeddings.
        shape: Shape of the kernel.
    """
    axes = tuple(range(len(shape)))
    if isinstance(layer, _TRANSPOSED):
        return _layout(shape, (), (*axes[:-2], axes[-1]), (axes[-2],))
    if isinstance(layer, _DEPTHWISE):
        return _layout(shape, (axes[-2],), axes[:-2], (axes[-1],))
    if isinstance(layer, keras.layers.EinsumDense):
        return _layout(shape, *_einsum_axes(layer.equation))
    groups = getattr(layer, "groups", 1)
    if groups == 1:
        return _layout(shape, (), axes[:-1], (axes[-1],))
    view = (*shape[:-1], groups, shape[-1] // groups)
    return _layout(shape, (len(shape) - 1,), axes[:-1], (len(shape),), view)


def _layout(shape, groups, rows, columns, view=None):
    """Returns the layout for the axes of groups, rows and columns."""
    view, kinds = view or shape, (groups, rows, columns)
    sizes = (math.prod(view[axis] for axis in axes) for axes in kinds)
    return KernelLayout(shape, view, (*groups, *rows, *columns), *sizes)


def _einsum_axes(equation):
    """Returns the axes of a kernel that are groups, inputs and outputs."""
    inputs, rest = equation.replace(" ", "").split(",")
    kernel, outputs = rest.split("->")
    kinds = [
        (name in inputs and name in outputs, name in inputs) for name in kernel
    ]
    return (
        tuple(i for i, kind in enumerate(kinds) if kind == (True, True)),
        tuple(i for i, kind in enumerate(kinds) if kind == (False, True)),
        tuple(i for i, kind in enumerate(kinds) if not kind[1]),
    )
