"""A process that dies is noticed, and its run goes on, also on another number.

The processes of the first test import no Keras: it takes a second.
"""

import importlib.util
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from tests.distribution import running
from tests.distribution import training
from tests.distribution.test_replicas import ROOT
from tests.distribution.test_replicas import run_processes
from tests.distribution.test_replicas import started_processes
from tests.distribution.test_replicas import text_of
from tests.helpers import free_port
from tests.helpers import relative_error

BACKEND = keras.backend.backend()
HEARTBEAT = importlib.util.find_spec(
    "keras_sagan.distribution.heartbeat"
).origin
WATCHING = """
import importlib.util, pathlib, socket, sys, time
import numpy as np
spec = importlib.util.spec_from_file_location("heartbeat", sys.argv[1])
heartbeat = importlib.util.module_from_spec(spec)
spec.loader.exec_module(heartbeat)
heartbeat.GRACE = 0.1
index, folder, end = int(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4]
calls = 0

def gather(line):  # In the place of an engine.
    global calls
    calls += 1
    (folder / f"part_{index}").write_bytes(line.tobytes())
    (folder / f"part_{index}").rename(folder / f"told_{calls}_{index}")
    paths = [folder / f"told_{calls}_{i}" for i in range(3)]
    if end == "stranger" and calls == 2 and index == 1:
        while not paths[0].exists():
            time.sleep(0.01)
        host, port = paths[0].read_text().split()[:2]
        stranger = socket.create_connection((host, int(port)))
        stray = socket.create_connection((host, int(port)))
        stray.sendall(b"GET / HTTP/1.1" + b" " * 20)
        globals().update(strangers=[stranger, stray])
        # Only here, where it is asked for: at one address of this machine.
        (folder / "host").write_text(host)
    while not all(path.exists() for path in paths):
        time.sleep(0.01)
    return np.stack([np.frombuffer(p.read_bytes(), "uint8") for p in paths])

heartbeat.watch(index, 3, gather)
(folder / f"ready_{index}").touch()
if index == 2 and end == "error":
    raise OSError("no space left")
time.sleep(0.5 if end in ("well", "stranger") else 30)
"""


def start_watching(folder, end):
    watching = [
        subprocess.Popen(
            [sys.executable, "-c", WATCHING, HEARTBEAT, str(i), folder, end],
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
@pytest.mark.parametrize("end", ["well", "stranger"])
def test_an_ordinary_end_is_no_death(end, tmp_path):
    """Nor are strangers who connect, one of whom says nothing."""
    for process in start_watching(tmp_path, end):
        assert process.communicate(timeout=15)[1] == ""
        assert process.returncode == 0
    if end == "stranger":
        assert (tmp_path / "host").read_text() == "127.0.0.1"


RUNNING = "-m", "tests.distribution.running"


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run of two processes, one of which was killed after four steps."""
    if BACKEND == "tensorflow":
        pytest.skip("Keras 3 has one process")
    workdir = tmp_path_factory.mktemp("killed") / "run"
    last = checkpoint(workdir, 4)
    with started_processes(2, *RUNNING, workdir, "100000") as (
        processes,
        errors,
    ):
        wait_until(lambda: last.exists() or processes[0].poll() is not None)
        processes[1].kill()
        begin = time.monotonic()
        assert processes[0].wait(timeout=60)
        print(f"\nnoticed, and ended, in {time.monotonic() - begin:.1f} s")
        text = text_of(errors[0])
        assert "Process 1 of 2 has died" in text
        assert "step 4; the best so far" in text
    for path in last.parent.glob("step_*.keras"):
        if path > last:
            path.unlink()
    return workdir


def checkpoint(workdir, step):
    return workdir / "checkpoints" / f"step_{step:08d}.keras"


@pytest.mark.slow
def test_a_killed_run_goes_on_exactly(killed, tmp_path, any_singular_vector):
    """It is exact to the bit with as many processes as before."""
    shutil.copytree(killed, tmp_path / "killed")
    models = []
    for name in "killed", "whole":
        run_processes(2, *RUNNING, tmp_path / name, "6")
        models.append(keras.saving.load_model(checkpoint(tmp_path / name, 6)))
    for name, resumed, undisturbed in states(*models):
        np.testing.assert_array_equal(resumed, undisturbed, err_msg=name)
    running.run(tmp_path / "one", 4)
    one, two = (
        json.loads((tmp_path / name / "best.json").read_text())
        for name in ("one", "whole")
    )
    assert one["step"] == two["step"] == 4
    assert two["fid"] == pytest.approx(one["fid"], rel=1e-4)


@pytest.mark.parametrize(
    "steps",
    [pytest.param(6, marks=pytest.mark.slow if BACKEND == "jax" else ())],
)
def test_a_killed_run_goes_on_on_another_number(
    steps, killed, tmp_path, any_singular_vector
):
    """One process continues a run of two, and ends with its weights."""
    shutil.copytree(killed, tmp_path / "killed")
    models = [
        running.run(tmp_path / name, steps) for name in ("killed", "whole")
    ]
    for name, resumed, undisturbed in states(*models):
        assert relative_error(resumed, undisturbed) < 1e-4, name


def states(*models):
    """The name of each variable, and its values in the models."""
    of_each = [training.state(model) for model in models]
    return zip(of_each[0], *(s.values() for s in of_each), strict=True)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "torch", reason="is torchrun's")
def test_torchrun_restarts_in_place(tmp_path):
    command = (
        *("-m", "torch.distributed.run", "--nproc_per_node=2"),
        *("--max_restarts=1", "--rdzv_backend=c10d"),
        f"--rdzv_endpoint=127.0.0.1:{free_port()}",
    )
    with subprocess.Popen(
        [sys.executable, *command, *RUNNING, tmp_path, "8"],
        env={**os.environ, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as torchrun:
        wait_until(checkpoint(tmp_path, 2).exists)
        os.kill(worker_of(torchrun.pid), signal.SIGKILL)
        output, _ = torchrun.communicate(timeout=200)
    assert torchrun.returncode == 0
    assert "Going on from step" in output
    assert checkpoint(tmp_path, 8).exists()


def worker_of(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return int(children.split()[0])
