"""The axes of a kernel in other implementations and in ours.

Each axis has a letter: `o` and `i` for output and input channels, `h` and `w`
for height and width, `n` for classes. "Theirs" means the order in the files of
the other implementation.
"""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class Axes:
    """How a kind of kernel and its singular vectors are laid out.

    Attributes:
        theirs: Their order of the axes.
        ours: Our order.
        columns: The axes of our `u`, the output channels.
        their_columns: The axes of their `u`. If they differ from `columns`,
            their `u` is our `v`.
    """

    theirs: str
    ours: str
    columns: str
    their_columns: str

    def sizes(self, shape):
        """Returns the size of each axis, from the shape of our kernel."""
        if len(shape) < len(self.ours):  # Latents to a map of 4 x 4.
            latents, outputs = shape
            shape = (latents, 4, 4, outputs // 16)
        return dict(zip(self.ours, shape))

    def their_shape(self, shape):
        """Returns the shape of their kernel, which joins axes as ours does."""
        sizes = self.sizes(shape)
        if len(shape) < len(self.ours):
            return math.prod(sizes[a] for a in self.their_columns), shape[0]
        return tuple(sizes[a] for a in self.theirs)

    def kernel_to_ours(self, x, shape):
        x = _reorder(x, self.theirs, self.ours, self.sizes(shape))
        return x.reshape(shape)

    def kernel_to_theirs(self, x):
        their_shape = self.their_shape(x.shape)
        x = _reorder(x, self.ours, self.theirs, self.sizes(x.shape))
        return x.reshape(their_shape)

    def vector_to_ours(self, x, axes, shape):
        """Reorders a vector over some of the axes: `u`, `v` or a bias."""
        theirs, ours = _among(self.theirs, axes), _among(self.ours, axes)
        return _reorder(x, theirs, ours, self.sizes(shape)).ravel()

    def vector_to_theirs(self, x, axes, shape):
        theirs, ours = _among(self.theirs, axes), _among(self.ours, axes)
        return _reorder(x, ours, theirs, self.sizes(shape)).ravel()

    @property
    def their_rows(self):
        return "".join(a for a in self.theirs if a not in self.their_columns)

    def matrix(self, kernel):
        """Returns our kernel as a matrix `(rows, columns)` of their axes."""
        rows = _among(self.ours, self.their_rows)
        columns = _among(self.ours, self.their_columns)
        sizes = self.sizes(kernel.shape)
        x = _reorder(kernel, self.ours, rows + columns, sizes)
        return x.reshape(math.prod(sizes[axis] for axis in rows), -1)


# Kernels of PyTorch.
CONVOLUTION = Axes("oihw", "hwio", "o", "o")
LINEAR = Axes("oi", "io", "o", "o")
LATENTS_TO_MAP = Axes("ohwi", "ihwo", "ohw", "ohw")
EMBEDDING = Axes("no", "no", "n", "n")
# Class tables: StudioGAN has linear layers from classes to channels, like ours.
# Mmgeneration has embeddings, whose classes PyTorch treats as the outputs.
TABLE_AS_LINEAR = Axes("on", "no", "o", "o")
TABLE_AS_EMBEDDING = Axes("no", "no", "o", "n")
# Kernels of TensorFlow have our order.
TENSORFLOW_CONVOLUTION = Axes("hwio", "hwio", "o", "o")
TENSORFLOW_LINEAR = Axes("io", "io", "o", "o")
TENSORFLOW_TABLE = Axes("no", "no", "o", "o")


def _reorder(x, source, target, sizes):
    x = np.reshape(x, [sizes[axis] for axis in source])
    return x.transpose([source.index(axis) for axis in target])


def _among(order, axes):
    return "".join(axis for axis in order if axis in axes)
