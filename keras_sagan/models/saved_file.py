"""What is in a saved model, read without building or loading it."""

import io
import json
import zipfile

from keras_sagan.models.presets import PRESETS

_CONFIG, _METADATA, _WEIGHTS = (
    "config.json",
    "metadata.json",
    "model.weights.h5",
)
_NETWORKS = ("generator", "discriminator")


def describe_file(path):
    """Reads what a `.keras` file of a `SAGAN` holds, from its headers alone.

    No network is built and no weight is loaded but the gammas: a file of a
    gigabyte takes as long as a small one.

    Args:
        path: File that `SAGAN.save` wrote.

    Returns:
        A dict: `resolution`, `num_classes` (None without classes),
        `latent_dim`, `parameters` (trainable ones, by network), `presets`
        (recipes with networks of these numbers), `steps_trained`, `attention`
        (dicts with `network`, `layer`, `size` of the map and `gamma`),
        `saved` and `keras_version`.

    Raises:
        ValueError: If the file is none of a `SAGAN`.

    Example:
    >>> keras_sagan.SAGAN.from_preset("digits").save("digits.keras")
    >>> about = keras_sagan.models.describe_file("digits.keras")
    >>> about["resolution"], about["parameters"]["generator"]
    (16, 300228)
    """
    # As Keras needs it to load: not at the top, for a quick import.
    import h5py

    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            model = json.loads(archive.read(_CONFIG))
            metadata = json.loads(archive.read(_METADATA))
            member = archive.getinfo(_WEIGHTS)
            if model["registered_name"] != "keras_sagan>SAGAN":
                raise KeyError("registered_name")
            networks = {name: model["config"][name] for name in _NETWORKS}
            with h5py.File(_Part(file, archive, member)) as h5:
                return _describe(networks, h5, metadata)
    except FileNotFoundError:
        raise
    # Damaged files end in whatever the bytes lead zipfile and h5py to.
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise ValueError(
            "`path` must be a .keras file that `SAGAN.save` wrote. "
            f"Received: path={path}"
        ) from error


def _describe(networks, h5, metadata):
    layers = {name: x["config"]["layers"] for name, x in networks.items()}
    inputs = {
        layer["name"]: layer["config"]["batch_shape"]
        for layer in layers["generator"] + layers["discriminator"]
        if layer["class_name"] == "InputLayer"
    }
    classes = [
        layer["config"]["num_classes"]
        for layer in layers["generator"]
        if layer["class_name"] == "ConditionalBatchNorm"
    ]
    parameters = {
        name: sum(map(_count_trainable, h5[name]["layers"].values()))
        for name in _NETWORKS
    }
    counts = tuple(parameters.values())
    return {
        "resolution": inputs["images"][1],
        "num_classes": classes[0] if classes else None,
        "latent_dim": inputs["latents"][1],
        "parameters": parameters,
        "presets": [x for x in PRESETS if PRESETS[x]["parameters"] == counts],
        "steps_trained": int(h5["vars"]["steps_trained"][()]),
        "attention": [
            place
            for name in _NETWORKS
            for place in _attention(name, h5[name]["layers"], layers[name])
        ],
        "saved": metadata["date_saved"],
        "keras_version": metadata["keras_version"],
    }


def _count_trainable(group):
    """Numbers in the trainable variables of a layer, as Keras stores it.

    A group has the variables of its own, by their order, and a group for each
    layer inside.
    """
    if "layer" in group:  # Spectral normalization: its kernel is the layer's.
        return _count_trainable(group["layer"])
    own = [group["vars"][i].size for i in sorted(group["vars"], key=int)]
    if "batch_norm" in group.name.rpartition("/")[-1]:
        own = own[:-2]  # The moving moments come last.
    inside = [group[name] for name in group if name != "vars"]
    return sum(own) + sum(map(_count_trainable, inside))


def _attention(network, groups, layers):
    layers = [x for x in layers if x["class_name"] == "SelfAttention2D"]
    for i, layer in enumerate(layers):
        group = groups[f"self_attention2d_{i}" if i else "self_attention2d"]
        yield {
            "network": network,
            "layer": layer["name"],
            "size": layer["build_config"]["input_shape"][1],
            "gamma": float(group["vars"]["0"][()]),
        }


class _Part(io.RawIOBase):
    """A member of a zip archive, stored as it is, as a file to seek in.

    `zipfile` reads all that it passes over.
    """

    def __init__(self, file, archive, member):
        super().__init__()
        self._file, self._start = file, 0
        if member.compress_type != zipfile.ZIP_STORED:
            self._file = io.BytesIO(archive.read(member))
        else:
            file.seek(member.header_offset + 26)
            lengths = file.read(4)  # Of the name, and of what follows it.
            self._start = member.header_offset + 30
            self._start += int.from_bytes(lengths[:2], "little")
            self._start += int.from_bytes(lengths[2:], "little")
        self._size = member.file_size
        self.seek(0)

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        origin = {
            io.SEEK_SET: self._start,
            io.SEEK_CUR: self._file.tell(),
            io.SEEK_END: self._start + self._size,
        }
        return self._file.seek(origin[whence] + offset) - self._start

    def readinto(self, buffer):
        left = self._start + self._size - self._file.tell()
        data = self._file.read(max(0, min(len(buffer), left)))
        buffer[: len(data)] = data
        return len(data)
