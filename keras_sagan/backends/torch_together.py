"""Spectral normalization of many matrices in few operations.

Vectors of different lengths are concatenated in one tensor; `index` gives the
vector that each number belongs to.
"""

import functools

import torch

from keras_sagan.backends.torch_functions import gradient_of_division
from keras_sagan.backends.torch_functions import inverse_norms


@torch.no_grad()
def iterate_together(matrices, u, v, epsilon):
    """Runs one power iteration for each matrix.

    Args:
        matrices: Tensors `(rows, columns)`, of any shapes.
        u: Tensors `(columns,)`.
        v: Tensors `(rows,)`.
        epsilon: The smallest norm that a vector is divided by.

    Returns:
        The lists of the new `u` and of the new `v`, and the norms `sigma`, a
        tensor `(matrices,)`.
    """
    columns = [torch.mv(matrix, x) for matrix, x in zip(matrices, u)]
    v, _ = _normalize(columns, v, epsilon)
    rows = [torch.mv(matrix.t(), x) for matrix, x in zip(matrices, v)]
    u, norms = _normalize(rows, u, epsilon)
    # `row u^T` with `u = row / max(norm, epsilon)`.
    return u, v, norms * (norms / norms.clamp(min=epsilon or _tiny(norms)))


def _normalize(vectors, otherwise, epsilon):
    """Returns vectors divided by their norms, and the norms `(vectors,)`."""
    sizes = tuple(len(x) for x in vectors)
    norms = torch.stack(torch._foreach_norm(vectors))
    index = _index(sizes, norms.device)
    # A vector of zeros is replaced by the one before.
    units = torch.where(
        (norms > 0).index_select(0, index),
        torch.cat(vectors) / norms.clamp(min=epsilon).index_select(0, index),
        torch.cat(otherwise),
    )
    return list(units.split(sizes)), norms


@functools.lru_cache(maxsize=64)
def _index(sizes, device):
    repeated = [torch.full((n,), i) for i, n in enumerate(sizes)]
    return torch.cat(repeated).to(device)


def _tiny(norms):
    return torch.finfo(norms.dtype).tiny


class _DivideTogether(torch.autograd.Function):
    """`matrix / sigma` for each; see `torch_functions.divide_by_norm`."""

    @staticmethod
    def forward(sigma, u, v, *matrices):
        return tuple(torch._foreach_mul(matrices, _inverses(sigma)))

    @staticmethod
    def setup_context(ctx, inputs, output):
        sigma, ctx.u, ctx.v, *matrices = inputs
        ctx.save_for_backward(sigma, *matrices, *output)

    @staticmethod
    def backward(ctx, *gradients):
        sigma, *saved = ctx.saved_tensors
        n = len(saved) // 2
        matrices, normalized = saved[:n], saved[n:]
        if torch.is_grad_enabled():
            results = map(
                gradient_of_division,
                gradients,
                matrices,
                sigma,
                ctx.u,
                ctx.v,
                normalized,
            )
            return None, None, None, *results
        along = [
            torch.dot(g.reshape(-1), x.reshape(-1))
            for g, x in zip(gradients, normalized)
        ]
        along = torch.where(sigma > 0, -torch.stack(along), 0.0)
        scaled = torch._foreach_mul(ctx.v, list(along.unbind()))
        results = [
            torch.addr(g, x, y) for g, x, y in zip(gradients, scaled, ctx.u)
        ]
        torch._foreach_mul_(results, _inverses(sigma))
        return None, None, None, *results


def _inverses(sigma):
    return list(inverse_norms(sigma).unbind())


def divide_together(matrices, sigma, u, v):
    """Returns each `matrix / sigma`, with the gradient through `sigma`.

    Args:
        matrices: List of tensors `(rows, columns)`.
        sigma: Tensor `(matrices,)`, the norms `v matrix u^T`.
        u: List of tensors `(columns,)`, constants.
        v: List of tensors `(rows,)`, constants.
    """
    return _DivideTogether.apply(sigma, u, v, *matrices)


@torch.no_grad()
def assign_together(variables, values, where=None):
    """Assigns its value to each variable, in place.

    Args:
        variables: List of `keras.Variable`.
        values: List of tensors.
        where: Boolean scalar tensor. If it is False, nothing changes.
    """
    targets = [v.value for v in variables]
    if where is not None:
        sizes = [len(x) for x in values]
        chosen = torch.where(where, torch.cat(values), torch.cat(targets))
        values = list(chosen.split(sizes))
    torch._foreach_copy_(targets, values)
