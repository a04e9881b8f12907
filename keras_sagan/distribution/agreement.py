"""Checks that all processes were asked to do the same.

Processes that train together with different settings train a model that none
of them asked for, or wait for each other forever.
"""

import hashlib
import json
import secrets

import numpy as np

from keras_sagan import backends

_BYTES = 64  # Number of bytes that are exchanged for each fact.


def check_agreement(**facts):
    """Raises an error, in all processes, unless they give the same facts.

    Args:
        **facts: Values that must be the same and can be written as JSON, with
            names such as `batch_size`. All processes give the same names.

    Raises:
        ValueError: If a process gives another value than the first one.
    """
    _, processes = backends.process()
    if processes == 1:
        return
    lines = [_line(value) for value in facts.values()]
    # (processes, facts), with the first process in row 0.
    every = backends.gather(np.array(lines, f"S{_BYTES}"))
    for name, stated in zip(facts, every.T):
        values = [value.decode("ascii") for value in stated]
        others = [i for i in range(processes) if values[i] != values[0]]
        if others:
            shown = [0, *others[:3]]
            raise ValueError(
                f"`{name}` must be the same in all processes that train "
                "together. Received: "
                + ", ".join(f"{values[i]} in process {i}" for i in shown)
                + (f", and {len(others) - 3} more" if others[3:] else "")
            )


def check_same_folder(name, path):
    """Raises an error, in all processes, unless they see the same folder.

    Args:
        name: Name of the argument for the folder.
        path: The folder, a `pathlib.Path`.

    Raises:
        ValueError: If a process does not see a file that the first one writes.
    """
    process, processes = backends.process()
    if processes == 1:
        return
    # The first process writes a file with this random name for the others.
    word = int(backends.gather(secrets.randbits(62))[0])
    file = path / f".seen_by_all_{word:x}"
    if process == 0:
        file.touch()
    backends.gather(0)  # Wait until the file is there.
    seen = backends.gather(file.exists())
    if process == 0:
        file.unlink()
    if not seen.all():
        raise ValueError(
            f"`{name}` must be a folder that all processes see. Received: "
            f"{name}={path}, and a file that process 0 wrote there is not "
            f"seen by processes {np.flatnonzero(~seen).tolist()}"
        )


def kind_and_length(value):
    """Returns the type of data, and its length, or None if it has none."""
    try:
        length = None if isinstance(value, str) else len(value)
    except TypeError:  # An endless dataset.
        length = None
    return [type(value).__name__, length]


def _line(value):
    """Returns the bytes to exchange: a value, or its digest if it is long."""
    text = json.dumps(value, sort_keys=True, default=_name)
    if len(text) < _BYTES:
        return text.encode("ascii")
    digest = hashlib.sha256(text.encode("ascii")).hexdigest()
    return f"a value with the digest {digest[:12]}".encode("ascii")


def _name(value):
    """Returns the name of a type, because addresses of objects differ."""
    if isinstance(value, np.generic):
        return value.item()
    return type(value).__name__
