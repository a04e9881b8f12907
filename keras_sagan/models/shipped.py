"""Weights that come with the package, for some of the presets."""

import hashlib
import json

import numpy as np
from keras import ops

from keras_sagan.arguments import check_choice
from keras_sagan.files import replacing
from keras_sagan.files import weights_path
from keras_sagan.files import write_json
from keras_sagan.layers.copies import assign
from keras_sagan.models.presets import PRESETS

# The generator is the averaged one.
_NETWORKS = ("generator", "discriminator")


def list_weights():
    """Returns the names of the presets that come with weights.

    Example:

    >>> set(keras_sagan.list_weights()) <= set(keras_sagan.list_presets())
    True
    """
    return [name for name in PRESETS if weights_path(name).exists()]


def describe_weights(name):
    """Describes the weights that come with a preset.

    Args:
        name: One of `list_weights()`.

    Returns:
        A dict: `class_names`, `steps_trained`, `data`, `metrics` (a dict with
        the `protocol` by which they were measured), `recipe`, `license`, and
        the `sha256` of the file.

    Raises:
        ValueError: If there are no such weights.

    Example:

    >>> about = keras_sagan.describe_weights("digits")
    >>> about["license"], about["class_names"][:3]
    ('apache-2.0', ['0', '1', '2'])
    """
    check_choice("name", name, list_weights())
    return json.loads(weights_path(name).with_suffix(".json").read_text())


def check_has_weights(name):
    """Raises a `ValueError` unless a preset comes with weights."""
    if isinstance(name, str) and name in list_weights():
        return
    shown = name if isinstance(name, str) else "a recipe of your own"
    raise ValueError(
        "`weights` must be False except for presets that come with weights, "
        f"{', '.join(list_weights()) or 'none'}. Weights that other projects "
        "published (StudioGAN, BigGAN-PyTorch, mmgeneration) can be converted: "
        f"`keras-sagan convert --help`. Received: weights=True for {shown}"
    )


def load_weights(model, name):
    """Loads the weights that come with a preset into its `SAGAN`.

    Both of its generators get those of the averaged one.
    """
    with np.load(weights_path(name), allow_pickle=False) as arrays:
        _assign(model.generator, arrays, "generator")
        _assign(model.ema_generator, arrays, "generator")
        _assign(model.discriminator, arrays, "discriminator")
    model.steps_trained.assign(describe_weights(name)["steps_trained"])


def check_images(model, name):
    """Returns the largest difference from the shipped images, out of 255.

    The file contains a few images of the model from which it was made.
    """
    with np.load(weights_path(name), allow_pickle=False) as arrays:
        expected = arrays["images"]
    found = _some_images(model)
    return int(np.abs(found.astype(int) - expected).max())


def save_weights(model, name, about):
    """Writes the weights of a preset into the package, in float16.

    Args:
        model: A `SAGAN` with the networks of the preset.
        name: Name of the preset.
        about: The dict of `describe_weights`, without `steps_trained` and
            `sha256`.

    Returns:
        The path of the file.

    Raises:
        ValueError: If an image of the rounded weights differs from that of the
            model by more than 1 of 255, or if a value does not fit float16.
            Then nothing is written.
    """
    networks = model.ema_generator, model.discriminator
    arrays = {"images": _some_images(model)}
    for network, source in zip(_NETWORKS, networks):
        for i, variable in enumerate(source.variables):
            value = ops.convert_to_numpy(variable).astype("float16")
            if not np.isfinite(value).all():
                raise ValueError(
                    "`model` must have values that fit float16. "
                    f"Received: {variable.path}"
                )
            arrays[f"{network}_{i:03d}"] = value
    # The rounding must not be visible: generate with the rounded weights.
    kept = [ops.convert_to_numpy(v) for v in model.ema_generator.variables]
    _assign(model.ema_generator, arrays, "generator")
    levels = np.abs(_some_images(model).astype(int) - arrays["images"]).max()
    assign(model.ema_generator.variables, kept)
    if levels > 1:
        raise ValueError(
            "`model` must generate the same images with weights in float16, "
            f"within 1 of 255. Received: {levels} of 255"
        )
    path = weights_path(name)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)
    write_json(
        path.with_suffix(".json"),
        {
            **about,
            "steps_trained": model.count_steps(),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        },
    )
    return path


def _some_images(model):
    """Returns a hundred images of all classes, always from the same seed."""
    labels = None
    if model.num_classes is not None:
        labels = np.arange(100) % model.num_classes
    return model.generate(labels, num_images=100, seed=0)


def _assign(network, arrays, name):
    values = [
        arrays[f"{name}_{i:03d}"].astype("float32")
        for i in range(len(network.variables))
    ]
    assign(network.variables, values)
