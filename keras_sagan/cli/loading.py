"""The model that a verb is given."""

import pathlib

from absl import flags


def load(model):
    """Loads a SAGAN from what a user may call one.

    Args:
        model: A `.keras` file, or a folder or `hf://owner/name` that
            `SAGAN.save_to_preset` wrote.
    """
    import keras_sagan

    if model in keras_sagan.list_presets():
        raise flags.Error(
            f"{model} is a recipe and has no weights: give a .keras file, a "
            "folder or hf://owner/name"
        )
    if not model.startswith("hf://") and not pathlib.Path(model).exists():
        raise FileNotFoundError(f"no such file or folder: {model}")
    return keras_sagan.SAGAN.from_preset(model)
