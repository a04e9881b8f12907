"""Describes a saved model from its headers, or by loading it."""

import json
import math
import zipfile

from keras import ops

from keras_sagan import sizes
from keras_sagan.layers.nested import layers_with
from keras_sagan.models.loading import WEIGHTS
from keras_sagan.models.loading import Part
from keras_sagan.models.loading import check_members
from keras_sagan.models.loading import explained
from keras_sagan.models.loading import load_file
from keras_sagan.models.presets import PRESETS

_CONFIG, _METADATA = "config.json", "metadata.json"
_NETWORKS = ("generator", "discriminator")
# Keras' layers that the builders use; they have no parameters to count.
_PLAIN_LAYERS = ("InputLayer", "ReLU", "Add", "AveragePooling2D", "Reshape")


def describe_file(path):
    """Describes a `.keras` file of a `SAGAN` or a subclass of it.

    For networks of `build_generator` and `build_discriminator`, only the
    headers are read: no network is built, and the gammas are the only weights
    that are loaded. Other models are loaded. All checksums are checked.

    Args:
        path: File that `SAGAN.save` wrote.

    Returns:
        A dict: `image_shape` (height, width, channels), `num_classes` (None
        without classes), `latent_dim`, `parameters` (the number of trainable
        ones of each network), `presets` (recipes whose networks have these
        numbers), `steps_trained`, `attention` (dicts with `network`, `layer`,
        `size` of the map, which is its side or a pair, and `gamma`), `saved`
        and `keras_version`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file does not hold a `SAGAN`.

    Example:

    >>> keras_sagan.SAGAN.from_preset("digits").save("digits.keras")
    >>> about = keras_sagan.models.describe_file("digits.keras")
    >>> about["image_shape"], about["parameters"]["generator"]
    ((16, 16, 3), 300228)
    """
    with explained(path):
        with zipfile.ZipFile(path) as archive:
            check_members(archive, path)
            config = json.loads(archive.read(_CONFIG))
            metadata = json.loads(archive.read(_METADATA))
        about = _from_headers(path, config) or describe_model(
            load_file(path, compile=False)
        )
        counts = tuple(about["parameters"].values())
        return {
            **about,
            "presets": [
                x for x in PRESETS if PRESETS[x]["parameters"] == counts
            ],
            "saved": metadata["date_saved"],
            "keras_version": metadata["keras_version"],
        }


def read_step(path):
    """Returns the number of steps that a model in a `.keras` file was trained.

    Args:
        path: File that `SAGAN.save` wrote. All of its checksums are checked,
            but the model is not loaded.

    Raises:
        ValueError: If the file is damaged, or holds something else.
    """
    import h5py

    with (
        explained(path),
        open(path, "rb") as file,
        zipfile.ZipFile(file) as archive,
    ):
        check_members(archive, path)
        part = Part(file, archive, archive.getinfo(WEIGHTS))
        with h5py.File(part) as h5:
            return int(h5["vars"]["steps_trained"][()])


def describe_model(model):
    """Describes a loaded model, as in `describe_file`.

    Raises:
        AttributeError: If it is not a `SAGAN`.
    """
    networks = {name: getattr(model, name) for name in _NETWORKS}
    return {
        "image_shape": tuple(model.image_shape),
        "num_classes": model.num_classes,
        "latent_dim": model.latent_dim,
        "parameters": {
            name: sum(math.prod(v.shape) for v in network.trainable_variables)
            for name, network in networks.items()
        },
        "steps_trained": model.count_steps(),
        "attention": [
            {
                "network": name,
                "layer": layer.name,
                "size": sizes.plain(*layer.map_size),
                "gamma": float(ops.convert_to_numpy(layer.gamma)),
            }
            for name, network in networks.items()
            for layer in layers_with(network, "map_size", "gamma", "logs()")
        ],
    }


def _from_headers(path, config):
    """Describes a file by its headers; None if the networks are not ours."""
    # Keras needs it to load a model. It is imported here for a quick start.
    import h5py

    if config.get("registered_name") != "keras_sagan>SAGAN":
        return None
    networks = {name: config["config"][name] for name in _NETWORKS}
    if not all(map(_is_built_here, networks.values())):
        return None
    layers = {name: x["config"]["layers"] for name, x in networks.items()}
    shapes = {
        layer["name"]: layer["config"]["batch_shape"]
        for layer in layers["generator"] + layers["discriminator"]
        if layer["class_name"] == "InputLayer"
    }
    with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
        part = Part(file, archive, archive.getinfo(WEIGHTS))
        with h5py.File(part) as h5:
            groups = {name: h5[name]["layers"] for name in _NETWORKS}
            return {
                "image_shape": tuple(shapes["images"][1:]),
                "num_classes": config["config"]["num_classes"],
                "latent_dim": config["config"]["latent_dim"],
                "parameters": {
                    name: sum(map(_count_trainable, groups[name].values()))
                    for name in _NETWORKS
                },
                "steps_trained": int(h5["vars"]["steps_trained"][()]),
                "attention": [
                    place
                    for name in _NETWORKS
                    for place in _attention(name, groups[name], layers[name])
                ],
            }


def _is_built_here(network):
    """Returns whether a network's config looks like that of our builders."""
    if network["class_name"] != "Functional":
        return False
    return network["config"]["trainable"] and all(
        (
            str(layer["registered_name"]).startswith("keras_sagan>")
            or layer["class_name"] in _PLAIN_LAYERS
        )
        and layer["config"].get("trainable", True)
        for layer in network["config"]["layers"]
    )


def _count_trainable(group):
    """Counts the trainable parameters of a layer, as Keras stores it.

    A group has the layer's own variables in order, and a group for each layer
    inside.
    """
    if "layer" in group:  # Spectral normalization uses the layer's kernel.
        return _count_trainable(group["layer"])
    own = [group["vars"][i].size for i in sorted(group["vars"], key=int)]
    if "batch_norm" in group.name.rpartition("/")[-1]:
        own = own[:-2]  # The moving statistics come last.
    inside = [group[name] for name in group if name != "vars"]
    return sum(own) + sum(map(_count_trainable, inside))


def _attention(network, groups, layers):
    layers = [x for x in layers if x["class_name"] == "SelfAttention2D"]
    for i, layer in enumerate(layers):
        group = groups[f"self_attention2d_{i}" if i else "self_attention2d"]
        yield {
            "network": network,
            "layer": layer["name"],
            "size": sizes.plain(*layer["build_config"]["input_shape"][1:3]),
            "gamma": float(group["vars"]["0"][()]),
        }
