"""A process that dies is noticed, and its run goes on, also on another number.

The processes of the first test import no Keras: it takes a second.
"""

import importlib.util
import os
import signal
import subprocess
import sys
import time

import keras
import pytest

from tests.conftest import relative_error
from tests.distribution import running
from tests.distribution import training
from tests.distribution.test_replicas import started_processes
from tests.distribution.test_replicas import text_of

BACKEND = keras.backend.backend()
COMPANIONS = importlib.util.find_spec(
    "keras_sagan.distribution.companions"
).origin
WATCHING = """
import importlib.util, pathlib, sys, time
import numpy as np
spec = importlib.util.spec_from_file_location("companions", sys.argv[1])
companions = importlib.util.module_from_spec(spec)
spec.loader.exec_module(companions)
companions.GRACE = 0.1
index, folder, end = int(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4]

def gather(line):  # In the place of an engine.
    path = folder / "told"
    if index == 0:
        (folder / "part").write_bytes(line.tobytes())
        (folder / "part").rename(path)
    while not path.exists():
        time.sleep(0.01)
    return np.frombuffer(path.read_bytes(), "uint8")[None]

companions.watch(index, 3, gather)
(folder / f"ready_{index}").touch()
if index == 2 and end == "error":
    raise OSError("no space left")
time.sleep(0.5 if end == "well" else 30)
"""


def start_watching(folder, end):
    watching = [
        subprocess.Popen(
            [sys.executable, "-c", WATCHING, COMPANIONS, str(i), folder, end],
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(3)
    ]
    wait_until(lambda: all((folder / f"ready_{i}").exists() for i in range(3)))
    return watching


def wait_until(condition, seconds=200):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.no_backend
@pytest.mark.parametrize("dead", [0, 2, "error"])
def test_the_others_stop_and_say_which(dead, tmp_path):
    end = "error" if dead == "error" else "kill"
    watching = start_watching(tmp_path, end)
    dead = 2 if dead == "error" else dead
    if end == "kill":
        os.kill(watching[dead].pid, signal.SIGKILL)
    for i, process in enumerate(watching):
        _, errors = process.communicate(timeout=15)
        assert process.returncode
        if i != dead:
            assert f"Process {dead} of 3 has died" in errors
        elif end == "error":
            assert "no space left" in errors


@pytest.mark.no_backend
def test_an_ordinary_end_is_no_death(tmp_path):
    for process in start_watching(tmp_path, "well"):
        assert process.communicate(timeout=15)[1] == ""
        assert process.returncode == 0


@pytest.mark.skipif(BACKEND == "tensorflow", reason="Keras 3 has one process")
@pytest.mark.parametrize(
    "steps",
    [pytest.param(4, marks=pytest.mark.slow if BACKEND == "jax" else ())],
)
def test_a_killed_run_goes_on_on_another_number(
    steps, tmp_path, any_singular_vector
):
    """From two processes to one, to the weights of an undisturbed run."""
    folder = tmp_path / "killed" / "checkpoints"
    last = folder / f"step_{steps:08d}.keras"
    with started_processes(
        2, "-m", "tests.distribution.running", tmp_path / "killed", "100000"
    ) as (processes, errors):
        wait_until(lambda: last.exists() or processes[0].poll() is not None)
        processes[1].kill()
        assert processes[0].wait(timeout=60)
        assert "Process 1 of 2 has died" in text_of(errors[0])
    for path in folder.glob("step_*.keras"):
        if int(path.stem[5:]) > steps:
            path.unlink()
    resumed = training.state(running.run(tmp_path / "killed", steps + 2))
    undisturbed = training.state(running.run(tmp_path / "whole", steps + 2))
    for (name, value), after in zip(
        undisturbed.items(), resumed.values(), strict=True
    ):
        assert relative_error(after, value) < 1e-4, name
