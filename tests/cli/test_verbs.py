"""keras-sagan VERB: what it prints and how it ends."""

import json

import keras
import numpy as np
import pytest

from keras_sagan import cli
from keras_sagan import data
from tests.convert.test_sources import load
from tests.helpers import tiny_model


def test_converts_to_a_keras_file(tmp_path, capsys):
    model, _, _ = load("biggan_pytorch_32", tmp_path)
    out = tmp_path / "model.keras"
    arguments = [str(tmp_path / "weights.npz"), f"--out={out}"]
    assert cli.main(["convert", "--source=biggan_pytorch", *arguments]) == 0
    assert "32 pixels, 5 classes" in capsys.readouterr().out
    again = keras.saving.load_model(out)
    assert (
        again.generate(labels=[1], seed=0) == model.generate(labels=[1], seed=0)
    ).all()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["presets", "x"], 2, "unrecognized arguments: x"),
        (["evaluate", "x"], 2, "arguments are required: REAL"),
        (["evaluate", "x", "y", "--num_images=1"], 2, "integer of at least 2"),
        (["evaluate", "x.keras", "."], 1, "no file or folder x.keras"),
        (["evaluate", "x.keras", "y"], 1, "there is no file or folder y"),
        (["evaluate", "x", ".", "--metrics=f"], 1, "--metrics must be fid"),
        (["convert"], 2, "arguments are required: PATH"),
        (["convert", "x", "--out=y"], 2, "--source --target is required"),
        (["convert", "x", "--source=gan"], 2, "invalid choice: 'gan'"),
        (["convert", "x", "--source=studiogan"], 2, "are required: --out"),
        (
            ["convert", "x", "--source=studiogan", "--out=y"],
            2,
            "must end in .keras",
        ),
        (["prepare", "x"], 2, "arguments are required: --out"),
        (["prepare", "x", "--out=y", "--resolution=4"], 2, "from 8 to 1,024"),
        (["prepare", "nowhere", "--out=y"], 1, "which is none of these"),
        (["train"], 2, "arguments are required: IMAGES"),
        (["train", "nowhere"], 1, "which is none of these"),
        (
            ["train", "digits", "--resolution=50"],
            2,
            "the nearest are 48 and 56",
        ),
        (
            ["convert", "none.pth", "--source=studiogan", "--out=y.keras"],
            1,
            "must be a file of weights",
        ),
    ],
)
def test_errors_are_one_line(arguments, status, message, capsys):
    assert cli.main(arguments) == status
    text = capsys.readouterr().err
    assert text.startswith(f"keras-sagan {arguments[0]}: ")
    assert message in text
    assert text.count("\n") == 1


@pytest.mark.no_backend
def test_prepares_and_trains(tmp_path, capsys, any_singular_vector):
    images, labels = data.load_digits(16)
    path = tmp_path / "digits.npz"
    np.savez(path, images=images[:40], labels=labels[:40])
    out = tmp_path / "prepared"
    assert cli.main(["prepare", str(path), f"--out={out}"]) == 0
    printed = capsys.readouterr().out
    assert "40 images of 10 classes at 16 pixels" in printed
    assert f"Next: keras-sagan train {out}\n" in printed
    run = tmp_path / "run"
    flags = [f"--out={run}", "--base_channels=1"]
    assert cli.main(["train", str(out), "--steps=2", *flags]) == 0
    assert "Chosen: 40 images of 10 classes" in capsys.readouterr().out
    assert int(keras.saving.load_model(run / "model.keras").steps_trained) == 2
    # It goes on, with the same recipe; with another it says what differs.
    # What was chosen by flags needs no flags again.
    begun = f"--out={run}"
    assert cli.main(["train", str(out), "--steps=3", begun]) == 0
    assert "Continuing from step 2" in capsys.readouterr().out
    assert cli.main(["train", str(out), begun, "--seed=1"]) == 1
    assert "seed=0, now 1" in capsys.readouterr().err
    assert cli.main(["train", str(out), begun, "--base_channels=2"]) == 1
    assert "generator.base_channels=1, now 2" in capsys.readouterr().err


def test_evaluates_a_model_and_statistics(tmp_path, capsys, monkeypatch, rng):
    def colours(images):
        return images.mean(axis=(1, 2)), images.mean(axis=(1, 2))

    # In the place of the network, whose weights are not here.
    monkeypatch.setattr(
        "keras_sagan.metrics.evaluation.Inception", lambda logits: colours
    )
    images = rng.integers(0, 256, (40, 16, 16, 3), "uint8")
    np.savez(tmp_path / "real.npz", images=images)
    tiny_model(compiled=False).save(tmp_path / "model.keras")
    cache, out = tmp_path / "cache", tmp_path / "figures.json"
    real = str(tmp_path / "real.npz")
    arguments = ["--num_images=20", f"--cache={cache}", f"--out={out}"]
    model = str(tmp_path / "model.keras")
    arguments.append("--metrics=fid,is")
    assert cli.main(["evaluate", model, real, *arguments]) == 0
    # The folder that it lies in is the model too, not pictures.
    assert cli.main(["evaluate", str(tmp_path), real, "--num_images=20"]) == 0
    assert "20 generated, 40 real" in capsys.readouterr().out
    first = json.loads(out.read_text())
    assert first["fid"] > 0 and first["protocol"]["name"] == "torch-fidelity"
    statistics = str(cache / "statistics.npz")
    assert cli.main(["evaluate", model, statistics, *arguments]) == 0
    again = json.loads(out.read_text())
    assert again["fid"] == pytest.approx(first["fid"])
    assert cli.main(["evaluate", real, statistics]) == 0
    assert "Frechet distance   0.0000" in capsys.readouterr().out
    assert cli.main(["evaluate", "digits", real, "--num_images=20"]) == 0
    assert "20 generated, 40 real" in capsys.readouterr().out


@pytest.mark.parametrize("metrics", ["[1]", "{", '{"protocol": 5}', "\xff"])
def test_info_shows_odd_files_and_obeys_none(
    metrics, tmp_path, capsys, any_singular_vector
):
    tiny_model().save(tmp_path / "model.keras")
    names = ["a\x1b[31m", "b\udcff", "c"]
    (tmp_path / "classes.json").write_text(json.dumps(names))
    (tmp_path / "metrics.json").write_text(metrics, encoding="latin-1")
    assert cli.main(["info", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert r"3: a\x1b[31m, b\udcff, c" in out
    assert "\x1b" not in out
    assert "metrics.json" in out or "protocol 5" in out
