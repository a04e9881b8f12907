"""Operations of PyTorch with gradients of their own, of every order.

Each backward pass is fast where nothing is to be differentiated again, and
otherwise made of operations that PyTorch can differentiate, on saved inputs
and outputs, which know what they depend on. With `setup_context` and `jvp`
they also work under `torch.func`.
"""

import torch
from torch.autograd import Function
from torch.nn import functional


class Transpose(Function):
    """Transposes in memory, gradients too: what follows runs along rows."""

    generate_vmap_rule = True

    @staticmethod
    def forward(matrix):
        return matrix.t().contiguous()

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, gradient):
        return Transpose.apply(gradient)

    @staticmethod
    def jvp(ctx, tangent):
        return tangent.t().contiguous()


class _DivideByNorm(Function):
    """`matrix / sigma` and `1 / sigma`; `sigma = v matrix u^T` is known.

    `u` and `v` are constants, sigma is a function of the matrix.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(matrix, sigma, u, v):
        scale = torch.where(sigma > 0, 1 / sigma, 1.0)
        return matrix * scale, scale

    @staticmethod
    def setup_context(ctx, inputs, output):
        saved = (*output, *inputs[1:])  # W_bar, 1 / sigma, sigma, u, v
        ctx.save_for_backward(*saved)
        ctx.save_for_forward(*saved)
        # So that the gradient of `1 / sigma`, mostly none, costs nothing.
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, gradient, scale_gradient):
        normalized, scale, sigma, u, v = ctx.saved_tensors
        result = None
        if gradient is not None:
            along = torch.dot(gradient.reshape(-1), normalized.reshape(-1))
            along = torch.where(sigma > 0, along, 0.0)
            result = torch.addr(gradient, -along * v, u)
            if torch.is_grad_enabled():
                result = result * scale
            else:
                result.mul_(scale)
        if scale_gradient is not None:
            along = torch.where(sigma > 0, scale_gradient * scale.square(), 0.0)
            through_scale = torch.outer(-along * v, u)
            result = through_scale if result is None else result + through_scale
        return result, None, None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        normalized, scale, sigma, u, v = ctx.saved_tensors
        change = torch.where(sigma > 0, v @ tangent @ u, 0.0)  # of sigma
        return (tangent - normalized * change) * scale, -change * scale * scale


def divide_by_norm(matrix, sigma, u, v):
    """`matrix / sigma`; `sigma = v matrix u^T`, with `u` and `v` constants."""
    return _DivideByNorm.apply(matrix, sigma, u, v)[0]


def attend(query, key, value):
    """`softmax(query key^T) value`, by PyTorch's flash attention.

    Its kernels take equal depths; zeros do not change the inner products.
    """
    depth = max(query.shape[-1], value.shape[-1])
    q, k, v = (
        functional.pad(x, (0, depth - x.shape[-1])) for x in (query, key, value)
    )
    return _Attend.apply(q, k, v)[0][..., : value.shape[-1]]


class _Attend(Function):
    """Flash attention, whose own gradients PyTorch cannot differentiate.

    The first gradient is that of flash attention. Where it is to be
    differentiated itself, and under `torch.func`, plain operations make it.
    """

    @staticmethod
    def forward(q, k, v):
        leaves = [x.detach()[:, None].requires_grad_() for x in (q, k, v)]
        with torch.enable_grad():  # one head
            o = functional.scaled_dot_product_attention(*leaves, scale=1.0)
        return o.detach()[:, 0], (leaves, o)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)
        _, ctx.flash = output

    @staticmethod
    def backward(ctx, gradient, _):
        q, k, v = ctx.saved_tensors
        if not torch.is_grad_enabled():
            leaves, o = ctx.flash
            gradients = torch.autograd.grad(
                o, leaves, gradient[:, None], retain_graph=True
            )
            return tuple(x[:, 0] for x in gradients)
        beta = _scores(q, k)
        d_beta = gradient @ v.mT
        mean = (beta * d_beta).sum(-1, keepdim=True)
        d_scores = beta * (d_beta - mean)
        return d_scores @ k, d_scores.mT @ q, beta.mT @ gradient

    @staticmethod
    def vmap(info, in_dims, q, k, v):
        # As a larger batch.
        n = info.batch_size
        q, k, v = (
            x.expand(n, *x.shape) if i is None else x.movedim(i, 0)
            for x, i in zip((q, k, v), in_dims)
        )
        o, _ = _Attend.apply(*(x.flatten(0, 1) for x in (q, k, v)))
        return (o.unflatten(0, (n, -1)), None), (0, None)

    @staticmethod
    def jvp(ctx, d_q, d_k, d_v):
        q, k, v = ctx.saved_tensors
        beta = _scores(q, k)
        d_scores = d_q @ k.mT + q @ d_k.mT
        mean = (beta * d_scores).sum(-1, keepdim=True)
        return (beta * (d_scores - mean)) @ v + beta @ d_v, None


def _scores(q, k):
    return torch.softmax(q @ k.mT, -1)  # (B, N, M)
