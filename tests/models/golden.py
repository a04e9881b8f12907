"""One training step from given weights and draws, the same on every backend.

`python -m tests.models.golden` writes `golden_step.npz`, in float64, with the
backend that is chosen; `test_golden_step.py` holds all three to it.
"""

import pathlib
import re

import keras
import numpy as np
from keras import ops

from keras_sagan.layers import SpectralNormalization
from keras_sagan.layers.nested import flatten_layers
from keras_sagan.models.step import Draw
from tests.helpers import tiny_model

PATH = pathlib.Path(__file__).with_name("golden_step.npz")
BATCH = 8


def make_model():
    """A tiny model whose every variable is set by NumPy."""
    model = tiny_model(compiled=False, ema_momentum=0.5, ema_start_step=0)
    # Keras 3.15.1 rounds Adam's 1 - beta ** step to float32 on JAX and
    # PyTorch: 6e-6 of a step for 0.999, nothing for these.
    model.compile(
        *(
            keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.75, epsilon=1e-8)
            for rate in (1e-4, 4e-4)
        )
    )
    rng = np.random.default_rng(11)
    for network in (model.generator, model.discriminator):
        for variable in by_path(network.trainable_variables):
            scale = 0.5 if variable.name == "kernel" else 0.2
            value = rng.normal(scale=scale, size=variable.shape)
            if variable.name == "gamma" and "norm" in variable.path:
                value += 1
            variable.assign(value)
        normalizations = [
            layer
            for layer in flatten_layers(network)
            if isinstance(layer, SpectralNormalization)
        ]
        for layer in sorted(normalizations, key=lambda layer: layer.path):
            for vector in (layer.u, layer.v):
                value = rng.normal(size=vector.shape)
                vector.assign(value / np.linalg.norm(value))
    for average, variable in zip(
        model.ema_generator.variables, model.generator.variables
    ):
        average.assign(ops.convert_to_numpy(variable) * 0.9)
    return model


def by_path(variables):
    """Returns variables in an order that no change of the graph changes.

    The reference was written when the batch norms' `gamma` and `beta` were
    called `gain` and `offset`: sorting by those names keeps its order.
    """

    def key(variable):
        path = re.sub(r"(norm(_\d)?[/_])gamma", r"\1gain", variable.path)
        return re.sub(r"(norm(_\d)?[/_])beta", r"\1offset", path)

    return sorted(variables, key=key)


def inputs(dtype):
    """The images, labels, and the latents and labels of both updates."""
    rng = np.random.default_rng(12)
    images = rng.uniform(-1, 1, (BATCH, 16, 16, 3)).astype(dtype)
    labels = rng.integers(3, size=BATCH).astype("int32")
    draws = [
        (
            rng.normal(size=(BATCH, 8)).astype(dtype),
            rng.integers(3, size=BATCH).astype("int32"),
        )
        for _ in range(2)
    ]
    return images, labels, draws


def run_step(model, dtype):
    """Runs one step through `train_on_batch`; returns its logs."""
    images, labels, draws = inputs(dtype)
    draws = iter([Draw(*map(ops.convert_to_tensor, draw)) for draw in draws])
    model.draw = lambda x, times=1: next(draws)
    return model.train_on_batch(images, labels, return_dict=True)


def state(model):
    """Every variable that a step may change, by a name of its own."""
    variables = {"steps_trained": model.steps_trained}
    for name in (
        "generator",
        "discriminator",
        "ema_generator",
        "generator_optimizer",
        "discriminator_optimizer",
    ):
        for variable in by_path(getattr(model, name).variables):
            variables[f"{name}/{variable.path}"] = variable
    return variables


def main():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    model = make_model()
    logs = run_step(model, "float64")
    arrays = [ops.convert_to_numpy(v) for v in state(model).values()]
    flat = np.concatenate([np.float64(a).ravel() for a in arrays])
    np.savez_compressed(
        PATH,
        values=flat,
        discriminator_loss=logs["discriminator_loss"],
        generator_loss=logs["generator_loss"],
    )
    print(PATH, flat.size, "values")


if __name__ == "__main__":
    main()
