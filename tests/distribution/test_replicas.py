"""Two devices do what one does, on the engine of the backend."""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile

import keras
import numpy as np
import pytest

from keras_sagan import backends
from keras_sagan import distribution
from keras_sagan.layers import BatchNorm
from tests.distribution import training
from tests.helpers import array
from tests.helpers import free_port
from tests.helpers import relative_error

ROOT = pathlib.Path(__file__).parents[2]
BACKEND = keras.backend.backend()
pytestmark = pytest.mark.usefixtures("any_singular_vector")


_strategies = []  # TensorFlow's: a process can have only one of them.


@pytest.fixture
def two_devices():
    """The engine with two virtual devices of this process."""
    if BACKEND == "torch":
        pytest.skip("has a process for each device")
    if BACKEND == "jax":
        yield distribution.start()
    else:
        import tensorflow

        if _strategies:
            tensorflow.distribute.experimental_set_strategy(_strategies[0])
        devices = distribution.start()
        _strategies.append(tensorflow.distribute.get_strategy())
        yield devices
    without_engine()


def without_engine():
    if BACKEND == "jax":
        keras.distribution.set_distribution(None)
    else:
        import tensorflow

        tensorflow.distribute.experimental_set_strategy(None)


@contextlib.contextmanager
def started_processes(n, *arguments):
    """n processes of a command, as torchrun or Slurm would start them."""
    port = str(free_port())
    # Not a pipe: nobody reads it meanwhile, and it holds 64 KiB.
    errors = [tempfile.TemporaryFile("w+") for _ in range(n)]  # noqa: SIM115
    processes = [
        subprocess.Popen(
            [sys.executable, *arguments],
            env={
                **os.environ,
                "RANK": str(i),
                "LOCAL_RANK": str(i),
                "WORLD_SIZE": str(n),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": port,
                "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"127.0.0.1:{port}",
                "KERAS_DISTRIBUTION_NUM_PROCESSES": str(n),
                "KERAS_DISTRIBUTION_PROCESS_ID": str(i),
            },
            cwd=ROOT,
            stdout=errors[i],
            stderr=errors[i],
        )
        for i in range(n)
    ]
    try:
        yield processes, errors
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run_processes(n, *arguments, seconds=300):
    with started_processes(n, *arguments) as (processes, errors):
        for process, file in zip(processes, errors, strict=True):
            assert process.wait(timeout=seconds) == 0, text_of(file)


def text_of(file):
    file.seek(0)
    return file.read()


def assert_same(one, several):
    assert one.keys() == several.keys()
    assert len(one) > 150
    for end in ("/u", "/moving_variance", "kernel_momentum"):
        assert any(name.endswith(end) for name in one)
    errors = {}
    for name, value in one.items():
        if name.startswith(("log/", "evaluation/")):
            np.testing.assert_allclose(
                several[name], value, rtol=1e-4, atol=1e-5, err_msg=name
            )
        else:
            errors[name] = relative_error(several[name], value)
    largest = np.max(list(errors.values()))  # NaN, if there is one.
    print(f"\nlargest difference {largest:.1e}")
    assert largest < 1e-4, errors


def test_two_devices_of_a_process_train_as_one(request):
    if BACKEND == "torch":
        pytest.skip("has a process for each device")
    one = training.train()
    devices = request.getfixturevalue("two_devices")
    assert devices == distribution.Devices(0, 1, 2)
    assert_same(one, training.train(devices.shard))


@pytest.mark.skipif(BACKEND == "tensorflow", reason="Keras 3 has one process")
@pytest.mark.parametrize(
    "processes",
    [pytest.param(2, marks=pytest.mark.slow if BACKEND == "jax" else ())],
)
def test_two_processes_train_and_evaluate_as_one(processes, tmp_path):
    path = tmp_path / "state.npz"
    run_processes(processes, "-m", "tests.distribution.training", path)
    with np.load(path) as file:
        several = dict(file)
    if BACKEND == "torch":
        names = "y", "mean", "variance"
        moments = [several.pop(f"replica/{name}") for name in names]
        check_moments_of_replicas(*moments)
    check_metrics(several)
    assert_same(training.train(), several)


