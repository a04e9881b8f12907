"""keras-sagan export: by the suffix, with a run that ends well or badly."""

import numpy as np
import onnxruntime
import pytest

from keras_sagan import cli
from tests.helpers import tiny_model

pytestmark = pytest.mark.no_backend


@pytest.fixture
def model(any_singular_vector, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = tiny_model(compiled=False)
    model.save("model.keras")
    return model


def test_exports_a_file_and_a_folder(model, capsys):
    assert cli.main(["export", "model.keras", "--out=x.onnx"]) == 0
    assert "x.onnx: 16 pixels, 3 classes" in capsys.readouterr().out
    latents = np.ones((1, 8), "float32")
    (images,) = onnxruntime.InferenceSession("x.onnx").run(
        None, {"latents": latents, "labels": np.array([1])}
    )
    expected = model.generate([1], latents=latents)
    assert np.abs((images + 1) * 127.5 - expected).max() <= 1
    model.save_to_preset("shared")
    assert cli.main(["export", "shared", "--out=x.safetensors"]) == 0


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["model.keras"], 2, "arguments are required: --out"),
        (
            ["model.keras", "--out=x.pb"],
            2,
            "--out: must end in .onnx, ",
        ),
        (["cifar10_32", "--out=x.onnx"], 1, "there is no file or folder"),
        (["none.keras", "--out=x.onnx"], 1, "there is no file or folder"),
        (["bad.keras", "--out=x.onnx"], 1, "bad.keras"),
    ],
)
def test_errors(arguments, status, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.keras").write_text("no archive")
    assert cli.main(["export", *arguments]) == status
    text = capsys.readouterr().err
    assert message in text
    assert text.count("\n") == 1
    assert not (tmp_path / "x.onnx").exists()
