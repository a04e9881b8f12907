"""Folders that hold a model for others, and a hub that holds folders."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import keras_sagan
from keras_sagan import SAGAN
from tests.helpers import tiny_model
from tests.hub.stand_in import hub

FILES = {
    "README.md",
    "classes.json",
    "config.json",
    "model.keras",
    "samples.png",
}
METRICS = {  # As `metrics.evaluate` gives them.
    "fid": 12.3456,
    "is": np.float32(3.25),
    "intra_fid_per_class": [1.0, 2.0, 3.0],
    "protocol": {"name": "torch-fidelity", "num_images": 50_000},
}


@pytest.fixture
def model(any_singular_vector):
    return tiny_model()


def share(model, folder, **kwargs):
    model.save_to_preset(
        folder,
        class_names=["nought", "one", "two"],
        data="Scanned digits.",
        recipe="Batches of 64.",
        metrics=METRICS,
        license="apache-2.0",
        **kwargs,
    )


def test_a_folder_gives_the_model_back(model, tmp_path):
    model.steps_trained.assign(1234)
    share(model, tmp_path / "shared")
    assert {f.name for f in (tmp_path / "shared").iterdir()} == FILES
    again = SAGAN.from_preset(str(tmp_path / "shared"))
    assert np.array_equal(
        again.generate([0, 1, 2], seed=3), model.generate([0, 1, 2], seed=3)
    )
    assert int(again.steps_trained.numpy()) == 1234
    assert again.optimizer is not None
    names = json.loads((tmp_path / "shared" / "classes.json").read_text())
    assert names == ["nought", "one", "two"]
    assert os.listdir(tmp_path) == ["shared"]


def test_the_card_says_what_is_known(model, tmp_path):
    model.steps_trained.assign(1234)
    share(model, tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: keras_sagan\n")
    for text in (
        'license: "apache-2.0"',
        "(samples.png)",
        "Scanned digits.",
        "Batches of 64.",
        "1 one",
        "1,234 training steps",
        "in the generator: 8 x 8 to 16 keys",
        "Adam, learning_rate 0.0004",
        "| fid | 12.35 |",
        "| is | 3.25 |",
        "Protocol: name torch-fidelity; num_images 50000.",
    ):
        assert text in card
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["resolution"] == 16
    assert config["metrics"] == METRICS  # 3.25 is exact.
    samples = Image.open(tmp_path / "samples.png")
    assert samples.size == (8 * (4 * 16 + 1) + 1, 3 * (4 * 16 + 1) + 1)


def test_the_card_says_what_is_not_known(any_singular_vector, tmp_path):
    model = tiny_model(num_classes=None, compiled=False)
    model.save_to_preset(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert card.count("Not stated.") == 2
    assert "Not measured." in card
    assert "unconditional" in card
    assert "license:" not in card
    assert not (tmp_path / "classes.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": {"fid": 3.0}}, "by which `protocol`"),
        ({"license": "do what\nyou like"}, "must be an identifier"),
        ({"class_names": ["a", "b"]}, "3 names, one for each class"),
        ({"class_names": ["a", "b", 3]}, "must be a list of strings"),
    ],
)
def test_refuses_what_is_not_so(arguments, message, model, tmp_path):
    with pytest.raises(ValueError, match=message):
        model.save_to_preset(tmp_path / "shared", **arguments)
    assert not list(tmp_path.iterdir())


def test_overwrites_nothing(model, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="new or empty folder"):
        model.save_to_preset(tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == ["mine.txt"]


def test_from_preset_says_what_is_wrong(model, tmp_path):
    with pytest.raises(ValueError, match=r"a folder with a model\.keras"):
        SAGAN.from_preset(str(tmp_path))
    with pytest.raises(ValueError, match="must be one of"):
        SAGAN.from_preset(str(tmp_path / "none"))
    with pytest.raises(ValueError, match="hf://owner/name"):
        SAGAN.from_preset("hf://owner")
    file = str(tmp_path / "x.keras")
    model.save(file)
    with pytest.raises(ValueError, match="a saved model has its own"):
        SAGAN.from_preset(file, ema_momentum=0.5)
    model.ema_generator.save(file)
    with pytest.raises(ValueError, match="must hold a SAGAN"):
        SAGAN.from_preset(file)


@pytest.mark.no_backend
def test_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"keras_sagan\[hub\]"):
        SAGAN.from_preset("hf://owner/name")


@pytest.mark.no_backend
def test_through_a_hub(model, tmp_path):
    """By the real client, which reads its settings once: a new process."""
    share(model, tmp_path / "shared")
    (tmp_path / "shared" / "secret.txt").write_text("not to be uploaded")
    code = """
import keras_sagan
print(keras_sagan.upload_preset("hf://me/digits", "shared", private=True))
model = keras_sagan.SAGAN.from_preset("hf://me/digits")
model.save("back.keras")
try:
    keras_sagan.SAGAN.from_preset("hf://me/none")
except OSError as error:
    print(error)
"""
    with hub() as server:
        result = subprocess.run(
            [sys.executable, "-c", code],
            env={
                **os.environ,
                "HF_ENDPOINT": server.url,
                "HF_HOME": str(tmp_path / "cache"),
                "HF_TOKEN": "hf_of_nobody",
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    assert result.returncode == 0, result.stderr
    assert f"{server.url}/me/digits" in result.stdout
    assert "must be a repository that can be read" in result.stdout
    assert "404" in result.stdout
    assert set(server.repositories["me/digits"]) == FILES
    assert server.requests[0]["visibility"] == "private"
    back = keras.saving.load_model(tmp_path / "back.keras")
    assert np.array_equal(
        back.generate([1], seed=0), model.generate([1], seed=0)
    )


@pytest.mark.no_backend
def test_uploads_no_other_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"without model\.keras"):
        keras_sagan.upload_preset("hf://me/digits", tmp_path)
    with pytest.raises(ValueError, match="hf://owner/name"):
        keras_sagan.upload_preset("me/digits", tmp_path)
