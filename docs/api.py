"""Writes a page for each public name, and one for the commands."""

import contextlib
import importlib
import inspect
import io
import pathlib
import textwrap

from keras_sagan import cli

# Rooms of the package, in the order in which the site lists them.
ROOMS = {
    "keras_sagan": "The model, training, presets",
    "keras_sagan.layers": "Layers",
    "keras_sagan.losses": "Losses and gradient penalties",
    "keras_sagan.models": "Networks and files",
    "keras_sagan.data": "Images",
    "keras_sagan.training": "Runs",
    "keras_sagan.callbacks": "Callbacks",
    "keras_sagan.metrics": "Metrics",
    "keras_sagan.visualization": "Pictures",
    "keras_sagan.convert": "Weights of other implementations",
    "keras_sagan.export": "Export",
    "keras_sagan.hub": "Sharing",
    "keras_sagan.app": "The page that Python serves",
    "keras_sagan.distribution": "Several devices",
}


def public_names(room):
    """Yields the public names of a room, without those that are modules."""
    module = importlib.import_module(room)
    for name in module.__all__:
        value = getattr(module, name)
        if not inspect.ismodule(value) and not name.startswith("__"):
            yield name, value


def write_pages(folder):
    """Writes an index, a page for each room, each name, and the commands."""
    folder = pathlib.Path(folder)
    pages = {"index.rst": _index(), "commands.rst": _commands()}
    for room, title in ROOMS.items():
        pages[f"{room}.rst"] = _room(room, title)
        for name, value in public_names(room):
            pages[f"{room}.{name}.rst"] = _name(room, name, value)
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.rst"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def _heading(text):
    return f"{text}\n{'=' * len(text)}\n\n"


def _tree(entries, depth=1):
    lines = ["", ".. toctree::", f"   :maxdepth: {depth}", ""]
    return "\n".join([*lines, *(f"   {x}" for x in entries), ""])


def _index():
    return (
        _heading("API reference")
        + "Every public name, by the part of the package that it belongs to.\n"
        + _tree(ROOMS)
    )


def _commands():
    parts = [
        _heading("Commands"),
        "The package installs the program ``keras-sagan``. Where a command "
        "takes a MODEL, this is a ``.keras`` file, the folder of a run, the "
        "name of a preset that has weights, such as ``digits``, or a model on "
        "the Hugging Face Hub, ``hf://owner/name``.\n\n",
    ]
    for verb in cli.VERBS:
        title = f"keras-sagan {verb}"
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            cli.main([verb, "--help"])
        text = textwrap.indent(shown.getvalue(), "   ")
        parts.append(f"{title}\n{'-' * len(title)}\n\n")
        parts.append(f".. code-block:: text\n\n{text}\n")
    return "".join(parts)


def _room(room, title):
    entries = [f"{name} <{room}.{name}>" for name, _ in public_names(room)]
    text = f".. automodule:: {room}\n   :no-members:\n\n"
    return _heading(f"{title} ({room})") + text + _tree(entries)


def _name(room, name, value):
    directive = "autofunction"
    options = ""
    if inspect.isclass(value):
        directive, options = "autoclass", "   :members:\n"
    elif not callable(value):
        directive = "autodata"
    return _heading(name) + f".. {directive}:: {room}.{name}\n{options}"
