"""The digits example on two devices has the losses of one."""

import keras
import numpy as np
import pytest

from keras_sagan.files import read_step_lines
from tests.distribution.test_replicas import run_processes

BACKEND = keras.backend.backend()
LOSSES = ("discriminator_loss", "generator_loss")


def losses(path, steps, dtype, *which):
    processes = 1 if which or BACKEND == "tensorflow" else 2
    script = "-m", "tests.distribution.digits"
    arguments = path, str(steps), dtype, *which
    run_processes(processes, *script, *arguments, seconds=1800)
    entries = [entry for _, entry in read_step_lines(path)]
    lines = [[entry[name] for name in LOSSES] for entry in entries]
    assert len(lines) == 10
    return np.array(lines)


@pytest.mark.slow
def test_the_digits_train_to_the_same_losses(tmp_path):
    """Two processes over loopback; on TensorFlow two devices of one."""
    steps = 10 if BACKEND == "jax" else 50  # 45 s each, in float64.
    one = losses(tmp_path / "one.jsonl", steps, "float64", "one")
    two = losses(tmp_path / "two.jsonl", steps, "float64")
    print("\nstep, losses of one, difference of two:")
    for i, (a, b) in enumerate(zip(one, two)):
        print((i + 1) * steps // 10, a.round(4), b - a)
    assert np.abs(two - one).max() < 1e-6


@pytest.mark.slow
def test_in_float32_they_part_by_rounding_alone(tmp_path):
    """Adam makes full steps of gradients that are no more than rounding.

    How fast one device parts from itself, from weights a rounding away, is
    what several may part from it.
    """
    one, two, nudged = (
        losses(tmp_path / f"{i}.jsonl", 10, "float32", *which)
        for i, which in enumerate((["one"], [], ["nudged"]))
    )
    print("\nstep, losses of one, differences of two and of one, nudged:")
    for i, (a, b, c) in enumerate(zip(one, two, nudged)):
        print(i + 1, a.round(4), b - a, c - a)
    # Later on, chance decides which of both is further away.
    assert np.abs(two - one)[:5].max() < 10 * np.abs(nudged - one)[:5].max()
