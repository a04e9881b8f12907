"""Making a `SAGAN` from a recipe or a folder, and writing such a folder."""

import keras

from keras_sagan.arguments import check_bool
from keras_sagan.backends.precision import dtype_policy
from keras_sagan.models import checks
from keras_sagan.models import shipped
from keras_sagan.models.discriminator import build_discriminator
from keras_sagan.models.generator import build_generator
from keras_sagan.models.presets import get_preset


def from_preset(cls, name, precision=None, weights=False, **overrides):
    """Builds the SAGAN of a recipe, or loads one that was shared.

    A preset of `list_presets()` is a recipe: its networks are new, unless
    `weights` are asked for. A folder and a repository hold a trained model.

    Args:
        cls: `SAGAN`, or a subclass.
        name: One of `keras_sagan.list_presets()`, or a dict such as
            `keras_sagan.get_preset` returns, changed at will; a folder that
            `save_to_preset` wrote (`"./digits"` if its name is also that of a
            recipe), or a `.keras` file; or `"hf://owner/name"`, with
            `@revision` or without, on the Hugging Face Hub. No code that a
            file may hold is run.
        precision: For a recipe, `"float32"`, `"mixed_bfloat16"`, or, for GPUs
            without bfloat16, `"mixed_float16"`: convolutions and products in
            that type, while the weights, spectral norms, batch statistics,
            softmax, images, logits and losses stay in float32. None: the
            global dtype policy.
        weights: For a preset of `list_weights()`, whether to give it the
            trained weights that come with the package: both networks, and the
            averaged generator for both generators. They are at hand without a
            network.
        **overrides: For a recipe, arguments of `SAGAN` in the place of the
            preset's.

    Returns:
        A `SAGAN`. One of a recipe is compiled; one that was saved is compiled
        if it was saved so.

    Raises:
        ValueError: If there is no such preset, folder or precision, or if the
            preset comes without weights and they are asked for.
        ImportError: If huggingface_hub is missing for `hf://`.

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
    model.compile(
        keras.optimizers.Adam(**preset["generator_optimizer"]),
        keras.optimizers.Adam(**preset["discriminator_optimizer"]),
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
    """Writes a folder for others: the model, and what is known of it.

    `model.keras`, the whole model; `config.json`; `classes.json`; a model
    card, `README.md`, as the Hugging Face Hub shows it, with what is given
    here and what the model knows of itself; `samples.png`, eight images of
    each of up to eight classes, from seed 0. `keras_sagan.upload_preset`
    uploads the folder, and `from_preset` loads it.

    Args:
        model: The `SAGAN`.
        folder: A new or empty folder.
        class_names: A string for each class, or None.
        data: A sentence that says what the model was trained on, or None.
        recipe: What the model does not know, such as the batch size, the
            augmentation or the name of a preset; a string or None.
        metrics: Dict of numbers and of the `"protocol"` by which they were
            measured, or None.
        license: Identifier such as `"apache-2.0"`, or None.

    Raises:
        FileExistsError: If there are files in the folder.
        ValueError: If `class_names`, `metrics` or `license` does not fit.
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
