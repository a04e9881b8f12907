"""keras-sagan itself: help, errors, how fast it answers and how it ends."""

import os
import pathlib
import re
import subprocess
import sys
import time

import keras
import pytest

from keras_sagan import cli
from keras_sagan.cli import models
from keras_sagan.metrics import list_metrics
from keras_sagan.version import __version__
from tests.helpers import tiny_networks

pytestmark = pytest.mark.no_backend
ROOT = pathlib.Path(__file__).parents[2]
HEAVY = ("keras", "tensorflow", "jax", "torch", "numpy", "absl")


def start(*arguments, **options):
    """Starts the program as the console script does, from this source."""
    script = pathlib.Path(sys.executable).with_name("keras-sagan")
    return subprocess.Popen(
        [sys.executable, *options.pop("python", ()), script, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=options.pop("cwd", None),
        env={**os.environ, "PYTHONPATH": str(ROOT), **options},
    )


def run(*arguments, **options):
    process = start(*arguments, **options)
    out, err = process.communicate()
    return process.returncode, out, err


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]])
def test_help_imports_nothing_heavy_and_is_quick(arguments):
    begin = time.perf_counter()
    status, out, err = run(*arguments, python=["-X", "importtime"])
    seconds = time.perf_counter() - begin
    assert status == 0 and out.startswith("usage: keras-sagan")
    imported = {line.rpartition("|")[2].strip() for line in err.splitlines()}
    assert "keras_sagan.cli.parsing" in imported
    assert not imported & set(HEAVY)
    assert seconds < 2  # Alone 0.15 s; other tests run beside this one.


@pytest.mark.parametrize(
    "arguments", [["paint"], ["sample"], ["sample", "x.keras", "--count=0"]]
)
def test_wrong_arguments_are_found_before_keras_is_imported(arguments):
    status, out, err = run(*arguments, python=["-X", "importtime"])
    lines = err.splitlines()
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert status == 2 and not out
    assert not imported & set(HEAVY)
    assert len([x for x in lines if not x.startswith("import time:")]) == 1


def test_the_program_works_and_fails(tmp_path):
    status, out, err = run("presets")
    assert status == 0 and "imagenet_128" in out
    (tmp_path / "bad.keras").write_text("no archive")
    status, out, err = run("sample", str(tmp_path / "bad.keras"))
    assert status == 1 and not out
    assert "bad.keras, which raised" in err
    assert "Traceback" not in err


def without_notices(text):
    """Without what TensorFlow before 2.20 writes when it is imported."""
    lines = text.splitlines(keepends=True)
    return "".join(x for x in lines if not re.match(r"[EW]0000 ", x))


def test_a_model_with_classes_of_the_user(tmp_path, any_singular_vector):
    code = """
import keras
import keras_sagan

@keras.saving.register_keras_serializable(package="test_command_line")
class Mine(keras_sagan.SAGAN):
    pass
"""
    (tmp_path / "of_the_user.py").write_text(code)
    models.import_modules([str(tmp_path / "of_the_user.py")])
    kind = keras.saving.get_registered_object("test_command_line>Mine")
    kind(*tiny_networks(), seed=0).save(tmp_path / "mine.keras")
    arguments = ["sample", "mine.keras", "--classes=1", "--count=2"]
    status, _, err = run(*arguments, cwd=tmp_path)
    assert status == 1
    said = without_notices(err)
    assert "--import on the command line" in said and len(said) < 700
    status, _, err = run(*arguments, "--import=of_the_user", cwd=tmp_path)
    # Nor do frameworks say anything.
    assert (status, without_notices(err)) == (0, "")
    assert (tmp_path / "samples.png").exists()
    assert cli.main([*arguments, "--import=none.py"]) == 1
    assert cli.main([*arguments, "--import=no_such_module"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "x", "--steps=--"], "--steps: must have a value, not --"),
        (["sample", "x", "--seed=\x1b[31m"], "not \\x1b[31m\n"),
        (["info", "x", "--import=."], "must be names of modules"),
    ],
)
def test_words_that_are_no_values(arguments, message, capsys):
    assert cli.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_a_missing_backend_is_explained():
    status, _, err = run("presets", KERAS_BACKEND="numpy")
    assert status == 1
    assert "'tensorflow', 'jax' and 'torch'" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("verb", cli.VERBS)
def test_help_of_every_verb(verb, capsys):
    assert cli.main([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: keras-sagan {verb} ")
    examples = text.partition("Example")[2]
    assert f"\n  keras-sagan {verb}" in examples
    # Every argument is described in full sentences.
    arguments = text.partition("\noptions:")[2].split("\n  -")[1:]
    for argument in arguments[1:]:
        assert argument.rstrip().endswith("."), argument
        assert "None" not in argument


def test_help_of_all(capsys):
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    for verb in cli.VERBS:
        assert f"\n    {verb}" in text
    assert "KERAS_BACKEND" in text
    assert cli.main([]) == 2
    assert capsys.readouterr().err == text
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_help_names_the_metrics(capsys):
    cli.main(["evaluate", "--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in list_metrics())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["paint"], "keras-sagan: argument VERB: invalid choice: 'paint'"),
        (["--paint"], "keras-sagan: the following arguments are required"),
        (["info", "x", "--paint"], "keras-sagan info: unrecognized arguments"),
        (["info", "x", "y"], "keras-sagan info: unrecognized arguments: y"),
        (["export", "x", "--o=y"], "arguments are required: --out"),
    ],
)
def test_unknown_arguments(arguments, message, capsys):
    assert cli.main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status", "printed"),
    [
        (KeyboardInterrupt(), 130, ""),
        (OSError("no\n  room"), 1, "keras-sagan info: no room\n"),
        (RuntimeError(), 1, "keras-sagan info: RuntimeError\n"),
        (cli.UsageError("bad"), 2, "keras-sagan info: bad\n"),
    ],
)
def test_how_it_ends(error, status, printed, monkeypatch, capsys):
    def fail(arguments):
        raise error

    monkeypatch.setattr("keras_sagan.cli.info.run", fail)
    assert cli.main(["info", "x"]) == status
    assert capsys.readouterr().err == printed


def test_values_are_given_with_or_without_an_equals_sign(monkeypatch):
    values = []
    monkeypatch.setattr("keras_sagan.cli.export.run", values.append)
    monkeypatch.setattr("keras_sagan.cli.walk.run", values.append)
    cli.main(["export", "x", "--out=y.onnx", "--no-ema"])
    cli.main(["export", "--out", "y.onnx", "x", "--ema"])
    cli.main(["walk", "x", "--seed", "0, 3", "--steps=2"])
    first, second, third = values
    assert str(first.out) == str(second.out) == "y.onnx"
    assert (first.ema, second.ema) == (False, True)
    assert (third.seed, third.steps, third.count) == ([0, 3], 2, 1)
