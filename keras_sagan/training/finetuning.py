"""Training on images that starts from a trained model."""

import hashlib

import keras
import numpy as np

from keras_sagan.arguments import check_has
from keras_sagan.arguments import check_integer

# Of the steps that new networks are trained for.
_SHARE_OF_STEPS = 5


def check_arguments(model, resolution, base_channels, channels):
    """Returns the resolution and channels of the model to fine-tune.

    Raises:
        ValueError: If others are asked for.
    """
    check_has("from_model", model, "a `SAGAN`", "with_classes")
    own = {
        "resolution": model.resolution,
        "base_channels": None,
        "channels": model.image_shape[-1],
    }
    given = (resolution, base_channels, channels)
    for (name, value), asked in zip(own.items(), given):
        if asked not in (None, value):
            raise ValueError(
                f"`{name}` must be None where a model is fine-tuned, because "
                f"its networks are taken. Received: {name}={asked}"
            )
    return own["resolution"], own["channels"]


def recipe(recipe, before, model, freeze_discriminator):
    """Returns a recipe for fine-tuning, or the one given for new networks.

    Args:
        recipe: That of `choose_recipe`.
        before: The settings of the run, which is begun perhaps.
        model: The `SAGAN` to start from, or None.
        freeze_discriminator: Non-negative integer.
    """
    if model is None and "from_model" not in before:
        check_integer("freeze_discriminator", freeze_discriminator, 0, 0)
        return recipe
    if model is None:  # The run goes on, and its checkpoints have it all.
        start = {
            name: before[name]
            for name in ("from_model", "freeze_discriminator")
        }
    else:
        check_integer("freeze_discriminator", freeze_discriminator, 0)
        start = {
            "from_model": _digest(model),
            "freeze_discriminator": freeze_discriminator,
        }
    names = ("resolution", "num_classes", "channels")
    network = {k: v for k, v in recipe["generator"].items() if k in names}
    return {
        **recipe,
        "generator": network,
        "discriminator": network,
        "model": {**recipe["model"], "ema_start_step": 0},
        "steps": recipe["steps"] // _SHARE_OF_STEPS,
        **start,
    }


def new_model(model, recipe, seed, names_before, names):
    """Returns the model to train: another one's, with other classes."""
    from_classes = None
    if names is not None and model.num_classes is not None:
        known = list(names_before or ())
        from_classes = [
            known.index(name) if name in known else None for name in names
        ]
    new = model.with_classes(
        names,
        from_classes,
        recipe["freeze_discriminator"],
        seed=seed,
        **recipe["model"],
    )
    new.compile(
        keras.optimizers.Adam(**recipe["generator_optimizer"]),
        keras.optimizers.Adam(**recipe["discriminator_optimizer"]),
    )
    return new


def _digest(model):
    """Returns a short text that differs for other weights."""
    model.sync_variables()
    digest = hashlib.sha256()
    for variable in model.ema_generator.variables:
        value = keras.ops.convert_to_numpy(variable)
        digest.update(np.ascontiguousarray(value))
    return digest.hexdigest()[:16]
