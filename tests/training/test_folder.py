"""The folder of a run, read without a framework."""

import json
import pathlib
import subprocess
import sys

import pytest

from keras_sagan.training import Run

ROOT = pathlib.Path(__file__).parents[2]
pytestmark = pytest.mark.no_backend


def test_a_new_run_is_empty(tmp_path):
    run = Run(tmp_path / "new")
    assert (run.settings(), run.log(), run.checkpoints()) == ({}, [], [])
    assert run.class_names() is None and run.latest_model() is None
    assert not run.exists() and not run.path.exists()


def test_what_it_wrote_is_what_it_says(tmp_path):
    run = Run(tmp_path)
    settings = {"seed": 3, "model": {"width": 2, "shape": (4, 4)}}
    run.write_settings(settings, ("ant", "bee"))
    assert run.exists() and run.class_names() == ["ant", "bee"]
    assert run.settings() == json.loads(json.dumps(settings))
    run.check_settings(settings)
    with pytest.raises(ValueError, match=r"where model\.width=2, now 3"):
        run.check_settings({"seed": 3, "model": {"width": 3, "shape": (4, 4)}})
    run.log_path.write_text('{"step": 1}\n{"step": 2}\n{"st')  # Killed here.
    assert run.log() == [{"step": 1}, {"step": 2}]
    assert run.images_path(64) == tmp_path / "images_64"


@pytest.mark.parametrize("content", ['{"0": "ant"}', '["ant", 2]', '"ant"'])
def test_class_names_must_be_strings(content, tmp_path):
    (tmp_path / "classes.json").write_text(content)
    with pytest.raises(
        ValueError, match=r"classes\.json.*must (be|hold) a (JSON )?list"
    ):
        Run(tmp_path).class_names()


def test_the_latest_model(tmp_path):
    run = Run(tmp_path)
    run.checkpoints_path.mkdir()
    steps = (2000, 99_999_999, 100_000_000)
    for step in steps:
        (run.checkpoints_path / f"step_{step:08d}.keras").touch()
    (run.checkpoints_path / ".step_00003000.77.keras").touch()
    (run.checkpoints_path / "step_9.keras").touch()
    assert [int(p.stem[5:]) for p in run.checkpoints()] == [*steps]
    assert run.latest_model().name == "step_100000000.keras"
    assert run.exists()
    for path in (run.latest_model(), run.model_path):
        assert Run.of(path).path == Run.of(str(path)).path == tmp_path
    run.model_path.touch()
    assert run.latest_model() == run.model_path


def test_a_lock_ends_with_its_context_or_process(tmp_path):
    run = Run(tmp_path)
    with (
        run.lock(),
        pytest.raises(ValueError, match="by one process at a time"),
        Run(tmp_path).lock(),
    ):
        pass
    code = (
        "import os; from keras_sagan.training import Run;"
        f"Run({str(tmp_path)!r}).lock().__enter__(); os._exit(9)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT)
    assert result.returncode == 9
    with run.lock():
        assert not list(tmp_path.iterdir())  # The folder itself is locked.


def test_it_needs_no_framework():
    """The modules alone: what the package imports is another test's."""
    code = """
import sys, types
package = types.ModuleType("keras_sagan")
package.__path__ = ["keras_sagan"]
sys.modules["keras_sagan"] = package
from keras_sagan.training import Run
Run("none").settings()
print([m for m in ("keras", "numpy", "tensorflow") if m in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert result.stdout == "[]\n", result.stderr
