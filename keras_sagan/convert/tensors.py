"""Matches the tensors of other implementations with our variables."""

import dataclasses
import math
import re

import keras
import numpy as np
from keras import ops

from keras_sagan.convert.axes import Axes
from keras_sagan.convert.layouts import BY_CALL
from keras_sagan.convert.layouts import Layout


class Tensors:
    """The tensors of one of their networks, and which of them are used.

    Attributes:
        taken: The names taken so far.
        missing: Names of tensors that were asked for but are not there.
        misshapen: Descriptions of the tensors that have another shape.
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
        # One number may be a scalar or a vector, and `u` a vector or a row.
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
    """A variable whose value is a tensor of theirs plus `offset`."""

    variable: keras.Variable
    name: str
    offset: float = 0.0
    axes: Axes | None = None

    def load(self, tensors):
        """Yields pairs of a variable and its value."""
        shape = self.variable.shape
        if self.axes is None:
            x = tensors.take(self.name, shape)
        else:
            x = tensors.take(self.name, self.axes.their_shape(shape))
            x = None if x is None else self.axes.kernel_to_ours(x, shape)
        if x is not None:
            yield self.variable, x + self.offset

    def save(self):
        """Yields pairs of a name and its tensor."""
        x = ops.convert_to_numpy(self.variable) - self.offset
        if self.axes is not None:
            x = self.axes.kernel_to_theirs(x)
        yield self.name, x


@dataclasses.dataclass(frozen=True)
class Bias:
    """A bias: its entries have the order of the kernel's outputs."""

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
    """A spectrally normalized kernel, with the vectors `u` and `v`."""

    layer: keras.layers.Layer
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


# The kind of each kernel that is not a convolution, by side and layer.
_KINDS = {
    ("generator", "linear"): "latents",
    ("discriminator", "linear"): "linear",
    ("discriminator", "embedding"): "embedding",
}


def correspondences(network, side, layout):
    """Yields a `Plain`, `Bias` or `Normalized` for each of the variables.

    Args:
        network: A network of `build_generator` or `build_discriminator`.
        side: `"generator"` or `"discriminator"`.
        layout: A `Layout`.

    Raises:
        ValueError: If the other implementation has no layer like one of these.
    """
    stages = [
        layer.name
        for layer in network.layers
        if re.fullmatch(r"(up|block|attention)_\d+", layer.name)
    ]
    prefixes = layout.prefixes(side, stages)
    for layer in network.layers:
        if layer.variables:
            base = layout.base(side, layer.name, prefixes)
            kind = _KINDS.get((side, layer.name), "convolution")
            yield from _of_layer(layer, base, layout, kind)


def _of_layer(layer, base, layout, kind):
    """Yields the entries of a layer and of the parts that it names."""
    if not hasattr(layer, "parts"):
        yield from _of_kernel(layer, base, layout, kind)
        return
    owner = _owner(layer)
    for name, part in layer.parts().items():
        name = f"{owner}_{name}"
        part_base = layout.join(base, layout.names[name])
        if name in ("table_gamma", "table_beta"):
            yield from _of_table(part, part_base, layout, name)
        elif hasattr(part, "variables"):
            yield from _of_layer(part, part_base, layout, "convolution")
        else:
            yield Plain(part, part_base)


def _owner(layer):
    """Returns how the names in a layout begin for a layer that has parts."""
    if hasattr(layer, "class_tables"):
        return "table"
    return "norm" if hasattr(layer, "moving_mean") else "attention"


def _of_table(table, base, layout, name):
    if hasattr(table, "variables"):  # A layer that normalizes the table.
        yield from _of_kernel(table, base, layout, "table")
        return
    kernel_name, _ = layout.kernels["table"]
    offset = layout.gamma_offset if name == "table_gamma" else 0.0
    base = _join(layout, base, kernel_name)
    yield Plain(table, base, offset, layout.axes["table"])


def _of_kernel(layer, base, layout, kind):
    inner = getattr(layer, "layer", layer)  # What a spectral norm wraps.
    # An `Embedding` without a spectral norm has another name for it.
    name = "kernel" if hasattr(layer, "kernel") else "embeddings"
    kernel = getattr(layer, name)
    axes = layout.axes[kind]
    kernel_name, bias_name = layout.kernels[kind]
    if inner is layer:
        yield Plain(kernel, _join(layout, base, kernel_name), 0.0, axes)
    else:
        yield Normalized(layer, base, kernel_name, layout, axes)
    bias = getattr(inner, "bias", None)
    if bias is not None:
        name = layout.join(base, bias_name)
        yield Bias(bias, name, axes, tuple(kernel.shape))


def _join(layout, base, name):
    return base if name is None else layout.join(base, name)


def _without_ones(shape):
    return tuple(size for size in shape if size != 1)


def _iterate(matrix, u, epsilon):
    """Runs a power iteration from `u`, as `SpectralNormalization` does."""
    v = _normalize(matrix @ u, epsilon)
    return _normalize(v @ matrix, epsilon), v


def _normalize(vector, epsilon):
    return vector / max(np.linalg.norm(vector), epsilon)
