"""The layers again, in the plainest operations of `keras.ops`.

Nothing here is fused or chunked or has a gradient of its own: automatic
differentiation of these functions is what the layers' gradients are compared
with. Each function `f(weights, state, training, *inputs)` takes the values of
the trainable variables and of the others, both in the layer's order; `u` and
`v` are those that the call uses, and are constants.
"""

import numpy as np
from keras import ops


def normalized(kernel, u, v, transposed=False):
    """`W / sigma`, `sigma = v W u^T`."""
    if transposed:
        kernel = ops.swapaxes(kernel, -1, -2)
    matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
    u, v = ops.stop_gradient(u), ops.stop_gradient(v)
    kernel = kernel / ops.sum(matrix * (v[:, None] * u[None, :]))
    return ops.swapaxes(kernel, -1, -2) if transposed else kernel


def under_norm(layer, transposed=False):
    """The function of a layer whose first weight is its kernel, normalized."""

    def function(weights, state, training, *inputs):
        kernel = normalized(weights[0], *state, transposed)
        return layer([kernel, *weights[1:]], [], training, *inputs)

    return function


def dense(weights, _, training, x):
    return x @ weights[0] + weights[1]


def conv2d(weights, _, training, x):
    """Stride 1, "same" padding: a sum over the taps of the kernel."""
    kernel, *bias = weights
    size, (_, height, width, _) = kernel.shape[0], x.shape
    pad = size // 2
    x = ops.pad(x, [[0, 0], [pad, pad], [pad, pad], [0, 0]])
    y = sum(
        x[:, i : i + height, j : j + width] @ kernel[i, j]
        for i in range(size)
        for j in range(size)
    )
    return y + bias[0] if bias else y


def conv2d_transpose(weights, _, training, x):
    """Stride 2, kernel 2x2 of shape `(2, 2, filters, channels)`."""
    kernel, bias = weights
    rows = [
        ops.stack([x @ ops.transpose(kernel[i, j]) for j in (0, 1)], axis=3)
        for i in (0, 1)
    ]
    y = ops.stack(rows, axis=2)  # (B, H, 2, W, 2, filters)
    _, height, _, width, _, filters = y.shape
    return ops.reshape(y, (-1, 2 * height, 2 * width, filters)) + bias


def embedding(weights, _, training, labels):
    return ops.stack([weights[0][int(label)] for label in labels])


def upsample_conv2d(weights, state, training, x):
    return conv2d(weights, state, training, upsample(x))


def downsample_conv2d(weights, state, training, x):
    y = windows(conv2d(weights, state, training, x), 2)
    return average(y, (-1,))[..., 0]


def average_pool(weights, state, training, x):
    return average(windows(x, 2), (-1,))[..., 0]


def add_upsampled(weights, state, training, x, shortcut):
    return x + upsample(shortcut)


def batch_norm(weights, state, training, x):
    gamma, beta = weights
    return gamma * standardized(x, state, training) + beta


def conditional_batch_norm(weights, state, training, x, labels):
    gamma, beta = weights
    if len(state) > 2:  # The tables are spectrally normalized.
        gamma = 1 + normalized(gamma, *state[2:4])
        beta = normalized(beta, *state[4:])
    gamma, beta = (
        embedding([table], [], training, labels)[:, None, None]
        for table in (gamma, beta)
    )
    return gamma * standardized(x, state, training) + beta


def self_attention(pool_size=2, has_projection=True, has_norm=True, bias=False):
    def function(weights, state, training, x):
        gamma, *weights = weights
        _, height, width, _ = x.shape

        def project(x, i):
            kernel, *bias_of_it = weights[(1 + bias) * i :][: 1 + bias]
            if has_norm:
                kernel = normalized(kernel, *state[2 * i : 2 * i + 2])
            return conv2d([kernel, *bias_of_it], [], training, x)

        def pool(x, size):
            x = ops.max(windows(x, size), axis=-1)
            return ops.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3]))

        f = pool(project(x, 0), 1)  # (B, N, D)
        g, h = (pool(project(x, i), pool_size) for i in (1, 2))  # (B, M, ...)
        beta = ops.exp(f @ ops.transpose(g, (0, 2, 1)))
        o = (beta / ops.sum(beta, axis=-1, keepdims=True)) @ h
        o = ops.reshape(o, (-1, height, width, o.shape[-1]))
        return x + gamma * (project(o, 3) if has_projection else o)

    return function


def augment(weights, state, training, images, draws):
    """Colour, translation and cutout as `DiffAugment` does them."""
    return ops.stack([_augment(x, u) for x, u in zip(images, draws)])


def _augment(x, u):
    x = x + (u[0] - 0.5)
    gray = average(x, (-1,))
    x = gray + (x - gray) * (2 * u[1])
    mean = average(x, (0, 1, 2))
    x = mean + (x - mean) * (u[2] + 0.5)
    height, width, _ = x.shape
    for axis, size in enumerate((height, width)):
        most = round(size / 8)
        shift = int(np.floor(u[3 + axis] * (2 * most + 1))) - most
        before, after = max(shift, 0), max(-shift, 0)
        padding = [[0, 0], [0, 0], [0, 0]]
        padding[axis] = [before, after]
        x = ops.pad(x, padding)
        x = x[after : after + height] if axis == 0 else x[:, after:][:, :width]
    keep = np.ones((height, width, 1))
    top, left = (
        int(np.floor(u[5 + axis] * size)) - size // 4
        for axis, size in enumerate((height, width))
    )
    rows = slice(max(top, 0), max(top + height // 2, 0))
    columns = slice(max(left, 0), max(left + width // 2, 0))
    keep[rows, columns] = 0
    return x * ops.convert_to_tensor(keep, dtype=x.dtype)


def upsample(x):
    return ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2)


def windows(x, size):
    """`(B, H / size, W / size, C, size * size)`."""
    _, h, w, c = x.shape
    x = ops.reshape(x, (-1, h // size, size, w // size, size, c))
    x = ops.transpose(x, (0, 1, 3, 5, 2, 4))
    return ops.reshape(x, (-1, h // size, w // size, c, size * size))


def average(x, axes):
    """Keeps the axes; `keras.ops.mean` rounds float64 on PyTorch."""
    count = np.prod([x.shape[i] for i in axes])
    return ops.sum(x, axis=axes, keepdims=True) / float(count)


def standardized(x, state, training, epsilon=1e-5):
    axes = tuple(range(len(x.shape) - 1))
    if training:
        mean = average(x, axes)
        variance = average((x - mean) * (x - mean), axes)
    else:
        mean, variance = state[:2]
    return (x - mean) / ops.sqrt(variance + epsilon)
