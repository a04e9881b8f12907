"""Makes a `SAGAN` from a recipe or a folder, and writes such a folder."""

import keras

from keras_sagan import losses
from keras_sagan.arguments import check_bool
from keras_sagan.backends.precision import dtype_policy
from keras_sagan.models import checks
from keras_sagan.models import shipped
from keras_sagan.models.discriminator import build_discriminator
from keras_sagan.models.generator import build_generator
from keras_sagan.models.presets import get_preset


def from_preset(cls, name, precision=None, weights=False, **overrides):
    """Builds the `SAGAN` of a recipe, or loads one that was shared.

    A preset of `list_presets()` is a recipe: its networks are new unless
    `weights` is True. A folder or a repository contains a trained model.

    Args:
        cls: `SAGAN`, or a subclass.
        name: One of `keras_sagan.list_presets()`, or a dict as returned by
            `keras_sagan.get_preset`, with any changes; a folder that
            `save_to_preset` wrote (`"./digits"` if a recipe has the same
            name), or a `.keras` file; or `"hf://owner/name"`, with or without
            `@revision`, on the Hugging Face Hub. Code in a file is never run.
        precision: For a recipe, `"float32"`, `"mixed_bfloat16"`, or, for GPUs
            without bfloat16, `"mixed_float16"`. Convolutions and products are
            computed in that type. The weights, spectral norms, batch
            statistics, softmax, images, logits and losses stay in float32. If
            `None`, defaults to the global dtype policy.
        weights: For a preset of `list_weights()`, whether to load the trained
            weights that come with the package. They are the weights of the
            discriminator and of the EMA generator, which both generators
            get. No download is needed.
        **overrides: For a recipe, arguments of `SAGAN` that replace those of
            the preset.

    Returns:
        A `SAGAN`. If it is from a recipe, it is compiled. If it was saved, it
        is compiled if it was when it was saved.

    Raises:
        ValueError: If there is no such preset, folder or precision, or if
            `weights` is True and the preset has none.
        ImportError: If `hf://` is used and huggingface_hub is not installed.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> model.resolution
    16
    """
    # Late, and upwards: Keras' users look for this method on the class.
    from keras_sagan.hub import folders

    check_bool("weights", weights)
    if folders.is_place(name):
        return folders.load_shared(cls, name, precision, overrides)
    preset = name if isinstance(name, dict) else get_preset(name)
    checks.check_precision(precision)
    if weights:
        shipped.check_has_weights(name)
    with dtype_policy(precision):
        model = cls(
            build_generator(**preset["generator"]),
            build_discriminator(**preset["discriminator"]),
            **{**preset["model"], **overrides},
        )
    penalties = preset.get("gradient_penalty", {}).items()
    model.compile(
        keras.optimizers.Adam(**preset["generator_optimizer"]),
        keras.optimizers.Adam(**preset["discriminator_optimizer"]),
        loss=preset.get("loss", "hinge"),
        gradient_penalty=[getattr(losses, k)(**v) for k, v in penalties],
    )
    if weights:
        shipped.load_weights(model, name)
    return model


def save_to_preset(
    model,
    folder,
    class_names=None,
    data=None,
    recipe=None,
    metrics=None,
    license=None,
):
    """Writes a folder to share, with the model and a description of it.

    The folder contains `model.keras`, the whole model; `config.json`;
    `classes.json`; `README.md`, a model card that the Hugging Face Hub shows,
    with the information given here and that of the model itself; and
    `samples.png`, eight images of each of up to eight classes, from seed 0.
    `keras_sagan.upload_preset` uploads the folder, and `from_preset` loads it.

    Args:
        model: The `SAGAN`.
        folder: A new or empty folder.
        class_names: A string for each class, or None.
        data: A sentence that says what the model was trained on, or None.
        recipe: String with information that the model does not have, such as
            the batch size, the augmentation or the name of a preset, or None.
        metrics: Dict of numbers, and of the `"protocol"` by which they were
            measured, or None.
        license: Identifier of a license such as `"apache-2.0"`, or None.

    Raises:
        FileExistsError: If there are files in the folder.
        ValueError: If `class_names`, `metrics` or `license` is not valid.
        ImportError: If Pillow is not installed.

    Example:
        model.save_to_preset("shared", license="apache-2.0")
        model = keras_sagan.SAGAN.from_preset("shared")
    """
    # Late, and upwards: Keras' users look for this method on the class.
    from keras_sagan.hub import folders

    model.sync_variables()
    statements = {"data": data, "recipe": recipe, "metrics": metrics}
    statements["license"] = license
    folders.save(model, folder, class_names, statements)
