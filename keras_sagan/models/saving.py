"""The methods of `SAGAN` that Keras needs to save and load it.

Keras saves the networks and the optimizers, which are attributes.
"""

import contextlib
import time
import types
import zipfile

import keras
from keras import ops

from keras_sagan import backends

ARGUMENTS = (
    "num_classes",
    "latent_dim",
    "discriminator_steps",
    "gradient_accumulation_steps",
    "ema_momentum",
    "ema_start_step",
    "augmentation",
    "seed",
)


def save(model, *args, **kwargs):
    """Saves the model, with the arguments of `keras.Model.save`.

    If several processes train together, one of them may call it alone.
    """
    model.sync_variables()
    with backends.alone(), _dates_of_zip():
        keras.Model.save(model, *args, **kwargs)


def save_weights(model, *args, **kwargs):
    """Saves the weights, with the arguments of `keras.Model.save_weights`."""
    model.sync_variables()
    with backends.alone(), _dates_of_zip():
        keras.Model.save_weights(model, *args, **kwargs)


def get_weights(model):
    """Returns the values of all variables, as `keras.Model.get_weights`."""
    model.sync_variables()
    return keras.Model.get_weights(model)


@contextlib.contextmanager
def _dates_of_zip():
    """Allows a machine whose clock is before 1980 to write ZIP files.

    ZIP has no such dates, and `zipfile.ZipFile.writestr`, which Keras calls,
    uses the clock.
    """
    if time.localtime().tm_year >= 1980:
        yield
        return
    first = time.struct_time((1980, 1, 1, 0, 0, 0, 1, 1, 0))
    zipfile.time = types.SimpleNamespace(
        time=time.time, localtime=lambda seconds=None: first
    )
    try:
        yield
    finally:
        zipfile.time = time


def save_own_variables(model, store):
    """Saves the number of steps, and the seeds that training draws from.

    Keras does not save seeds; without them, a resumed training would differ.
    """
    for name, variable in _own_variables(model).items():
        store[name] = ops.convert_to_numpy(variable)


def load_own_variables(model, store):
    """Loads what `save_own_variables` saved."""
    scales = {} if model.loss_scale is None else model.loss_scale.variables
    for name, variable in _own_variables(model).items():
        # A model in another precision saves no loss scales.
        if name in store or name not in scales:
            variable.assign(store[name][()])


def _own_variables(model):
    """Returns the variables by name, with seeds of layers such as Dropout."""
    variables = {
        "steps_trained": model.steps_trained,
        "seed": model.seed_generator.state,
    }
    if model.loss_scale is not None:
        variables |= model.loss_scale.variables
    for name in ("generator", "discriminator"):
        network = getattr(model, name)
        weights = {id(x) for x in network.weights}
        seeds = [x for x in network.variables if id(x) not in weights]
        for i, seed in enumerate(seeds):
            variables[f"{name}_seed_{i}"] = seed
    return variables


def get_config(model):
    """Returns the arguments of the constructor, as plain data."""
    serialize = keras.saving.serialize_keras_object
    return {
        **keras.Model.get_config(model),
        "generator": serialize(model.generator),
        "discriminator": serialize(model.discriminator),
        **{name: getattr(model, name) for name in ARGUMENTS},
    }


def from_config(cls, config, custom_objects=None):
    """Returns the model that `get_config` describes, with new weights."""
    config = dict(config)
    for name in ("generator", "discriminator"):
        config[name] = keras.saving.deserialize_keras_object(
            config[name], custom_objects
        )
    return cls(**config)


def get_compile_config(model):
    """Returns the arguments of `compile`, as plain data."""
    if not model.compiled:
        return {}
    serialize = keras.saving.serialize_keras_object
    return {
        "optimizer": serialize(model.optimizer),
        "loss": serialize(model.loss),
        "gradient_penalty": [serialize(x) for x in model.penalties],
        **model.run_options,
    }


def compile_from_config(model, config):
    """Compiles the model as `get_compile_config` says."""
    config = dict(config)
    deserialize = keras.saving.deserialize_keras_object
    pair = deserialize(config.pop("optimizer"))
    config["loss"] = deserialize(config["loss"])
    config["gradient_penalty"] = [
        deserialize(x) for x in config["gradient_penalty"]
    ]
    model.compile(
        pair.generator_optimizer, pair.discriminator_optimizer, **config
    )
