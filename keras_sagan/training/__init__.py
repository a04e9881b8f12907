"""Training runs that live in a folder, and recipes for them.

The names are imported when they are first used (PEP 562), because `Run` is
also used by programs for which importing Keras would take too long.
"""

import importlib
import typing

if typing.TYPE_CHECKING:  # For editors; `__getattr__` does it at run time.
    from keras_sagan.training.folder import Run
    from keras_sagan.training.on_images import train_on_images
    from keras_sagan.training.recipes import choose_recipe
    from keras_sagan.training.recipes import choose_resolution
    from keras_sagan.training.run import train

__all__ = [
    "Run",
    "choose_recipe",
    "choose_resolution",
    "train",
    "train_on_images",
]
_HOMES = {
    "Run": "folder",
    "choose_recipe": "recipes",
    "choose_resolution": "recipes",
    "train": "run",
    "train_on_images": "on_images",
}


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    globals()[name] = getattr(module, name)
    return globals()[name]
