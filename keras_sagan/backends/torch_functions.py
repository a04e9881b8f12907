"""Functions with custom gradients on PyTorch.

In a training step, each gradient is computed fast. If its own gradient is
needed (`create_graph=True`, which `torch.func` always sets), it consists of
differentiable operations, so that gradients of every order are correct.
"""

import torch
from torch.nn import functional


class _Transpose(torch.autograd.Function):
    """Transposes in memory, also for gradients, so that rows are contiguous."""

    generate_vmap_rule = True

    @staticmethod
    def forward(matrix):
        return matrix.t().contiguous()

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Stores nothing, because the function is linear."""

    @staticmethod
    def backward(ctx, gradient):
        return transpose(gradient)

    @staticmethod
    def jvp(ctx, tangent):
        return tangent.t().contiguous()


class _DivideByNorm(torch.autograd.Function):
    """`matrix / sigma`, where `sigma = v matrix u^T` for constant `u` and `v`.

    The value of `sigma` is already known. A matrix of zeros stays zero.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(matrix, sigma, u, v):
        return matrix * inverse_norms(sigma)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, output)
        ctx.save_for_forward(*inputs, output)

    @staticmethod
    def backward(ctx, gradient):
        result = gradient_of_division(gradient, *ctx.saved_tensors)
        return result, None, None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        matrix, sigma, u, v, normalized = ctx.saved_tensors
        sigma = torch.where(sigma > 0, _norm(matrix, u, v), 0.0)
        along = torch.where(sigma > 0, _norm(tangent, u, v), 0.0)
        return (tangent - along * normalized) * inverse_norms(sigma)


def gradient_of_division(gradient, matrix, sigma, u, v, normalized):
    """Returns the gradient of `_DivideByNorm` with respect to its matrix."""
    along = torch.dot(gradient.reshape(-1), normalized.reshape(-1))
    along = torch.where(sigma > 0, along, 0.0)
    result = torch.addr(gradient, -along * v, u)
    if not torch.is_grad_enabled():
        return result.mul_(inverse_norms(sigma))
    # Sigma is a function of the matrix.
    sigma = torch.where(sigma > 0, _norm(matrix, u, v), 1.0)
    return result / sigma


def inverse_norms(sigma):
    """Returns `1 / sigma`, or 1 where sigma is 0."""
    return 1 / torch.where(sigma > 0, sigma, 1.0)


def _norm(matrix, u, v):
    return torch.dot(v, matrix @ u)


class _Recording:
    """What the kernel recorded for its own gradient, if this was `wanted`."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.inputs = self.output = None


class _Attend(torch.autograd.Function):
    """`softmax(query key^T) value`, by PyTorch's fused kernels.

    The gradients of these kernels have no gradient themselves. If one is
    needed, the gradient is computed by plain operations, which hold all scores
    at once.
    """

    @staticmethod
    def forward(query, key, value, recording):
        inputs = query, key, value
        if not recording.wanted:
            return _fused_attention(*inputs)
        with torch.enable_grad():
            inputs = [x.detach().requires_grad_() for x in inputs]
            output = _fused_attention(*inputs)
        recording.inputs, recording.output = inputs, output
        return output.detach()

    @staticmethod
    def setup_context(ctx, inputs, output):
        *tensors, ctx.recording = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @staticmethod
    def backward(ctx, gradient):
        tensors, recording = ctx.saved_tensors, ctx.recording
        if torch.is_grad_enabled() or recording.output is None:
            gradients = _gradients_of_attention(gradient, *tensors)
        else:
            gradients = torch.autograd.grad(
                recording.output,
                recording.inputs,
                gradient,
                retain_graph=True,
            )
        return *gradients, None

    @staticmethod
    def vmap(info, in_dims, query, key, value, recording):
        """Treats the mapped axis as more images."""
        n = info.batch_size
        inputs = (
            x.expand(n, *x.shape) if axis is None else x.movedim(axis, 0)
            for x, axis in zip((query, key, value), in_dims)
        )
        output = _Attend.apply(*(x.flatten(0, 1) for x in inputs), recording)
        return output.unflatten(0, (n, -1)), 0

    @staticmethod
    def jvp(ctx, d_query, d_key, d_value, _):
        query, key, value = ctx.saved_tensors
        beta = _scores(query, key)  # (B, N, M)
        d_scores = d_query @ key.mT + query @ d_key.mT
        d_scores = d_scores.to(beta.dtype)
        mean = (beta * d_scores).sum(-1, keepdim=True)
        d_beta = beta * (d_scores - mean)
        return d_beta.to(value.dtype) @ value + beta.to(value.dtype) @ d_value


def attend(query, key, value):
    """Returns `softmax(query key^T) value`, a tensor `(B, N, C)`.

    The inputs are `(B, N, D)`, `(B, M, D)` and `(B, M, C)`. It is computed by
    PyTorch's flash attention; see `_Attend`.
    """
    inputs = query, key, value
    if torch.jit.is_tracing():
        return _fused_attention(*inputs)
    wanted = torch.is_grad_enabled() and any(x.requires_grad for x in inputs)
    return _Attend.apply(*inputs, _Recording(wanted))


def _fused_attention(query, key, value):
    # The kernels need equal depths; zeros do not change the inner products.
    depth = max(query.shape[-1], value.shape[-1])
    q, k, v = (
        functional.pad(x, (0, depth - x.shape[-1]))[:, None]  # one head
        for x in (query, key, value)
    )
    o = functional.scaled_dot_product_attention(q, k, v, scale=1.0)
    return o[:, 0, :, : value.shape[-1]]


def _scores(query, key):
    scores = query @ key.mT
    dtype = torch.promote_types(scores.dtype, torch.float32)
    return torch.softmax(scores.to(dtype), -1)


def _gradients_of_attention(gradient, query, key, value):
    beta = _scores(query, key)  # (B, N, M)
    d_value = beta.to(value.dtype).mT @ gradient
    d_beta = (gradient @ value.mT).to(beta.dtype)
    mean = (beta * d_beta).sum(-1, keepdim=True)
    d_scores = (beta * (d_beta - mean)).to(query.dtype)
    return d_scores @ key, d_scores.mT @ query, d_value


def _applied(function):
    """Returns a function with a custom gradient.

    The tracer that Keras uses to export to ONNX does not support these, so in
    it only the forward pass is called.
    """

    def apply(*inputs):
        if torch.jit.is_tracing():
            return function.forward(*inputs)
        return function.apply(*inputs)

    return apply


divide_by_norm = _applied(_DivideByNorm)
_transpose = _applied(_Transpose)


def transpose(matrix):
    """Returns the transpose of a matrix, with contiguous rows."""
    # `apply` is slow, and only gradients need it.
    if torch.is_grad_enabled() and matrix.requires_grad:
        return _transpose(matrix)
    return matrix.t().contiguous()
