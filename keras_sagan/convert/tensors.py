"""Which tensor of another implementation belongs to which variable of ours."""

import dataclasses
import math
import re

import keras
import numpy as np
from keras import ops

from keras_sagan.convert.axes import Axes
from keras_sagan.convert.layouts import BY_CALL
from keras_sagan.convert.layouts import Layout
from keras_sagan.layers import BatchNorm
from keras_sagan.layers import ConditionalBatchNorm
from keras_sagan.layers import SelfAttention2D
from keras_sagan.layers import SpectralNormalization


class Tensors:
    """Tensors of one network of theirs, by name, while they are taken.

    Attributes:
        taken: The names taken so far.
        missing: Names of tensors that were asked for and are not there.
        misshapen: Descriptions of those of another shape.
    """

    def __init__(self, arrays):
        self.arrays = arrays
        self.taken, self.missing, self.misshapen = set(), [], []

    def __contains__(self, name):
        return name in self.arrays

    def take(self, name, shape):
        """Returns a tensor, or None after noting what is wrong with it."""
        if name not in self.arrays:
            self.missing.append(f"{name} {tuple(shape)}")
            return None
        self.taken.add(name)
        x = self.arrays[name]
        # One entry may be a scalar or a vector, `u` a vector or a row.
        if _without_ones(x.shape) != _without_ones(shape):
            self.misshapen.append(
                f"{name} {tuple(x.shape)}, not {tuple(shape)}"
            )
            return None
        return x.reshape(shape)

    def left_over(self):
        return sorted(set(self.arrays) - self.taken)


@dataclasses.dataclass(frozen=True)
class Plain:
    """A variable that is a tensor of theirs, plus `offset`."""

    variable: keras.Variable
    name: str
    offset: float = 0.0
    axes: Axes | None = None

    def load(self, tensors):
        """Yields variables and their values."""
        shape = self.variable.shape
        if self.axes is None:
            x = tensors.take(self.name, shape)
        else:
            x = tensors.take(self.name, self.axes.their_shape(shape))
            x = None if x is None else self.axes.kernel_to_ours(x, shape)
        if x is not None:
            yield self.variable, x + self.offset

    def save(self):
        """Yields names and their tensors."""
        x = ops.convert_to_numpy(self.variable) - self.offset
        if self.axes is not None:
            x = self.axes.kernel_to_theirs(x)
        yield self.name, x


@dataclasses.dataclass(frozen=True)
class Bias:
    """A bias, whose entries are in the order of the kernel's outputs."""

    variable: keras.Variable
    name: str
    axes: Axes
    kernel_shape: tuple

    def load(self, tensors):
        x = tensors.take(self.name, self.variable.shape)
        if x is not None:
            columns = self.axes.columns
            yield (
                self.variable,
                self.axes.vector_to_ours(x, columns, self.kernel_shape),
            )

    def save(self):
        x = ops.convert_to_numpy(self.variable)
        columns = self.axes.columns
        yield (
            self.name,
            self.axes.vector_to_theirs(x, columns, self.kernel_shape),
        )


@dataclasses.dataclass(frozen=True)
class Normalized:
    """A kernel with the vectors of its spectral normalization."""

    layer: SpectralNormalization
    base: str
    kernel_name: str | None
    layout: Layout
    axes: Axes

    def load(self, tensors):
        kernel_name, u_name, v_name = self._names(self.layout.normalized)
        by_call = self._names(BY_CALL)
        if u_name not in tensors and by_call[1] in tensors:
            kernel_name, u_name, v_name = by_call
        axes, shape = self.axes, self.layer.kernel.shape
        kernel = tensors.take(kernel_name, axes.their_shape(shape))
        sizes = axes.sizes(shape)
        columns, rows = (
            math.prod(sizes[a] for a in letters)
            for letters in (axes.their_columns, axes.their_rows)
        )
        u = tensors.take(u_name, (columns,))
        v = None if v_name is None else tensors.take(v_name, (rows,))
        if kernel is None or u is None or (v_name is not None and v is None):
            return
        kernel = axes.kernel_to_ours(kernel, shape)
        u = axes.vector_to_ours(u, axes.their_columns, shape)
        if v is None:
            u, v = _iterate(axes.matrix(kernel), u, self.layer.epsilon)
        else:
            v = axes.vector_to_ours(v, axes.their_rows, shape)
        if axes.their_columns != axes.columns:
            u, v = v, u
        yield self.layer.kernel, kernel
        yield self.layer.u, u
        yield self.layer.v, v

    def save(self):
        kernel_name, u_name, v_name = self._names(self.layout.normalized)
        axes = self.axes
        kernel, u, v = map(
            ops.convert_to_numpy,
            (self.layer.kernel, self.layer.u, self.layer.v),
        )
        if axes.their_columns != axes.columns:
            u, v = v, u
        shape = kernel.shape
        yield kernel_name, axes.kernel_to_theirs(kernel)
        yield u_name, axes.vector_to_theirs(u, axes.their_columns, shape)
        if v_name is not None:
            yield v_name, axes.vector_to_theirs(v, axes.their_rows, shape)

    def _names(self, normalized):
        kernel, u, v = normalized
        return (
            _join(self.layout, self.base, kernel or self.kernel_name),
            _join(self.layout, self.base, u),
            v and _join(self.layout, self.base, v),
        )


