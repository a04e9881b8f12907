"""The digits example on two devices has the losses of one."""

import keras
import numpy as np
import pytest

from keras_sagan.callbacks.json_logger import read_lines
from tests.distribution.test_replicas import run_processes

STEPS = 50
LOSSES = ("discriminator_loss", "generator_loss")


def losses(path, processes, dtype, *one):
    script = "-m", "tests.distribution.digits"
    arguments = path, str(STEPS), dtype, *one
    run_processes(processes, *script, *arguments, seconds=1800)
    lines = [[line[name] for name in LOSSES] for line in read_lines(path)]
    assert len(lines) == 10
    return np.array(lines)


@pytest.mark.slow
@pytest.mark.parametrize(
    # Adam makes full steps of gradients that are no more than rounding.
    ("dtype", "most"),
    [("float64", 1e-6), ("float32", 0.05)],
)
def test_the_digits_train_to_the_same_losses(dtype, most, tmp_path):
    """Two processes over loopback; on TensorFlow two devices of one."""
    processes = 1 if keras.backend.backend() == "tensorflow" else 2
    one = losses(tmp_path / "one.jsonl", 1, dtype, "one")
    two = losses(tmp_path / "two.jsonl", processes, dtype)
    print(f"\n{dtype}; step, losses of one, difference of two:")
    for i, (a, b) in enumerate(zip(one, two)):
        print((i + 1) * STEPS // 10, a.round(4), b - a)
    assert np.abs(two - one).max() < most
