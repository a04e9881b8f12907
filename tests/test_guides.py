"""The guides, run as a user runs them, at small size."""

import os
import pathlib
import subprocess
import sys

import keras
import pytest

GUIDES = pathlib.Path(__file__).parents[1] / "examples" / "guides"


def run(guide, folder, *arguments, **environment):
    """Runs a guide and returns what it prints."""
    result = subprocess.run(
        [sys.executable, str(GUIDES / guide), *arguments, "--out=out"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def only_on(backend):
    return pytest.mark.skipif(
        keras.backend.backend() != backend,
        reason="One backend: what the guide calls is tested on each",
    )


@only_on("torch")
def test_use_the_layers(tmp_path):
    out = run("use_the_layers.py", tmp_path, "--epochs=1")
    assert "of 450 held-out digits; gamma is now" in out
    assert len(list((tmp_path / "out").glob("classifier_attention_*"))) == 11


@only_on("torch")
def test_what_attention_sees(tmp_path):
    out = run("what_attention_sees.py", tmp_path, "--steps=2")
    for part in ("generator attention_8: gamma", "of 16 keys", "pixels change"):
        assert part in out, part
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert "with_and_without.png" in names and len(names) == 2 * 9 + 1


@only_on("tensorflow")
def test_move_between_backends(tmp_path):
    pytest.importorskip("torch")
    out = run(
        "move_between_backends.py",
        tmp_path,
        "--steps=2",
        "--width=2",
        KERAS_BACKEND="torch",  # It starts to train soonest.
    )
    assert "torch and tensorflow differ by at most" in out
    assert (tmp_path / "out" / "both.png").exists()
