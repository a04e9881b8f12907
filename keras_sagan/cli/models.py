"""The model that a verb is given, and its classes by name."""

import importlib
import pathlib
import re
import sys

from keras_sagan.cli.parsing import UsageError
from keras_sagan.files import weights_path
from keras_sagan.quiet import import_quietly
from keras_sagan.training.folder import Run


def import_modules(names):
    """Imports modules of the user by their names or the paths of their files.

    Keras can load a model of the user's own classes once these modules have
    registered them. Modules are also found in the current folder.
    """
    for name in names:
        path = pathlib.Path(name)
        if path.suffix == ".py" and not path.is_file():
            raise FileNotFoundError(f"there is no file {name}")
        if path.suffix != ".py" and not all(
            part.isidentifier() for part in name.split(".")
        ):
            raise UsageError(
                "argument --import: must be names of modules, such as "
                f"package.module, or .py files, not {name}"
            )
        folder = path.parent if path.suffix == ".py" else pathlib.Path()
        sys.path.insert(0, str(folder.absolute()))
        try:
            importlib.import_module(path.stem if path.suffix == ".py" else name)
        finally:
            sys.path.pop(0)


def find_model(name):
    """Returns the `.keras` file that a MODEL argument means.

    That is the file itself, the `model.keras` of a folder, or the newest
    checkpoint of a run that has not ended. `hf://owner/name` is downloaded
    first.
    """
    path = pathlib.Path(name)
    if name.startswith("hf://"):
        from keras_sagan.hub.folders import local_path

        path = local_path(name)
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {name}")
    if path.is_dir():
        path = Run(path).latest_model() or path
    if not path.is_file() or path.suffix != ".keras":
        raise ValueError(
            "MODEL must be a .keras file, a folder with model.keras or "
            "checkpoints, a preset with weights, or hf://owner/name. "
            f"Received: {name}"
        )
    return path


def load_model(name):
    """Returns the `SAGAN`, or subclass of it, and its class names or None."""
    if is_shipped(name):
        return _load_shipped(name)
    path = find_model(name)
    import_quietly()
    import keras_sagan

    kind = keras_sagan.SAGAN  # This registers the classes that Keras looks up.
    from keras_sagan.models.loading import load_file

    model = load_file(path)
    if not isinstance(model, kind):
        raise ValueError(
            "MODEL must be a .keras file that `SAGAN.save` wrote. "
            f"Received: {path} with a {type(model).__name__}"
        )
    return model, class_names(path, model.num_classes)


def is_shipped(name):
    """Returns whether MODEL is the name of weights in the package."""
    is_name = re.fullmatch(r"\w+", name) and not pathlib.Path(name).exists()
    return bool(is_name) and weights_path(name).exists()


def _load_shipped(name):
    import_quietly()
    import keras_sagan
    from keras_sagan.models import shipped

    model = keras_sagan.SAGAN.from_preset(name, weights=True)
    return model, shipped.describe_weights(name)["class_names"]


def class_names(path, num_classes):
    """Returns the names in `classes.json` beside a model, or None."""
    run = Run.of(path)
    names = None if num_classes is None else run.class_names()
    if names is not None and len(names) != num_classes:
        raise ValueError(
            f"{run.classes_path} must be a list of {num_classes} names, one "
            f"for each class of the model. Received: {len(names)} names"
        )
    return names


def parse_classes(texts, names, num_classes):
    """Returns the classes that a user gave by number or name, as integers.

    Args:
        texts: Strings, the value of --classes; or None.
        names: Strings, the names of all classes; or None.
        num_classes: Positive integer, or None for a model without classes.

    Returns:
        A list of integers, or None if `texts` is None.
    """
    if not texts:
        return None
    if num_classes is None:
        raise UsageError("argument --classes: this model has no classes")
    classes = []
    for text in texts:
        if names and text in names:
            classes.append(names.index(text))
        elif text.isdecimal() and int(text) < num_classes:
            classes.append(int(text))
        else:
            known = f"a number from 0 to {num_classes - 1}"
            if names:
                known += f", or a name such as {names[0]!r}"
            raise UsageError(f"argument --classes: must be {known}; not {text}")
    return classes
