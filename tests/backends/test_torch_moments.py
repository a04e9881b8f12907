"""Batch norm over processes on PyTorch: its arithmetic, on one of them."""

import threading
from concurrent import futures

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


def test_second_order_is_that_of_the_formula(rng):
    x, weights, direction = rng.normal(2, 3, (3, 4, 3, 3, 5))
    second = []
    for standardize in (
        torch_moments.standardize_together,
        standardize_by_moments,
    ):
        tensor = torch.tensor(x, requires_grad=True)
        y, *_ = standardize(tensor, 1e-5)
        (gradient,) = torch.autograd.grad(
            (y**3 * torch.tensor(weights)).sum(), tensor, create_graph=True
        )
        along = (gradient * torch.tensor(direction)).sum()
        second.append(torch.autograd.grad(along, tensor)[0].numpy())
    np.testing.assert_allclose(*second, rtol=1e-9, atol=1e-11)


def test_second_order_over_two_processes(rng, monkeypatch):
    """Two threads take the parts of two processes."""
    x, weights, direction = rng.normal(2, 3, (3, 4, 2, 2, 3))

    def second(standardize, *arrays):
        x, weights, direction = map(torch.tensor, arrays)
        x.requires_grad_()
        y, *_ = standardize(x, 1e-5)
        (gradient,) = torch.autograd.grad(
            (y**3 * weights).sum(), x, create_graph=True
        )
        return torch.autograd.grad((gradient * direction).sum(), x)[0].numpy()

    expected = second(standardize_by_moments, x, weights, direction)
    exchange = Exchange()
    monkeypatch.setattr(torch_replicas, "every", exchange.every)
    monkeypatch.setattr(
        torch_replicas, "total", lambda x: exchange.every(x).sum(0)
    )
    monkeypatch.setattr(torch_replicas, "replicas", lambda: 2)

    def part(i):
        exchange.local.index = i
        rows = [a[2 * i : 2 * i + 2] for a in (x, weights, direction)]
        return second(torch_moments.standardize_together, *rows)

    with futures.ThreadPoolExecutor(2) as pool:
        found = np.concatenate(list(pool.map(part, range(2))))
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


class Exchange:
    """Gives each of two threads what both have."""

    def __init__(self):
        self.local = threading.local()
        self.barrier = threading.Barrier(2, timeout=60)
        self.tensors = [None, None]

    def every(self, x):
        self.tensors[self.local.index] = x.detach().clone()
        self.barrier.wait()
        together = torch.stack(self.tensors)
        self.barrier.wait()
        return together