def check_metrics(several):
    """Those that each of two processes has, against those of this one."""
    one = training.metric_values()
    assert {"is", "kid", "recall", "coverage", "intra_fid_2"} <= one.keys()
    for name, value in one.items():
        found = several.pop(f"metric/{name}")
        exact = "fid" not in name
        expected = value if exact else pytest.approx(value, rel=1e-10)
        assert found.tolist() == [expected] * 2, name


def check_moments_of_replicas(y, mean, variance):
    halves = np.split(training.features(), 2)
    expected = [
        (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5)
        for x in halves
    ]
    np.testing.assert_allclose(y, np.concatenate(expected), atol=1e-4)
    for moving, moments, start in (
        (mean, [x.mean((0, 1, 2)) for x in halves], 0),
        (variance, [x.var((0, 1, 2)) for x in halves], 1),
    ):
        expected = 0.5 * start + 0.5 * np.mean(moments, 0)
        np.testing.assert_allclose(moving, expected, rtol=1e-4)


LEAVING = """
import atexit
import torch.distributed
atexit.register(lambda: print(torch.distributed.is_initialized()))
from keras_sagan import distribution
distribution.start()
"""


@pytest.mark.skipif(BACKEND != "torch", reason="has an engine of its own")
@pytest.mark.parametrize(
    ("end", "remains"), [("", False), ("raise OSError", True)]
)
def test_the_engine_is_left_at_an_ordinary_end(end, remains):
    """Its threads are joined; after an error they may wait for others."""
    with started_processes(1, "-c", LEAVING + end) as ((process,), (output,)):
        assert (process.wait(timeout=60) == 0) is not remains
        assert text_of(output).split()[-1] == str(remains)


def test_moments_of_each_replica_by_name(two_devices):
    check_moments_of_replicas(*training.moments_of_replicas())


def test_a_batch_must_divide_among_the_devices(two_devices, digits_like):
    model = training.make_model()
    with pytest.raises(ValueError, match=r"2 equal parts on each of 2 devices"):
        model.fit(*digits_like, batch_size=6)


def test_generates_on_several_devices_as_on_one(request, tmp_path):
    if BACKEND == "torch":
        pytest.skip("has a process for each device")
    arguments = {"num_images": 5, "seed": 0, "quantize": False}
    one = training.make_model().generate(**arguments)
    request.getfixturevalue("two_devices")
    model = training.make_model()
    images = model.generate(**arguments, batch_size=2)
    assert images.shape == (5, 16, 16, 3)
    np.testing.assert_allclose(images, one, atol=1e-5)
    model.save(tmp_path / "model.keras")
    assert backends.replicas() == backends.devices() == 2
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert np.array_equal(again.generate(**arguments, batch_size=2), images)
    without_engine()  # As after the scope in which a model was made.
    assert backends.devices() == 1
    images = model.generate(**arguments, batch_size=2)
    np.testing.assert_allclose(images, one, atol=1e-5)


def test_devices_of_a_process_share_rows(two_devices):
    """Also of a network that it made alone, as the Inception network is."""
    rows = []

    class Seen(keras.layers.Layer):
        def call(self, x):
            rows.append(x.shape[0])
            return x

    with backends.alone():
        inputs = keras.Input((3,))
        dense = keras.layers.Dense(2)
        outputs = {"sum": dense(inputs), "same": Seen()(inputs)}
        network = keras.Model(inputs, outputs)
        rows.clear()
        x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
        found = backends.predict(network, x)
        if BACKEND == "jax":  # The program is that of one device.
            assert len(dense.kernel.value.devices()) == 2
            rows, run_alone = [], network.run_alone

            def recording(trainable, others, x):
                rows.extend(len(s.data) for s in x.addressable_shards)
                return run_alone(trainable, others, x)

            network.run_alone = recording
            backends.predict(network, x)
            assert rows == [3, 3]
        else:
            assert set(rows) == {3}
    np.testing.assert_array_equal(found["same"], x)
    kernel, bias = dense.get_weights()
    np.testing.assert_allclose(found["sum"], x @ kernel + bias, rtol=1e-5)


def test_without_several_devices_there_is_one():
    assert (backends.process(), backends.replicas()) == ((0, 1), 1)
    layers = BatchNorm(0.5), BatchNorm(0.5, synchronized=False)
    x = training.features()
    a, b = (array(layer(x, training=True)) for layer in layers)
    np.testing.assert_allclose(a, b, atol=1e-6)
    with pytest.raises(ValueError, match="must be True or False"):
        BatchNorm(synchronized="local")
