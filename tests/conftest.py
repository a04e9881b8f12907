"""Fixtures of all tests, and how each backend is set up for them."""

import os
import resource
import tempfile

import keras
import numpy as np
import pytest

from keras_sagan.layers import spectral_normalization

if keras.backend.backend() == "jax":
    # Many tests compile the same step: once is enough, for all processes.
    cache = os.environ.setdefault(
        "JAX_COMPILATION_CACHE_DIR", tempfile.mkdtemp()
    )
    import jax

    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    # For tests/distribution; the others use the first one.
    jax.config.update("jax_num_cpu_devices", 2)
    # Tiny networks take longer to optimize than to run; in processes that
    # tests start, too.
    jax.config.update("jax_disable_most_optimizations", True)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    from tensorflow.python.framework.ops import gradient_registry

    # For tests/distribution; the others use the first one.
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    # As above: the graph optimizer takes longer than the graph.
    tf.config.optimizer.set_experimental_options(
        {"disable_meta_optimizer": True}
    )


def pytest_addoption(parser):
    parser.addoption(
        "--everywhere",
        action="store_true",
        help="run tests marked `once` on every backend",
    )


def pytest_collection_modifyitems(config, items):
    """Runs tests marked `no_backend` once, where tests start soonest."""
    if keras.backend.backend() == "torch":
        return
    marks = {"no_backend"}
    if not config.getoption("everywhere"):
        marks.add("once")
    left_out = [i for i in items if marks & {m.name for m in i.iter_markers()}]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [i for i in items if i not in left_out]


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.fixture(autouse=True)
def _no_graph_kept():
    """On TensorFlow, a test's graphs go with its models.

    TensorFlow registers the custom gradients of every graph, and with them
    keeps the graph: one or more for each `fit`, also of Keras' own models, of
    50 MB each. Nothing public takes them away.
    """
    yield
    if keras.backend.backend() == "tensorflow":
        gradients = gradient_registry._registry
        for name in [x for x in gradients if x.startswith("CustomGradient-")]:
            del gradients[name]


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
        spectral_normalization,
        "leading_singular_vector",
        lambda matrix: keras.ops.ones(matrix.shape[1]),
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def digits_like(rng):
    """32 images of noise at 16 pixels with labels of 3 classes."""
    images = rng.uniform(-1, 1, (32, 16, 16, 3)).astype("float32")
    return images, rng.integers(3, size=32).astype("int32")
