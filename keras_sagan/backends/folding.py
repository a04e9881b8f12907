"""A 3x3 kernel and a resampling by two, folded into one 4x4 kernel.

Nearest upsampling repeats each pixel, and average pooling adds neighbours. In
both cases, a 3x3 kernel acts as the sum of itself at four shifts:

    F[s, t] = sum over a, b in {0, 1} of K[s - a, t - b],   s, t in 0..3.

The convolution is linear in its kernel, so that outputs and gradients do not
change.
"""

import numpy as np
from keras import ops

from keras_sagan import backends


def fold(kernel):
    """Sums a kernel `(3, 3, C, D)` at four shifts, into `(4, 4, C, D)`."""
    return _apply(_FOLD, kernel)


def fold_mean(kernel):
    """Returns the 4x4 kernel of a convolution and pooling, for stride two."""
    return _apply(MEAN, kernel)


def fold_transposed(kernel):
    """Returns the 4x4 kernel of a transposed convolution with stride two."""
    return _apply(TRANSPOSED, kernel)


# In one axis, F[s] = K[s - 1] + K[s]; in both, this is a matrix (16, 9). Its
# numbers are exact in any precision, and some devices have no float64.
_FOLD_ONE_AXIS = np.eye(4, 3, dtype="float32") + np.eye(4, 3, -1, "float32")
_FOLD = np.kron(_FOLD_ONE_AXIS, _FOLD_ONE_AXIS)
MEAN = _FOLD / 4
TRANSPOSED = _FOLD[:, ::-1]  # The 3x3 kernel turned by 180.


def _apply(matrix, kernel):
    _, _, channels, filters = kernel.shape
    matrix = backends.constant(matrix, kernel)
    folded = matrix @ ops.reshape(kernel, (9, -1))
    return ops.reshape(folded, (4, 4, channels, filters))


def upsample_by_phases(x, kernel, conv2d):
    """Upsampling and convolution as one 2x2 convolution of the small map.

    An output pixel in an even or odd row depends on two input rows, with the
    kernel rows `F[0], F[2]` or `F[1], F[3]`; the same holds for columns. All
    four phases are channels of one convolution, `conv2d(x, kernel)` without
    padding, and are interleaved afterwards.
    """
    _, height, width, channels = x.shape
    filters = kernel.shape[-1]
    folded = ops.reshape(fold(kernel), (2, 2, 2, 2, channels, filters))
    # (taps, phase, taps, phase, C, D) to (taps, taps, C, phases * D)
    phases = ops.transpose(folded, (0, 2, 4, 1, 3, 5))
    phases = ops.reshape(phases, (2, 2, channels, 4 * filters))
    x = ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    y = conv2d(x, phases)  # (B, H + 1, W + 1, 4 D)
    rows = [
        ops.stack(
            [
                y[
                    :,
                    a : a + height,
                    b : b + width,
                    (2 * a + b) * filters : (2 * a + b + 1) * filters,
                ]
                for b in (0, 1)
            ],
            axis=3,
        )  # (B, H, W, 2, D)
        for a in (0, 1)
    ]
    y = ops.stack(rows, axis=2)  # (B, H, 2, W, 2, D)
    return ops.reshape(y, (-1, 2 * height, 2 * width, filters))
