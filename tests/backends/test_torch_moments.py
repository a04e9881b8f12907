"""Batch norm over processes on PyTorch: its arithmetic, on one of them."""

import keras
import numpy as np
import pytest

from keras_sagan.backends.precision import standardize_by_moments

if keras.backend.backend() != "torch":
    pytest.skip("PyTorch's own", allow_module_level=True)

import torch

from keras_sagan.backends import torch_moments
from keras_sagan.backends import torch_replicas


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """The exchanges of one process."""
    monkeypatch.setattr(torch_replicas, "every", lambda x: x[None])
    monkeypatch.setattr(torch_replicas, "total", lambda x: x)


def run(standardize, x, weights):
    x = torch.tensor(x, requires_grad=True)
    y, mean, variance = standardize(x, 1e-5)
    (y * torch.tensor(weights)).sum().backward()
    return [t.detach().numpy() for t in (y, mean, variance, x.grad)]


@pytest.mark.parametrize(
    ("dtype", "atol"), [("float64", 1e-12), ("float32", 1e-5)]
)
def test_output_moments_and_gradient_are_those_of_the_formula(dtype, atol, rng):
    x, weights = rng.normal(2, 3, (2, 4, 3, 3, 5)).astype(dtype)
    found = run(torch_moments.standardize_together, x, weights)
    for a, b in zip(found, run(standardize_by_moments, x, weights)):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_allclose(a, b, atol=atol)


def test_holds_for_mean_100_and_std_a_hundredth(rng):
    x = rng.normal(100, 0.01, (64, 8, 8, 3)).astype("float32")
    _, mean, variance, _ = run(torch_moments.standardize_together, x, x)
    exact = x.astype("float64")
    np.testing.assert_allclose(mean, exact.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(variance, exact.var((0, 1, 2)), rtol=1e-2)


def test_unequal_means_of_parts_count(monkeypatch, rng):
    """Of two parts this one is the first: the moments are those of both."""
    x = rng.normal(0, 1, (2, 6, 2, 2, 4))
    x[1] += 3
    other = [torch.tensor(f(x[1], (0, 1, 2))) for f in (np.mean, np.var)]
    monkeypatch.setattr(
        torch_replicas,
        "every",
        lambda own: torch.stack([own, torch.stack(other)]),
    )
    y, mean, variance = torch_moments.standardize_together(
        torch.tensor(x[0]), 1e-5
    )
    whole = x.reshape(12, 2, 2, 4)
    np.testing.assert_allclose(mean, whole.mean((0, 1, 2)))
    np.testing.assert_allclose(variance, whole.var((0, 1, 2)))
    expected = (x[0] - whole.mean((0, 1, 2))) / np.sqrt(
        whole.var((0, 1, 2)) + 1e-5
    )
    np.testing.assert_allclose(y, expected)
