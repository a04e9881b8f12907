"""Processes that were asked for different things stop and say which.

The child processes are as small as they can be: each imports a backend.
"""

import os
import subprocess
import sys
import time
import warnings

import keras
import numpy as np
import pytest

import keras_sagan
from keras_sagan import backends
from keras_sagan.distribution import agreement
from keras_sagan.training import environment
from tests.distribution.test_replicas import ROOT
from tests.distribution.test_replicas import started_processes
from tests.distribution.test_replicas import text_of
from tests.helpers import free_port
from tests.helpers import small_model

BACKEND = keras.backend.backend()
several = pytest.mark.skipif(
    BACKEND == "tensorflow", reason="Keras 3 has one process"
)


@pytest.fixture
def two_processes(monkeypatch):
    """This process is the second of two; the first says what it is told to."""
    first = {}

    def gather(mine):
        mine = np.asarray(mine)
        other = np.array(
            [agreement._line(x) for x in first.values()], mine.dtype
        )
        return np.stack([other, mine])

    monkeypatch.setattr(backends, "process", lambda: (1, 2))
    monkeypatch.setattr(backends, "gather", gather)
    return first


def test_the_same_facts_agree(two_processes):
    facts = {"steps": 5, "settings": {"b": [1.5] * 99, "a": None}}
    two_processes.update(facts)
    agreement.check_agreement(**facts)
    # The order of a dict's keys and NumPy's scalars make no difference.
    facts = {"steps": np.int64(5), "settings": {"a": None, "b": [1.5] * 99}}
    agreement.check_agreement(**facts)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("steps", 6, "5 in process 0, 6 in process 1"),
        ("steps", None, "5 in process 0, null in process 1"),
        ("settings", {"b": [1.5] * 98}, "with the digest"),
    ],
)
def test_another_fact_is_named(name, value, shown, two_processes):
    facts = {"steps": 5, "settings": {"b": [1.5] * 99}}
    two_processes.update(facts)
    message = f"`{name}` must be the same in all processes.*{shown}"
    with pytest.raises(ValueError, match=message):
        agreement.check_agreement(**{**facts, name: value})


def test_an_object_stands_for_its_type(two_processes):
    """Its address in memory differs from process to process."""
    two_processes.update(augment=object())
    agreement.check_agreement(augment=object())


DIFFERENT = "-m", "tests.distribution.different"
CASES = {
    "batch_size": "`batch_size` must be the same",
    "seed": "`seed` must be the same",
    "images": "`images` must be the same",
    "classes": "`class_names` must be the same",
    "steps": "`steps` must be the same",
    "settings": "`settings` must be the same",
    "momentum": "`compile` must be the same",
    "shard": "`shard` of the dataset must be `devices.shard`",
    "workdir": "`workdir` must be a folder that all processes see",
    # The engine itself stops where JAX makes variables of two shapes.
    **({"width": "`networks` must be the same"} if BACKEND == "torch" else {}),
}


@several
@pytest.mark.parametrize(
    "processes",
    [pytest.param(2, marks=pytest.mark.slow if BACKEND == "jax" else ())],
)
def test_all_processes_stop_and_say_why(processes, tmp_path):
    with started_processes(processes, *DIFFERENT, tmp_path, *CASES) as (
        children,
        outputs,
    ):
        for child, output in zip(children, outputs, strict=True):
            assert child.wait(timeout=200) == 0, text_of(output)
            lines = dict(
                line.split(": ", 1)
                for line in text_of(output).splitlines()
                if line.split(": ")[0] in CASES
            )
            assert lines.keys() == CASES.keys(), text_of(output)
            for case, message in CASES.items():
                assert message in lines[case], (case, lines[case])


ALONE = """
from keras_sagan.distribution import devices
devices.LIMIT, devices.PATIENCE = 3.0, 1.0
devices.start()
"""


@several
def test_a_process_that_waits_says_so_and_ends():
    address = f"127.0.0.1:{free_port()}"
    host, port = address.split(":")
    begin = time.monotonic()
    process = subprocess.run(
        [sys.executable, "-c", ALONE],
        env={
            **os.environ,
            **{"RANK": "0", "WORLD_SIZE": "2"},
            **{"MASTER_ADDR": host, "MASTER_PORT": port},
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": address,
            "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
            "KERAS_DISTRIBUTION_PROCESS_ID": "0",
        },
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert time.monotonic() - begin < 40
    assert process.returncode == 1
    waiting, ended = (
        line for line in process.stderr.splitlines() if "process" in line
    )
    assert waiting.startswith("Waiting for the other processes, 3 s at most")
    assert "have not found one another within 3 s" in ended
    assert "WORLD_SIZE=2" in ended


@pytest.mark.no_backend
def test_a_run_warns_where_it_is_not_exact(tmp_path, monkeypatch, digits_like):
    """Bits are those of a number of cores: of what it began with."""
    images, labels = digits_like

    def train(steps):
        return keras_sagan.train(
            tmp_path / "run",
            small_model,
            lambda step: keras_sagan.data.from_arrays(
                images, labels, 8, start_step=step, steps_per_epoch=1
            ),
            steps,
        )

    train(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        train(2)
    now = environment.describe_environment()
    assert now["cpu_cores"] >= 1
    monkeypatch.setattr(
        environment,
        "describe_environment",
        lambda: {**now, "cpu_cores": 64},
    )
    with pytest.warns(UserWarning, match="goes on with cpu_cores=64, before"):
        train(3)
