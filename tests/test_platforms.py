"""What only some systems have: simulated where this one has it."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_sagan import data
from keras_sagan import files
from keras_sagan.training import Run
from keras_sagan.training.environment import describe_environment
from tests.helpers import packages_without
from tests.helpers import small_model
from tests.test_examples import ROOT

BACKEND = keras.backend.backend()


@pytest.mark.no_backend
def test_without_fcntl_nothing_is_locked(tmp_path, monkeypatch):
    """As on Windows."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with Run(tmp_path).lock(), Run(tmp_path).lock():
        pass


@pytest.mark.no_backend
def test_without_an_affinity_all_cores_count(monkeypatch):
    """As on macOS and Windows."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert describe_environment()["cpu_cores"] == os.cpu_count()


@pytest.mark.skipif(BACKEND != "torch", reason="of Apple's GPU on PyTorch")
@pytest.mark.skipif(
    keras.version() < "3.13", reason="Keras before 3.13 makes them itself"
)
def test_no_tensor_of_float64_is_made(any_singular_vector):
    """A device such as Apple's has none. Users' arrays may be float64."""
    from torch.utils import _pytree
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watching(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            for x in _pytree.tree_leaves(result):
                if "float64" in str(getattr(x, "dtype", "")):
                    made.append(str(function))
            return result

    made = []
    images, labels = data.load_digits(16)
    images = images[:16].astype("float64") / 127.5 - 1
    model = small_model(num_classes=10)
    with Watching():
        model.fit(images, labels[:16], batch_size=8, verbose=0)
        model.evaluate(images, labels[:16], batch_size=8, verbose=0)
        model.generate(labels=[1, 2], seed=0, truncation=0.7)
        model.largest_sigma()
        dataset = data.from_arrays(images.astype("float32"), labels[:16], 8)
        model.fit(dataset, verbose=0)
    assert not made


@pytest.mark.no_backend
@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (
            ("tensorflow",),
            "Set the environment variable KERAS_BACKEND to jax or torch",
        ),
        (
            ("tensorflow", "jax", "torch"),
            "pip install 'keras_sagan[tensorflow]', 'keras_sagan[jax]' or "
            "'keras_sagan[torch]'",
        ),
    ],
)
def test_a_missing_backend_is_one_line(missing, message, tmp_path):
    packages = packages_without(tmp_path, *missing)
    environment = {**os.environ, "PYTHONPATH": f"{packages}:{ROOT}"}
    environment["KERAS_HOME"] = str(tmp_path)
    del environment["KERAS_BACKEND"]

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-S", "-m", "keras_sagan", *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    assert run("--help").returncode == 0
    failed = run("presets")
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert line.startswith("keras-sagan presets: ") and message in line


def test_generates_the_same_from_64_bit_inputs(any_singular_vector):
    model = small_model()
    latents, labels = model.draw_inputs(num_images=2, seed=0)
    one = model.generate(latents=latents, labels=labels)
    wide = np.asarray(latents, "float64"), np.asarray(labels, "int64")
    two = model.generate(latents=wide[0], labels=wide[1])
    np.testing.assert_array_equal(one, two)


@pytest.mark.no_backend
def test_what_a_killed_process_left_is_no_obstacle(tmp_path):
    """In a container, the next process often has the same number."""
    left = tmp_path / f".new.{os.getpid()}"
    left.mkdir()
    (left / "half").write_text("x")
    with files.new_folder(tmp_path / "new") as folder:
        (folder / "whole").write_text("y")
    assert [x.name for x in tmp_path.iterdir()] == ["new"]
    assert [x.name for x in (tmp_path / "new").iterdir()] == ["whole"]
