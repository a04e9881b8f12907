"""A thousand damaged files of each kind that the package reads.

`pytest -m slow tests/fuzz` reads all of them.
"""

import io
import json
import pathlib
import resource
import time

import keras
import numpy as np
import pytest
from PIL import Image

import keras_sagan
from keras_sagan import data
from keras_sagan.data.images import read_image
from keras_sagan.models import describe_file
from keras_sagan.models.loading import load_file
from keras_sagan.models.saved_file import read_step
from keras_sagan.tensor_files import read_tensors
from tests.helpers import tiny_model

pytestmark = [
    pytest.mark.no_backend,
    pytest.mark.usefixtures("any_singular_vector"),
]
COUNT = 300


def damaged(content, rng):
    """Returns a copy of some bytes with a few of them changed."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        kind, at = rng.integers(6), int(rng.integers(len(content)))
        length = int(rng.integers(1, 64))
        if kind == 0:
            content[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            content[at : at + length] = rng.bytes(length)
        elif kind == 2:
            content[at : at + 8] = b"\xff" * 8
        elif kind == 3:
            content[at : at + length] = b""
        elif kind == 4:
            content[at:at] = content[: int(rng.integers(1, 256))]
        else:
            del content[max(1, at) :]
    return bytes(content)


def saved_model(folder):
    tiny_model(compiled=False).save(folder / "x.keras")
    return (folder / "x.keras").read_bytes()


def saved_tensors(folder, **options):
    torch = pytest.importorskip("torch")
    stream = io.BytesIO()
    state = {f"layer{i}.weight": torch.ones(4, 3) for i in range(5)}
    torch.save({"state_dict": state, "step": 3}, stream, **options)
    return stream.getvalue()


def saved_arrays(folder):
    stream = io.BytesIO()
    images = np.random.default_rng(0).integers(256, size=(6, 16, 16, 3))
    np.savez(stream, images=images.astype("uint8"), labels=np.arange(6))
    return stream.getvalue()


def saved_picture(folder, kind):
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(256, size=(40, 30, 3))
    Image.fromarray(pixels.astype("uint8")).save(stream, kind)
    return stream.getvalue()


def saved_log(folder):
    lines = [{"step": i, "generator_loss": i / 7} for i in range(20)]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def run_of(path):
    """Reads a file as each of those that a run's folder holds."""
    folder = path.parent / "run"
    folder.mkdir(exist_ok=True)
    run = keras_sagan.training.Run(folder)
    for name in ("settings.json", "classes.json", "log.jsonl"):
        (folder / name).write_bytes(path.read_bytes())
    assert isinstance(run.log(), list)  # It never stops a training.
    for read in (run.settings, run.class_names):
        try:
            read()
        except ValueError as error:
            assert str(folder) in str(error)


def saved_settings(folder):
    return json.dumps({"seed": 0, "generator": {"resolution": 16}}).encode()


KINDS = {
    "model.keras, whole": ("x.keras", saved_model, load_file),
    "model.keras, headers": ("x.keras", saved_model, describe_file),
    "model.keras, step": ("x.keras", saved_model, read_step),
    "PyTorch": ("x.pth", saved_tensors, read_tensors),
    "old PyTorch": (
        "x.pth",
        lambda folder: saved_tensors(
            folder, _use_new_zipfile_serialization=False
        ),
        read_tensors,
    ),
    "arrays": ("x.npz", saved_arrays, data.load_npz),
    **{
        kind: (
            f"x.{kind}",
            lambda folder, kind=kind: saved_picture(folder, kind),
            lambda path: np.asarray(read_image(path)),
        )
        for kind in ("png", "jpeg", "webp", "gif", "bmp", "tiff")
    },
    "log": ("x.jsonl", saved_log, run_of),
    "settings": ("x.json", saved_settings, run_of),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_refused_in_bounds(kind, tmp_path, monkeypatch):
    name, make, read = KINDS[kind]
    monkeypatch.chdir(tmp_path)
    good = make(tmp_path)
    path = tmp_path / name
    path.write_bytes(good)
    read(path)
    before = set(pathlib.Path().rglob("*"))
    rng = np.random.default_rng(0)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused, slowest = 0, 0
    for i in range(COUNT if "whole" not in kind else COUNT // 3):
        path.write_bytes(damaged(good, rng))
        begin = time.perf_counter()
        try:
            read(path)
        except (ValueError, OSError) as error:
            refused += 1
            assert "Traceback" not in str(error), (i, error)
        slowest = max(slowest, time.perf_counter() - begin)
        if "whole" in kind:
            keras.utils.clear_session()
    # Bytes that a reader passes over may be anything.
    assert refused or read is run_of
    assert slowest < 10
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    assert grown < 500_000, f"{grown:,} kB"
    assert set(pathlib.Path().rglob("*")) == before
