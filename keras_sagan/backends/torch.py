"""SAGAN on PyTorch."""

import torch
from torch.nn import functional

from keras_sagan.backends.folding import fold
from keras_sagan.backends.folding import fold_transposed


class Trainer:
    """The PyTorch side of `SAGAN`: variables are assigned in place.

    A step records a graph only inside `value_and_gradients`: the images that
    the discriminator learns from need none.
    """

    @torch.no_grad()
    def train_step(self, data):
        return self.step(data)

    @torch.no_grad()
    def test_step(self, data):
        return self.evaluation_step(data)

    def value_and_gradients(self, loss_fn, variables):
        """Returns `loss_fn()`, a dict, and the gradients of its first item."""
        with torch.enable_grad():
            scalars = loss_fn()
        loss = next(iter(scalars.values()))
        gradients = torch.autograd.grad(loss, [v.value for v in variables])
        return {k: v.detach() for k, v in scalars.items()}, gradients

    def sync_variables(self):
        """Variables always hold the current values here."""


# A channels-last tensor, seen with its channels first, is what PyTorch calls
# memory format channels_last: its convolutions take and give it as it lies.
# `keras.ops.conv` (3.15.1) copies the input twice on the way.
def _channels_first(x):
    return x.permute(0, 3, 1, 2)


def _channels_last(x):
    return x.permute(0, 2, 3, 1)


def conv2d(x, kernel):
    padding = kernel.shape[0] // 2
    kernel = kernel.permute(3, 2, 0, 1)
    return _channels_last(
        functional.conv2d(_channels_first(x), kernel, padding=padding)
    )


def upsample_conv2d(x, kernel):
    kernel = fold_transposed(kernel).permute(2, 3, 0, 1)
    return _channels_last(
        functional.conv_transpose2d(
            _channels_first(x), kernel, stride=2, padding=1
        )
    )


def conv2d_downsample(x, kernel):
    kernel = (fold(kernel) / 4).permute(3, 2, 0, 1)
    return _channels_last(
        functional.conv2d(_channels_first(x), kernel, stride=2, padding=1)
    )


tanh = torch.tanh
