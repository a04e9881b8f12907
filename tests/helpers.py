"""Functions that several tests use."""

import contextlib
import os
import pathlib
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_sagan
from keras_sagan import backends
from keras_sagan import layers
from keras_sagan import models
from keras_sagan.layers import SpectralNormalization
from keras_sagan.layers.dense import Dense
from keras_sagan.models.discriminator import ClassEmbedding
from keras_sagan.models.discriminator import InnerProduct
from keras_sagan.models.discriminator import SumOverMap

if keras.backend.backend() == "jax":
    import jax
elif keras.backend.backend() == "tensorflow":
    import tensorflow as tf
elif keras.backend.backend() == "torch":
    import torch


# Its version, to compare with: (3, 10) and so on.
KERAS = tuple(int(part) for part in keras.__version__.split(".")[:2])


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


# In a ring: each saves once and loads once.
OTHER = {"tensorflow": "jax", "jax": "torch", "torch": "tensorflow"}


def run_elsewhere(script, *arguments):
    """Runs Python code under another backend, if that is installed."""
    other = OTHER[keras.backend.backend()]
    # Not a package that every user has: the suite installs all three.
    pytest.importorskip(other)
    subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "KERAS_BACKEND": other},
        check=True,
        capture_output=True,
        timeout=300,
    )


def embedding_generator():
    """A generator of 3 classes that knows them by an embedding alone."""
    labels = keras.Input((), dtype="int32")
    x = keras.Input((8,))
    y = keras.layers.Embedding(3, 8)(labels)
    h = keras.layers.Dense(16 * 16 * 3)(keras.layers.Add()([x, y]))
    images = keras.layers.Reshape((16, 16, 3))(keras.ops.tanh(h))
    return keras.Model([x, labels], images)


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
        return trainer.value_and_gradients(lambda: (loss_fn(), {}), variables)[
            1
        ]

    if keras.backend.backend() == "jax":
        run = _compiled(run)
    return [array(g) for g in run()]


def derivatives(function, arguments, directions):
    """Returns the gradients of a scalar function of a list of arrays, and
    those of their inner product with `directions`.
    """
    return _DERIVATIVES[keras.backend.backend()](
        function, arguments, directions
    )


def _derivatives_on_tensorflow(function, arguments, directions):
    # Eagerly: graphs of so many layers take minutes and gigabytes.
    def run(arguments):
        with tf.GradientTape() as outer:
            outer.watch(arguments)
            with tf.GradientTape() as inner:
                inner.watch(arguments)
                loss = function(arguments)
            # The gradient of a table is a sparse one.
            first = [
                tf.convert_to_tensor(x) for x in inner.gradient(loss, arguments)
            ]
            along = _inner_product(first, directions)
        return first, outer.gradient(
            along, arguments, unconnected_gradients="zero"
        )

    found = run([tf.convert_to_tensor(x) for x in arguments])
    return [[tf.convert_to_tensor(x).numpy() for x in xs] for xs in found]


def _derivatives_on_jax(function, arguments, directions):
    @jax.jit
    def run(arguments):
        def along(arguments):
            first = jax.grad(function)(arguments)
            return _inner_product(first, directions), first

        second, first = jax.grad(along, has_aux=True)(arguments)
        return first, second

    return [[array(x) for x in xs] for xs in run(arguments)]


def _derivatives_on_torch(function, arguments, directions):
    arguments = [torch.tensor(x, requires_grad=True) for x in arguments]
    first = torch.autograd.grad(
        function(arguments), arguments, create_graph=True
    )
    along = _inner_product(first, [torch.tensor(x) for x in directions])
    second = torch.autograd.grad(along, arguments, materialize_grads=True)
    return [[array(x) for x in xs] for xs in (first, second)]


def _inner_product(xs, ys):
    return sum(keras.ops.sum(x * y) for x, y in zip(xs, ys, strict=True))


_DERIVATIVES = {
    "tensorflow": _derivatives_on_tensorflow,
    "jax": _derivatives_on_jax,
    "torch": _derivatives_on_torch,
}


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


def inputs_of(network):
    """Returns four random inputs of a network, and labels of three classes.

    The labels are None if the network has no second input.
    """
    rng = np.random.default_rng(0)
    inputs = [
        rng.integers(3, size=4).astype("int32")
        if "int" in x.dtype
        else rng.normal(size=(4, *x.shape[1:])).astype(x.dtype)
        for x in network.inputs
    ]
    x, *labels = map(keras.ops.convert_to_tensor, inputs)
    return x, labels[0] if labels else None


def small_networks(num_classes=3):
    """Networks at 16 pixels with one layer of each kind, for the algorithm.

    A step of theirs compiles in a third of the time of `tiny_networks`.
    """
    x = latents = keras.Input((8,), name="latents")
    labels = None if num_classes is None else keras.Input((), dtype="int32")
    x = SpectralNormalization(Dense(4 * 4 * 8), name="linear")(x)
    x = keras.layers.Reshape((4, 4, 8))(x)
    if labels is None:
        x = layers.BatchNorm(name="norm")(x)
    else:
        x = layers.ConditionalBatchNorm(num_classes, name="norm")(x, labels)
    x = SpectralNormalization(layers.UpsampleConv2D(8), name="up_8")(x)
    x = layers.SelfAttention2D(name="attention_8")(x)
    x = keras.layers.ReLU()(x)
    x = SpectralNormalization(layers.UpsampleConv2D(3), name="up_16")(x)
    images = keras.layers.Activation("tanh", dtype="float32")(x)
    inputs = latents if labels is None else [latents, labels]
    generator = keras.Model(inputs, images, name="generator")

    x = images = keras.Input((16, 16, 3), name="images")
    labels = None if num_classes is None else keras.Input((), dtype="int32")
    x = SpectralNormalization(layers.DownsampleConv2D(8), name="down_8")(x)
    x = layers.SelfAttention2D(name="attention_8")(x)
    x = keras.layers.ReLU()(x)
    x = SpectralNormalization(layers.DownsampleConv2D(8), name="down_4")(x)
    h = SumOverMap(dtype="float32")(x)
    logits = SpectralNormalization(Dense(1, dtype="float32"), name="linear")(h)
    if labels is not None:
        embedding = ClassEmbedding(num_classes, 8, dtype="float32")
        embedded = SpectralNormalization(embedding, name="embedding")(labels)
        projection = InnerProduct(dtype="float32")(h, embedded)
        logits = keras.layers.Add(dtype="float32")([logits, projection])
    inputs = images if labels is None else [images, labels]
    return generator, keras.Model(inputs, logits, name="discriminator")


def small_model(num_classes=3, compiled=True, **kwargs):
    model = keras_sagan.SAGAN(*small_networks(num_classes), seed=7, **kwargs)
    if compiled:
        model.compile()
    return model


def tiny_model(num_classes=3, resolution=16, compiled=True, **kwargs):
    model = keras_sagan.SAGAN(
        *tiny_networks(num_classes, resolution), seed=7, **kwargs
    )
    if compiled:
        model.compile()
    return model
