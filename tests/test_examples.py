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
    for part in (
        "1,000 generated",
        "450 held-out",
        "recognised",
        "distance",
        "gamma of the attention",
    ):
        assert part in result.stdout
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "curves.png",
        "digits.keras",
        "grid.png",
        "nearest.png",
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


def run_ablation(folder, *arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / "ablation.py"), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="One backend: what it calls is tested on each",
)
def test_ablation_goes_on_where_it_stopped(tmp_path):
    arguments = [
        "--data=digits",
        "--resolution=16",
        "--width=2",
        "--steps=1",
        "--samples=100",
        "--workdir=runs",
    ]
    first = "--cells=SN in D"
    result = run_ablation(tmp_path, *arguments, "--seeds=1", first)
    assert result.returncode == 0, result.stderr
    done = tmp_path / "runs" / "SN_in_D_0.json"
    written = done.stat().st_mtime_ns
    both = "--cells=SN in D,residual at 8"
    result = run_ablation(tmp_path, *arguments, "--seeds=1", both)
    assert result.returncode == 0, result.stderr
    assert done.stat().st_mtime_ns == written
    assert "| residual at 8 | 1 |" in result.stdout
    for name in ("ablation.png", "table.md", "residual_at_8_0.png"):
        assert (tmp_path / "runs" / name).exists()
    result = run_ablation(tmp_path, *arguments, "--width=4", first)
    assert result.returncode == 1 and "other flags" in result.stderr


def test_ablation_prints_the_commands_for_imagenet(tmp_path):
    result = run_ablation(tmp_path, "--imagenet")
    lines = result.stdout.splitlines()
    assert len(lines) == 11  # Figure 3's three, and two at each of four maps.
    assert all("--resolution=128 --width=64" in line for line in lines)
    assert '--cells="attention at 32"' in result.stdout
