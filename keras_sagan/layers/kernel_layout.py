"""The kernels of layers as matrices from inputs to outputs."""

import dataclasses
import math

import keras
from keras import ops

_TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
    keras.layers.Embedding,
)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


@dataclasses.dataclass(frozen=True)
class KernelLayout:
    """How a kernel is a matrix `(groups * rows, groups * columns)`.

    Attributes:
        shape: Shape of the kernel.
        order: Its axes in the order of groups, rows and columns. A row is an
            input that is summed over, and a column is an output.
        groups: Number of blocks on the diagonal of the matrix. Outside of the
            blocks it is zero.
        rows: Number of inputs in a group.
        columns: Number of outputs in a group.
    """

    shape: tuple
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

        Of a kernel without groups it is the matrix itself.
        """
        axes = tuple(range(len(self.shape)))
        if self.split:  # Groups are neighbours among the output channels.
            kernel = ops.reshape(kernel, (self.rows, self.groups, self.columns))
            return ops.transpose(kernel, (1, 0, 2))
        if self.order != axes:
            kernel = ops.transpose(kernel, self.order)
        shape = self.rows, self.columns
        if self.groups > 1:
            shape = self.groups, *shape
        return ops.reshape(kernel, shape)

    def to_matrix(self, kernel):
        """Returns the matrix of a kernel."""
        blocks = self.to_blocks(kernel)
        if self.groups == 1:
            return blocks
        matrix = blocks[:, :, None] * self._diagonal(blocks)
        return ops.reshape(matrix, self.matrix_shape)

    def to_kernel(self, matrix):
        """Returns the kernel of a matrix that has these blocks."""
        if self.groups > 1:
            shape = self.groups, self.rows, self.groups, self.columns
            matrix = ops.reshape(matrix, shape)
            matrix = ops.sum(matrix * self._diagonal(matrix), axis=2)
        if self.split:
            return ops.reshape(ops.transpose(matrix, (1, 0, 2)), self.shape)
        kernel = ops.reshape(matrix, [self.shape[axis] for axis in self.order])
        axes = tuple(range(len(self.shape)))
        if self.order == axes:
            return kernel
        return ops.transpose(kernel, sorted(axes, key=self.order.__getitem__))

    @property
    def split(self):
        """Whether the last axis is groups of output channels."""
        return self.groups > 1 and len(self.order) == 0

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
    rows, columns = math.prod(shape[:-1]), shape[-1] // groups
    return KernelLayout(shape, (), groups, rows, columns)


def _layout(shape, *kinds):
    """`kinds` are the axes of groups, of rows and of columns."""
    sizes = (math.prod(shape[axis] for axis in axes) for axes in kinds)
    return KernelLayout(shape, tuple(sum(kinds, ())), *sizes)


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
