"""Training on images that starts from a trained model."""

import hashlib

import keras
import numpy as np

from keras_sagan import sizes
from keras_sagan.arguments import check_has
from keras_sagan.arguments import check_integer

# Fine-tuning takes this fraction, one fifth, of the steps of new networks.
_SHARE_OF_STEPS = 5


def check_arguments(model, resolution, base_channels, channels):
    """Returns the resolution and channels of the model to fine-tune.

    Raises:
        ValueError: If other values are given.
    """
    check_has("from_model", model, "a `SAGAN`", "with_classes")
    own = {
        "resolution": sizes.as_pair(model.resolution),
        "base_channels": None,
        "channels": model.image_shape[-1],
    }
    given = {
        "resolution": resolution and sizes.as_pair(resolution),
        "base_channels": base_channels,
        "channels": channels,
    }
    for name, value in given.items():
        if value not in (None, own[name]):
            raise ValueError(
                f"`{name}` must be that of the model that is fine-tuned, whose "
                f"networks are used, or None. Received: {name}={value}"
            )
    return model.resolution, own["channels"]


def check_no_precision(precision):
    """Raises an error if a precision is given for networks that have one."""
    if precision is not None:
        raise ValueError(
            "`precision` must be None if a model is fine-tuned, whose networks "
            f"keep theirs. Received: precision={precision!r}"
        )


def is_finetuned(settings):
    """Returns whether a run began from a model, according to its settings."""
    return "from_model" in settings


def recipe_from(model, recipe, freeze_discriminator):
    """Returns the recipe that fine-tunes a model.

    Args:
        model: The `SAGAN` to start from.
        recipe: The recipe of `choose_recipe` for the images.
        freeze_discriminator: Non-negative integer, the number of blocks that
            are not trained.
    """
    check_integer("freeze_discriminator", freeze_discriminator, 0)
    names = ("resolution", "num_classes", "channels")
    network = {k: v for k, v in recipe["generator"].items() if k in names}
    # Each discriminator step, and each part of it, has equally many images.
    parts = model.discriminator_steps * model.gradient_accumulation_steps
    return {
        **recipe,
        "generator": network,
        "discriminator": network,
        "model": {**recipe["model"], "ema_start_step": 0},
        "batch_size": max(1, recipe["batch_size"] // parts) * parts,
        "steps": recipe["steps"] // _SHARE_OF_STEPS,
        "from_model": _digest(model),
        "freeze_discriminator": freeze_discriminator,
    }


def recipe_as_begun(recipe, before, base_channels, freeze_discriminator):
    """Returns the recipe of a run that began from a model and goes on.

    Args:
        recipe: The recipe of `choose_recipe` for the images.
        before: The settings of the run.
        base_channels: The value that is given now. It must be None.
        freeze_discriminator: The value that is given now. 0 means that of the
            run; `Run.check_settings` refuses other values.
    """
    if base_channels is not None:
        raise ValueError(
            "`base_channels` must be None for a run that began from a model, "
            f"whose networks are used. Received: base_channels={base_channels}"
        )
    begun = {k: v for k, v in before.items() if k not in ("seed", "steps")}
    return {
        **begun,
        "description": recipe["description"],
        "steps": recipe["steps"] // _SHARE_OF_STEPS,
        "freeze_discriminator": freeze_discriminator
        or before["freeze_discriminator"],
    }


def new_model(model, recipe, seed, names_before, names):
    """Returns the model to train, which is a model with other classes.

    Its loss and options of `compile` are those of the given model, if this is
    compiled.
    """
    if model is None:
        raise ValueError(
            "`from_model` must be given again: the run began from a model and "
            "has no checkpoint yet. Received: from_model=None"
        )
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
    kept = {}
    if new.compiled:
        kept = {"loss": new.loss, "gradient_penalty": new.penalties}
        kept |= new.run_options
    new.compile(
        keras.optimizers.Adam(**recipe["generator_optimizer"]),
        keras.optimizers.Adam(**recipe["discriminator_optimizer"]),
        **kept,
    )
    return new


def _digest(model):
    """Returns a short text that is different for other weights."""
    model.sync_variables()
    digest = hashlib.sha256()
    for variable in model.ema_generator.variables:
        value = keras.ops.convert_to_numpy(variable)
        digest.update(np.ascontiguousarray(value))
    return digest.hexdigest()[:16]