def correspondences(network, side, layout):
    """Yields a `Plain`, `Bias` or `Normalized` for all that a network has."""
    stages = [
        layer.name
        for layer in network.layers
        if re.fullmatch(r"(up|block|attention)_\d+", layer.name)
    ]
    prefixes = layout.prefixes(side, stages)
    for layer in network.layers:
        if layer.variables:
            base = layout.base(side, layer.name, prefixes)
            yield from _of_layer(layer, base, layout)


def _of_layer(layer, base, layout):
    if isinstance(layer, SelfAttention2D):
        names = {"query": layer.query, "key": layer.key, "value": layer.value}
        if layer.output_projection:
            names["projection"] = layer.projection
        for name, part in names.items():
            yield from _of_layer(
                part, layout.join(base, layout.names[name]), layout
            )
        yield Plain(layer.gamma, layout.join(base, layout.names["gamma"]))
    elif isinstance(layer, ConditionalBatchNorm):
        yield from _of_class_norm(layer, base, layout)
    elif isinstance(layer, BatchNorm):
        for variable, name in (
            (layer.gamma, "gain"),
            (layer.beta, "offset"),
            (layer.moving_mean, "mean"),
            (layer.moving_variance, "variance"),
        ):
            yield Plain(variable, layout.join(base, layout.names[name]))
    else:
        yield from _of_kernel(layer, base, layout)


def _of_class_norm(layer, base, layout):
    for table, name, offset in (
        (layer.gamma, "table_gain", layout.gain_offset),
        (layer.beta, "table_offset", 0.0),
    ):
        table_base = layout.join(base, layout.names[name])
        axes = layout.axes["table"]
        kernel_name, _ = layout.kernels["table"]
        if isinstance(table, SpectralNormalization):
            yield Normalized(table, table_base, kernel_name, layout, axes)
        else:
            name = _join(layout, table_base, kernel_name)
            yield Plain(table, name, offset, axes)
    for variable, name in (
        (layer.moving_mean, "table_mean"),
        (layer.moving_variance, "table_variance"),
    ):
        yield Plain(variable, layout.join(base, layout.names[name]))


def _of_kernel(layer, base, layout):
    inner = getattr(layer, "layer", layer)  # Under a spectral norm, or not.
    if isinstance(inner, keras.layers.Embedding):
        kind, variable = "embedding", inner.embeddings
    elif isinstance(inner, keras.layers.Dense):
        kind, variable = "linear", inner.kernel
        if variable.shape[1] > 1:
            kind = "latents"
    else:
        kind, variable = "convolution", inner.kernel
    axes = layout.axes[kind]
    kernel_name, bias_name = layout.kernels[kind]
    if inner is layer:
        yield Plain(variable, _join(layout, base, kernel_name), 0.0, axes)
    else:
        yield Normalized(layer, base, kernel_name, layout, axes)
    bias = getattr(inner, "bias", None)
    if bias is not None:
        name = layout.join(base, bias_name)
        yield Bias(bias, name, axes, tuple(variable.shape))


def _join(layout, base, name):
    return base if name is None else layout.join(base, name)


def _without_ones(shape):
    return tuple(size for size in shape if size != 1)


def _iterate(matrix, u, epsilon):
    """One power iteration from `u`, as SpectralNormalization's."""
    v = _normalize(matrix @ u, epsilon)
    return _normalize(v @ matrix, epsilon), v


def _normalize(vector, epsilon):
    return vector / max(np.linalg.norm(vector), epsilon)
