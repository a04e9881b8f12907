"""Finds the file, and the part of it, that holds each network."""

import pathlib
import re

from keras_sagan.tensor_files import read_tensors

SIDES = ("generator", "discriminator", "ema_generator")
# File names in a folder; the first pattern that matches is used.
_FILES = {
    "studiogan": {
        "generator": ("model=G-best-*.pth", "model=G-current-*.pth"),
        "discriminator": ("model=D-best-*.pth", "model=D-current-*.pth"),
        "ema_generator": (
            "model=G_ema-best-*.pth",
            "model=G_ema-current-*.pth",
        ),
    },
    "biggan_pytorch": {
        "generator": ("G.pth", "G_best0.pth", "G_copy0.pth"),
        "discriminator": ("D.pth", "D_best0.pth", "D_copy0.pth"),
        "ema_generator": (
            "G_ema.pth",
            "G_ema_best0.pth",
            "G_ema_copy0.pth",
        ),
    },
}
# Files also hold counters and logs of sigma, which are not weights.
_NOT_WEIGHTS = ("num_batches_tracked", "sv0", "accumulation_counter")


def read_networks(path, layout):
    """Returns the tensors of each network that `path` holds, by side.

    Raises:
        FileNotFoundError, ValueError: As in `read_tensors`, and if there is
            no network of this source.
    """
    path = pathlib.Path(path)
    if path.is_dir() and layout.source in _FILES:
        networks = _read_folder(path, layout.source)
    else:
        networks = _split(read_tensors(path), layout, path.name)
    networks = {
        side: {
            name: x
            for name, x in tensors.items()
            if not name.endswith(_NOT_WEIGHTS)
        }
        for side, tensors in networks.items()
        if tensors
    }
    if not networks:
        raise ValueError(
            f"`path` must hold a network of source={layout.source!r}. "
            f"Received: path={path}, without a tensor of such a name"
        )
    return networks


def _read_folder(path, source):
    networks = {}
    for side, patterns in _FILES[source].items():
        for pattern in patterns:
            found = sorted(path.glob(pattern), key=_numbers_in_name)
            if found:
                networks[side] = _weights(read_tensors(found[-1]))
                break
    if not networks:
        patterns = ", ".join(
            p for side in _FILES[source].values() for p in side
        )
        raise FileNotFoundError(
            f"`path` must be a file, or a folder with one of {patterns}. "
            f"Received: path={path}"
        )
    return networks


def _numbers_in_name(path):
    """Returns what to sort files by, so that step 1000 comes after step 900."""
    return [int(x) for x in re.findall(r"\d+", path.name)], path.name


def _split(tensors, layout, file_name):
    """Returns the tensors of a file by network, without its prefix."""
    if layout.source == "released":
        return {
            side: {
                name: x
                for name, x in tensors.items()
                if name.startswith(f"model/{side[0]}_") and "/Adam" not in name
            }
            for side in ("generator", "discriminator")
        }
    tensors = _weights(tensors)
    prefixes = ("generator.", "discriminator.", "generator_ema.")
    if any(name.startswith(prefixes) for name in tensors):
        return {
            side: _under(prefix, tensors)
            for side, prefix in zip(SIDES, prefixes)
        }
    # A single network is recognized by its first or last layer.
    first = layout.names["generator_rgb"]
    last = layout.names["discriminator_embedding"]
    if any(name.startswith(f"{first}.") for name in tensors):
        is_ema = "ema" in file_name.lower()
        return {"ema_generator" if is_ema else "generator": tensors}
    if any(name.startswith(f"{last}.") for name in tensors):
        return {"discriminator": tensors}
    return {}


def _weights(tensors):
    """Returns the state dict of a file, without the optimizer's state."""
    if any(name.startswith("state_dict.") for name in tensors):
        tensors = _under("state_dict.", tensors)
    return {name.removeprefix("module."): x for name, x in tensors.items()}


def _under(prefix, tensors):
    return {
        name.removeprefix(prefix): x
        for name, x in tensors.items()
        if name.startswith(prefix)
    }
