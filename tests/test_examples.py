"""The examples, run as a user runs them, for a few steps."""

import pathlib
import subprocess
import sys

import keras
import pytest

ROOT = pathlib.Path(__file__).parents[1]


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="The demo's backend; what it calls is tested on each",
)
def test_digits(tmp_path):
    result = subprocess.run(
        [
            sys.executable,
            str(ROOT / "examples" / "digits.py"),
            "--steps=100",
            f"--out={tmp_path}",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    for part in ("1,000 generated", "450 held-out", "gamma of the attention"):
        assert part in result.stdout
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "curves.png",
        "digits.keras",
        "grid.png",
        "reloaded.png",
        "samples",
    }
    assert (tmp_path / "samples" / "step_00000000.png").exists()


def test_digits_refuses_bad_flags(tmp_path):
    result = subprocess.run(
        [
            sys.executable,
            str(ROOT / "examples" / "digits.py"),
            "--steps=0",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert "--steps=0: 0 is not a positive integer" in result.stderr
