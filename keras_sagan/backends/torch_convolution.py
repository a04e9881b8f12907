"""Convolutions and pooling on PyTorch, of tensors with channels last."""

import torch
from torch.nn import functional

from keras_sagan.backends import torch_functions
from keras_sagan.backends import torch_host
from keras_sagan.backends.folding import MEAN
from keras_sagan.backends.folding import TRANSPOSED


# A channels-last tensor that is viewed with its channels first has the memory
# format channels_last of PyTorch. PyTorch's operations take and return it
# without a copy. `keras.ops` (3.15.1) copies it, twice in convolutions.
def _channels_first(x):
    return x.permute(0, 3, 1, 2)


def _channels_last(x):
    return x.permute(0, 2, 3, 1)


def conv2d(x, kernel, bias=None):
    padding = kernel.shape[0] // 2
    return _channels_last(
        functional.conv2d(
            _channels_first(x), _as_filters(kernel), bias, padding=padding
        )
    )


def convolve(x, kernel, bias, stride, padding):
    """Convolves with any kernel; "same" padding requires a stride of 1."""
    return _channels_last(
        functional.conv2d(
            _channels_first(x), _as_filters(kernel), bias, stride, padding
        )
    )


def upsample_conv2d(x, kernel, bias=None):
    _, _, channels, filters = kernel.shape
    taps = kernel.reshape(9, channels, filters).transpose(0, 1)
    return _channels_last(
        functional.conv_transpose2d(
            _channels_first(x),
            _folded(TRANSPOSED, taps),
            bias,
            stride=2,
            padding=1,
        )
    )


def conv2d_downsample(x, kernel, bias=None):
    _, _, channels, filters = kernel.shape
    taps = _rows_of_filters(kernel).view(filters, 9, channels)
    return _channels_last(
        functional.conv2d(
            _channels_first(x), _folded(MEAN, taps), bias, stride=2, padding=1
        )
    )


def _folded(matrix, taps):
    """Returns 4x4 kernels `(n, m, 4, 4)`, channels last, from `(n, 9, m)`.

    In this order, no kernel of 16 taps has to be copied.
    """
    n, _, m = taps.shape
    matrix = torch_host.constant(matrix, taps).expand(n, -1, -1)
    return torch.bmm(matrix, taps).view(n, 4, 4, m).permute(0, 3, 1, 2)


def _as_filters(kernel):
    """Returns a kernel `(h, w, C, D)` as `(D, C, h, w)`, channels last.

    PyTorch itself would make this copy element by element. As the transpose of
    a matrix, it is three times faster (512 channels, two cores).
    """
    height, width, channels, filters = kernel.shape
    rows = _rows_of_filters(kernel)
    return rows.view(filters, height, width, channels).permute(0, 3, 1, 2)


def _rows_of_filters(kernel):
    """Returns a kernel `(h, w, C, D)` as a matrix `(D, h w C)`."""
    return torch_functions.transpose(kernel.reshape(-1, kernel.shape[-1]))


def average_pool(x, size):
    return _channels_last(functional.avg_pool2d(_channels_first(x), size))


def max_pool(x, size):
    return _channels_last(functional.max_pool2d(_channels_first(x), size))
