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


def check(model, name):
    """Compares a model with the images and logits in the file of its weights.

    Returns:
        The largest difference of an image, out of 255, and of its logit.
    """
    with np.load(weights_path(name), allow_pickle=False) as arrays:
        images, logits = arrays["images"], arrays["logits"]
    levels = np.abs(_some_images(model).astype(int) - images).max()
    return int(levels), float(np.abs(_logits(model, images) - logits).max())


def save_weights(model, name, about):
    """Writes the weights of a preset into the package.

    They are written in float16, except those of the generator if an image
    would then differ from the model's by more than 1 of 255.

    Args:
        model: A `SAGAN` with the networks of the preset.
        name: Name of the preset.
        about: The dict of `describe_weights`, without `steps_trained` and
            `sha256`.

    Returns:
        The path of the file.

    Raises:
        ValueError: If a value does not fit float16. Then nothing is written.
    """
    arrays = {
        **_arrays(model.ema_generator, "generator", "float16"),
        **_arrays(model.discriminator, "discriminator", "float16"),
    }
    exact = _arrays(model.ema_generator, "generator", "float32")
    images = _some_images(model)
    _assign(model.ema_generator, arrays, "generator")
    levels = np.abs(_some_images(model).astype(int) - images).max()
    _assign(model.ema_generator, exact, "generator")
    if levels > 1:
        arrays |= exact
    kept = _arrays(model.discriminator, "discriminator", "float32")
    _assign(model.discriminator, arrays, "discriminator")
    arrays |= {"images": images, "logits": _logits(model, images)}
    _assign(model.discriminator, kept, "discriminator")
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


def _arrays(network, name, dtype):
    """Returns the values of a network's variables, by name."""
    arrays = {}
    for i, variable in enumerate(network.variables):
        value = ops.convert_to_numpy(variable).astype(dtype)
        if not np.isfinite(value).all():
            raise ValueError(
                f"`model` must have values that fit {dtype}. "
                f"Received: {variable.path}"
            )
        arrays[f"{name}_{i:03d}"] = value
    return arrays


def _some_images(model):
    """Returns a hundred images of all classes, always from the same seed."""
    return model.generate(_labels(model), num_images=100, seed=0)


def _labels(model):
    n = model.num_classes
    return None if n is None else (np.arange(100) % n).astype("int32")


def _logits(model, images):
    """Returns the discriminator's logits of these images."""
    inputs = images.astype("float32") / 127.5 - 1.0
    if model.num_classes is not None:
        inputs = [inputs, _labels(model)]
    return ops.convert_to_numpy(model.discriminator(inputs, training=False))


def _assign(network, arrays, name):
    values = [
        arrays[f"{name}_{i:03d}"].astype("float32")
        for i in range(len(network.variables))
    ]
    assign(network.variables, values)
