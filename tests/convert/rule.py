"""Weights by a rule from their names, for their networks and for ours.

What is committed then is not the weights but what the networks gave: small.
"""

import zlib

import numpy as np

SEED = 5


def make_weights(shapes):
    """Returns a dict of float64 arrays for names and shapes of tensors.

    Statistics are plausible ones, and `weight_u` and `weight_v` nearly
    singular vectors of `weight_orig`, as after some training.
    """
    weights = {
        name: _make(name, tuple(shape), np.random.default_rng(_seed(name)))
        for name, shape in shapes.items()
    }
    for name, kernel in weights.items():
        if name.endswith("weight_orig"):
            base = name.removesuffix("orig")
            matrix = kernel.reshape(len(kernel), -1)
            u = weights[f"{base}u"]
            for _ in range(3):
                v = _normalize(u @ matrix)
                u = _normalize(matrix @ v)
            weights[f"{base}u"], weights[f"{base}v"] = u, v
    return weights


def inputs(resolution, num_classes, latent_dim, n=2):
    """Latents, labels and images, float64."""
    rng = np.random.default_rng(SEED)
    return (
        rng.standard_normal((n, latent_dim)),
        rng.integers(num_classes, size=n),
        rng.uniform(-1, 1, (n, resolution, resolution, 3)),
    )


def _seed(name):
    return [SEED, zlib.crc32(name.encode())]


def _make(name, shape, rng):
    x = rng.standard_normal(shape)
    last = name.replace("/", ".").split(".")[-1]
    if "var" in last:
        return 0.5 + rng.uniform(size=shape)
    if last in ("u", "u0", "weight_u"):
        return _normalize(x)
    if last in ("sigma", "gamma", "sigma_ratio") and np.prod(shape) == 1:
        return np.full(shape, 0.7)
    if last in ("gamma", "gain") or (last == "weight" and len(shape) == 1):
        return 1 + 0.2 * x
    if len(shape) > 1 and last in ("w", "Matrix", "weight", "weight_orig"):
        return x / np.sqrt(np.prod(shape) / max(shape))
    return 0.2 * x


def _normalize(x):
    return x / np.linalg.norm(x)
