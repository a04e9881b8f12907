"""The model that a verb is given, and its classes by name."""

import json
import zipfile

from absl import flags


def find_model(name):
    """Returns the `.keras` file of a path: itself, or a folder's model.

    A run that has not ended has checkpoints instead: the last one. What
    `hf://owner/name` names is fetched first.
    """
    from keras_sagan.hub.folders import local_path

    path = local_path(name)
    if path.is_dir():
        checkpoints = path.glob("checkpoints/step_*.keras")
        last = max(checkpoints, key=lambda x: (len(x.stem), x), default=None)
        path = path / "model.keras"
        path = path if path.exists() or last is None else last
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {name}")
    if not path.is_file() or path.suffix != ".keras":
        raise ValueError(
            "MODEL must be a .keras file, a folder with model.keras or "
            f"checkpoints, or hf://owner/name. Received: {name}"
        )
    return path


def folder_of(path):
    """Returns where what belongs to a model lies: its run's folder."""
    folder = path.parent
    return folder.parent if folder.name == "checkpoints" else folder


def load_model(name):
    """Returns a SAGAN, and the names of its classes or None."""
    import keras

    import keras_sagan

    path = find_model(name)
    try:
        model = keras.saving.load_model(path)
    except (
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
        zipfile.BadZipFile,
    ) as error:
        message = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be loaded: {message}") from error
    if not isinstance(model, keras_sagan.SAGAN):
        raise ValueError(
            "MODEL must be a .keras file that `SAGAN.save` wrote. "
            f"Received: {path} with a {type(model).__name__}"
        )
    return model, class_names(path, model.num_classes)


def class_names(path, num_classes):
    """Returns the names in `classes.json` beside a model, or None."""
    file = folder_of(path) / "classes.json"
    if num_classes is None or not file.exists():
        return None
    names = json.loads(file.read_text())
    if not isinstance(names, list) or len(names) != num_classes:
        raise ValueError(
            f"{file} must be a list of {num_classes} names, one for each class "
            "of the model"
        )
    return [str(name) for name in names]


def parse_classes(texts, names, num_classes):
    """Returns the classes that a user named, or numbered, as integers.

    Args:
        texts: Strings, or None.
        names: Strings, the names of all classes, or None.
        num_classes: Positive integer, or None for a model without classes.

    Returns:
        A list of integers, or None if there are no classes or no texts.
    """
    if not texts:
        return None
    if num_classes is None:
        raise flags.Error("--classes: this model has no classes")
    classes = []
    for text in texts:
        if names and text in names:
            classes.append(names.index(text))
        elif text.isdecimal() and int(text) < num_classes:
            classes.append(int(text))
        else:
            known = f"from 0 to {num_classes - 1}"
            if names:
                known += f", or a name such as {names[0]!r}"
            raise flags.Error(
                f"--classes: {text!r} is no class; one is {known}"
            )
    return classes


def parse_numbers(flag, texts, kind):
    """Returns the numbers of a list flag, each of a kind: int or float."""
    try:
        return [kind(text) for text in texts]
    except ValueError as error:
        what = "integers" if kind is int else "numbers"
        raise flags.Error(
            f"--{flag}: must be {what}, not {','.join(texts)}"
        ) from error
