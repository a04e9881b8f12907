"""keras-sagan VERB: what it prints and how it ends."""

import keras
import pytest

from keras_sagan import cli
from tests.convert.test_sources import load


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
        ([], 2, "VERB"),
        (["help"], 0, "VERB"),
        (["paint"], 2, "no verb 'paint'"),
        (["presets"], 0, "imagenet_128"),
        (["presets", "x"], 2, "takes no arguments; received x"),
        (["convert", "--help"], 0, "--source"),
        (["convert"], 2, "takes PATH; received none"),
        (["convert", "x"], 2, "one of --source and --target"),
        (["convert", "x", "--source=gan"], 2, "source"),
        (["convert", "x", "--sorce=studiogan"], 2, "sorce"),
        (["convert", "x", "--source=studiogan"], 2, "give --out"),
        (
            ["convert", "x", "--source=studiogan", "--out=y"],
            2,
            "must end in .keras",
        ),
        (
            ["convert", "none.pth", "--source=studiogan", "--out=y.keras"],
            1,
            "must be a file of weights",
        ),
    ],
)
def test_help_and_errors(arguments, status, message, capsys):
    assert cli.main(arguments) == status
    output = capsys.readouterr()
    text = output.out if status == 0 or not arguments else output.err
    assert message in text
    assert "Traceback" not in text
    if status == 1:
        assert text.count("\n") == 1
