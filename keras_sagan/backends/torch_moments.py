"""Batch norm of a batch in equal parts on several processes."""

import torch

from keras_sagan.backends import torch_replicas
from keras_sagan.backends.precision import standardize_by_moments


class _Mean(torch.autograd.Function):
    """The mean of the tensors of all processes, with its gradient.

    The whole loss is the sum of the losses of the processes, so the gradient
    of a mean is the mean of the gradients. All processes must run the same
    operations.
    """

    @staticmethod
    def forward(x):
        return torch_replicas.total(x) / torch_replicas.replicas()

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Stores nothing, because the function is linear."""

    @staticmethod
    def backward(ctx, gradient):
        return _Mean.apply(gradient)


class _StandardizeTogether(torch.autograd.Function):
    """`(x - mean) / sqrt(variance + epsilon)` with the moments of all parts.

    This takes one exchange, and one more for the gradient. The parts are equal,
    so the mean is the mean of their means. The variance is the mean of their
    variances plus the variance of their means. All are centred, so that no
    precision is lost for mean 100, std 0.01.

    Gradients of every order are correct if all processes compute them. There is
    no forward mode, because PyTorch has none that exchanges tensors.
    """

    @staticmethod
    def forward(x, epsilon):
        zeros, ones = _zeros_and_ones(x)
        own = torch.batch_norm_update_stats(
            x.movedim(-1, 1), zeros.clone(), ones.clone(), 0.0
        )
        means, variances = torch_replicas.every(torch.stack(own)).unbind(1)
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        y, *_ = torch.native_batch_norm(
            x.movedim(-1, 1), ones, zeros, mean, variance, False, 0.0, epsilon
        )
        return y.movedim(1, -1), mean, variance

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.epsilon = inputs
        y, mean, variance = output
        ctx.save_for_backward(x, y, variance)
        ctx.mark_non_differentiable(mean, variance)

    @staticmethod
    def backward(ctx, gradient, *_):
        x, y, variance = ctx.saved_tensors
        if torch.is_grad_enabled():
            return _gradient(gradient, x, ctx.epsilon), None
        zeros, ones = _zeros_and_ones(y)
        scale = torch.rsqrt(variance + ctx.epsilon)
        # With y as x, mean 0 and variance 1, this computes the sums of
        # gradient * y and of the gradient in one pass.
        _, along, total = torch.ops.aten.native_batch_norm_backward(
            gradient.movedim(-1, 1),
            y.movedim(-1, 1),
            ones,
            zeros,
            ones,
            None,
            None,
            False,
            0.0,
            [False, True, True],
        )
        n = y.numel() // y.shape[-1] * torch_replicas.replicas()
        along, total = torch_replicas.total(torch.stack([along, total])) / n
        # scale * (gradient - total - along * y)
        result = torch.addcmul(-scale * total, y, -scale * along)
        return result.addcmul_(gradient, scale).to(y.dtype), None


def _gradient(gradient, x, epsilon):
    """Returns the gradient for `x`, by operations that have a gradient."""
    y, _, variance = standardize_by_moments(x, epsilon, _Mean.apply)
    axes = tuple(range(x.ndim - 1))
    mean = _Mean.apply(gradient.to(variance.dtype).mean(axes))
    along = _Mean.apply((gradient * y).to(variance.dtype).mean(axes))
    result = (gradient - mean - along * y) * torch.rsqrt(variance + epsilon)
    return result.to(x.dtype)


def _zeros_and_ones(x):
    dtype = torch.promote_types(x.dtype, torch.float32)
    zeros = torch.zeros(x.shape[-1], dtype=dtype, device=x.device)
    return zeros, torch.ones_like(zeros)


standardize_together = _StandardizeTogether.apply
