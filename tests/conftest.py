"""What the tests share."""

import contextlib
import os
import pathlib
import resource
import socket
import sys
import tempfile

import keras
import numpy as np
import pytest

import keras_sagan
from keras_sagan import backends
from keras_sagan import models
from keras_sagan.layers import SpectralNormalization

if keras.backend.backend() == "jax":
    # Many tests compile the same step: once is enough.
    import jax

    jax.config.update("jax_compilation_cache_dir", tempfile.mkdtemp())
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    # For tests/distribution; the others use the first one.
    jax.config.update("jax_num_cpu_devices", 2)
    # Tiny networks take longer to optimize than to run; in processes that
    # tests start, too.
    jax.config.update("jax_disable_most_optimizations", True)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    # For tests/distribution; the others use the first one.
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    # As above: the graph optimizer takes longer than the graph.
    tf.config.optimizer.set_experimental_options(
        {"disable_meta_optimizer": True}
    )


def pytest_collection_modifyitems(config, items):
    """Runs tests marked `no_backend` once, where tests start soonest."""
    if keras.backend.backend() == "torch":
        return
    left_out = [i for i in items if i.get_closest_marker("no_backend")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [i for i in items if i not in left_out]


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.fixture(autouse=True, scope="module")
def _forgotten():
    """Graphs and programs of many modules' models do not pile up."""
    yield
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4e6:  # In kB.
        return
    keras.utils.clear_session()  # It collects garbage.
    if keras.backend.backend() == "jax":
        jax.clear_caches()


@pytest.fixture
def any_singular_vector(monkeypatch):
    """Networks are built without the search for their norms: far sooner."""
    monkeypatch.setattr(
        SpectralNormalization,
        "_leading_u",
        lambda layer: keras.ops.ones(layer._matrix_shape()[1]),
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def digits_like(rng):
    """32 images of noise at 16 pixels with labels of 3 classes."""
    images = rng.uniform(-1, 1, (32, 16, 16, 3)).astype("float32")
    return images, rng.integers(3, size=32).astype("int32")


@contextlib.contextmanager
def computing_in(dtype):
    """Layers made inside have this dtype; float64 is switched on for JAX."""
    float64_on_jax = dtype == "float64" and keras.backend.backend() == "jax"
    if float64_on_jax:
        jax.config.update("jax_enable_x64", True)
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        yield dtype
    finally:
        if float64_on_jax:
            jax.config.update("jax_enable_x64", False)


def array(x):
    return keras.ops.convert_to_numpy(x)


def values(variables):
    return [array(v) for v in variables]


def parameters(model):
    """Number of trainable parameters."""
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def same(before, after):
    """For each pair of arrays, whether they are bit for bit equal."""
    return [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def packages_without(folder, *names):
    """A folder of what is installed but for some, to be run with `-S`."""
    (site,) = (p for p in sys.path if p.endswith("site-packages"))
    packages = folder / "site-packages"
    packages.mkdir()
    for path in pathlib.Path(site).iterdir():
        if not path.name.startswith((*names, "__editable__")):
            (packages / path.name).symlink_to(path)
    return packages


def relative_error(a, b):
    """max|a - b| / max|b|, or max|a| where b is zero."""
    return np.max(np.abs(a - b), initial=0) / (
        np.max(np.abs(b), initial=0) or 1
    )


def gradients(loss_fn, variables, all_variables=None):
    """Gradients of a scalar function, by the backend's own means."""
    trainer = backends.Trainer()
    trainer.variables = all_variables or variables

    def run():
        return trainer.value_and_gradients(
            lambda: {"loss": loss_fn()}, variables
        )[1]

    if keras.backend.backend() == "jax":
        run = _compiled(run)
    return [array(g) for g in run()]


def _compiled(function):
    """On JAX: not operation by operation. No variable is assigned."""

    @jax.jit
    def run():
        with keras.StatelessScope():
            return function()

    return run


def tiny_networks(num_classes=3, resolution=16, **kwargs):
    generator = models.build_generator(
        resolution, num_classes, latent_dim=8, base_channels=2, **kwargs
    )
    for name in list(kwargs):
        if name.startswith("batch_norm") or name.startswith("class_table"):
            del kwargs[name]
    return generator, models.build_discriminator(
        resolution, num_classes, base_channels=2, **kwargs
    )


def tiny_model(num_classes=3, resolution=16, compiled=True, **kwargs):
    model = keras_sagan.SAGAN(
        *tiny_networks(num_classes, resolution), seed=7, **kwargs
    )
    if compiled:
        model.compile()
    return model
