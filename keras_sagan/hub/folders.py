"""Folders for sharing a model, here or on the Hugging Face Hub."""

import json
import pathlib
import re

from keras_sagan.arguments import check_class_names
from keras_sagan.arguments import check_path
from keras_sagan.files import new_folder
from keras_sagan.hub.model_card import describe
from keras_sagan.hub.model_card import model_card
from keras_sagan.models.loading import load_file
from keras_sagan.models.presets import PRESETS
from keras_sagan.visualization.grids import image_grid

MODEL, CONFIG, CARD = "model.keras", "config.json", "README.md"
CLASSES, SAMPLES = "classes.json", "samples.png"
HUB = "hf://"


def save(model, folder, class_names, statements):
    """Saves a model to a folder; see `SAGAN.save_to_preset`."""
    folder = check_path("folder", folder)
    class_names = check_class_names(class_names, model.num_classes)
    config = describe(model, statements)
    card = model_card(config, class_names)
    with new_folder(folder) as temporary:
        model.save(temporary / MODEL)
        _write(temporary / CARD, card)
        # Values may be NumPy's.
        text = json.dumps(config, indent=2, default=lambda x: x.tolist())
        _write(temporary / CONFIG, text + "\n")
        if class_names is not None:
            _write(temporary / CLASSES, json.dumps(class_names) + "\n")
        _save_samples(model, temporary / SAMPLES)


def is_place(name):
    """Returns whether this names a place, and not a recipe."""
    if isinstance(name, dict) or name in PRESETS:
        return False
    return str(name).startswith(HUB) or pathlib.Path(name).exists()


def load_shared(kind, name, precision=None, overrides=None):
    """Loads a saved model, and runs no code in it; see `SAGAN.from_preset`."""
    if precision is not None or overrides:
        raise ValueError(
            "`precision` and overrides are for recipes: a saved model has its "
            f"own. Received: precision={precision!r}, overrides={overrides}"
        )
    path = local_path(name)
    file = path / MODEL if path.is_dir() else path
    if not file.exists():
        raise ValueError(
            f"`name` must be a folder with a {MODEL}. Received: name={name!r}"
        )
    model = load_file(file)
    if not isinstance(model, kind):
        raise ValueError(
            f"`name` must hold a {kind.__name__}. Received: name={name!r} with "
            f"a {type(model).__name__}"
        )
    return model


def local_path(name):
    """Returns the path of a model; downloads it if it is on the Hub.

    Args:
        name: A path, or `hf://owner/name`, with or without `@revision`.
    """
    if not str(name).startswith(HUB):
        return pathlib.Path(name)
    repository, revision = _parse(name)
    try:
        folder = _hub().snapshot_download(
            repository,
            revision=revision,
            allow_patterns=[MODEL, CONFIG, CLASSES],
        )
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise OSError(
            f"`name` must be a repository that can be read: {reason} "
            f"Received: name={name!r}"
        ) from error
    return pathlib.Path(folder)


def upload_preset(name, folder, private=False):
    """Uploads a folder of `SAGAN.save_to_preset` to the Hugging Face Hub.

    You must be logged in: `hf auth login`, or the variable `HF_TOKEN`.

    Args:
        name: `hf://owner/name`. The repository is created if it does not exist.
        folder: The folder. Only files that `save_to_preset` writes are
            uploaded.
        private: Whether a repository that is created is private.

    Returns:
        The URL of the repository.

    Raises:
        ValueError: If `name` is not such a name.
        FileNotFoundError: If the folder does not hold such a model.
        ImportError: If huggingface_hub is not installed.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits", weights=True)
    >>> model.save_to_preset(
    ...     "digits", data="scikit-learn's digits", license="apache-2.0")
    >>> keras_sagan.upload_preset(  # doctest: +SKIP
    ...     "hf://me/sagan-digits", "digits")
    'https://huggingface.co/me/sagan-digits'
    """
    repository, revision = _parse(name)
    folder = pathlib.Path(folder)
    for file in (MODEL, CONFIG, CARD):
        if not (folder / file).exists():
            raise FileNotFoundError(
                "`folder` must be one that `save_to_preset` wrote. Received: "
                f"folder={folder}, without {file}"
            )
    hub = _hub().HfApi()
    url = hub.create_repo(repository, private=private, exist_ok=True)
    hub.upload_folder(
        repo_id=repository,
        revision=revision,
        folder_path=folder,
        allow_patterns=[MODEL, CONFIG, CARD, CLASSES, SAMPLES],
        commit_message="A SAGAN, from keras_sagan",
    )
    return str(url)


def _write(path, text):
    path.write_text(text, encoding="utf-8")


def _parse(name):
    match = re.fullmatch(r"hf://([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", str(name))
    if not match:
        raise ValueError(
            "`name` must be hf://owner/name or hf://owner/name@revision. "
            f"Received: name={name!r}"
        )
    return match.groups()


def _hub():
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError(
            "Models on the Hugging Face Hub need huggingface_hub: "
            "pip install 'keras_sagan[hub]'"
        ) from error
    return huggingface_hub


def _save_samples(model, path):
    """Saves a grid of eight images per row, with one row per class, up to 8."""
    columns = 8
    rows = min(model.num_classes or 4, 8)
    labels = None
    if model.num_classes is not None:
        labels = [i for i in range(rows) for _ in range(columns)]
    images = model.generate(labels, num_images=rows * columns, seed=0)
    image_grid(images, columns, scale=None, path=path)
