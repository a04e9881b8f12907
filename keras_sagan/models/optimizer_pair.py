"""Two optimizers in place of one."""

import keras


@keras.saving.register_keras_serializable(package="keras_sagan")
class OptimizerPair(keras.optimizers.Optimizer):
    """Holds the optimizers of both networks where Keras expects one.

    The trainers and checkpoints of Keras see only `model.optimizer`. Through
    this pair they track and save the state of both optimizers. Each network is
    updated by its own optimizer; `apply` of the pair is not used.

    Args:
        generator_optimizer: A `keras.optimizers.Optimizer`.
        discriminator_optimizer: Another `keras.optimizers.Optimizer`.
    """

    def __init__(self, generator_optimizer, discriminator_optimizer, **kwargs):
        super().__init__(learning_rate=0.0, **kwargs)
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer

    def build_pair(self, generator_variables, discriminator_variables):
        """Creates the state of both optimizers."""
        self.generator_optimizer.build(generator_variables)
        self.discriminator_optimizer.build(discriminator_variables)
        self.built = True

    def build(self, variables):
        """Does nothing: `build_pair` gives each optimizer its variables."""

    @property
    def variables(self):
        return (
            self.generator_optimizer.variables
            + self.discriminator_optimizer.variables
        )

    @property
    def iterations(self):
        return self.generator_optimizer.iterations

    @property
    def learning_rate(self):
        """The generator's learning rate, which Keras' callbacks report."""
        return self.generator_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        raise AttributeError(
            "SAGAN has two learning rates. Set that of "
            "`model.generator_optimizer` or `model.discriminator_optimizer`, "
            "or give them a `keras.optimizers.schedules` schedule. "
            f"Received: learning_rate={learning_rate}"
        )

    def finalize_variable_values(self, variables):
        """Does nothing: the EMA generator is a model of its own."""

    def save_own_variables(self, store):
        """Does nothing: the two optimizers save their own."""

    def load_own_variables(self, store):
        """Does nothing: the two optimizers load their own."""

    def get_config(self):
        return {
            "name": self.name,
            "generator_optimizer": _serialize(self.generator_optimizer),
            "discriminator_optimizer": _serialize(self.discriminator_optimizer),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        deserialize = keras.saving.deserialize_keras_object
        config = dict(config)
        for name in ("generator_optimizer", "discriminator_optimizer"):
            config[name] = deserialize(config[name], custom_objects)
        return cls(**config)


def _serialize(optimizer):
    config = keras.saving.serialize_keras_object(optimizer)
    # On PyTorch, Keras 3.15.1 writes its private class here, which the other
    # backends cannot import.
    if config["module"].startswith("keras.src."):
        config["module"] = "keras.optimizers"
    return config


def make_optimizer_pair(generator_optimizer, discriminator_optimizer):
    """Returns both optimizers as a pair; None is replaced by the default.

    Raises:
        ValueError: If the two are the same object, or if one is not an
            optimizer.
    """
    generator_optimizer = _get_optimizer(
        "generator_optimizer", generator_optimizer, 1e-4
    )
    discriminator_optimizer = _get_optimizer(
        "discriminator_optimizer", discriminator_optimizer, 4e-4
    )
    if generator_optimizer is discriminator_optimizer:
        raise ValueError(
            "`generator_optimizer` and `discriminator_optimizer` must be two "
            "objects, because each keeps the state of one network. Received: "
            f"{generator_optimizer} for both"
        )
    return OptimizerPair(generator_optimizer, discriminator_optimizer)


def _get_optimizer(name, optimizer, default_rate):
    if optimizer is None:
        return default_optimizer(default_rate)
    try:
        return keras.optimizers.get(optimizer)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"`{name}` must be a `keras.optimizers.Optimizer`, its name or its "
            f"config. Received: {name}={optimizer!r:.80}"
        ) from error


def default_optimizer(learning_rate):
    """Returns the Adam of the SAGAN release, with the given learning rate."""
    return keras.optimizers.Adam(
        learning_rate, beta_1=0.0, beta_2=0.999, epsilon=1e-8
    )
