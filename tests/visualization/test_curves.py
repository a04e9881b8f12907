import json

import pytest
from PIL import Image

from keras_sagan import visualization

pytestmark = pytest.mark.no_backend


def write(path, entries, end=""):
    lines = [json.dumps(entry) + "\n" for entry in entries]
    path.write_text("".join(lines) + end)
    return path


def test_reads_a_log_with_its_own_steps(tmp_path):
    path = write(
        tmp_path / "log.jsonl",
        [
            {"step": 10, "epoch": 0, "generator_loss": 1.0, "note": "x"},
            {"step": 20, "generator_loss": 0.5, "largest_sigma": 2.0},
            {"step": 20, "fid": 80.5},
            {"step": 30, "generator_loss": 0.25},
            # Stopped after 30, resumed from 20.
            {"step": 25, "generator_loss": 0.125},
        ],
        end='{"step": 40, "gener',
    )
    assert visualization.read_log(path) == {
        "generator_loss": ([10, 20, 25], [1.0, 0.5, 0.125]),
        "largest_sigma": ([20], [2.0]),
        "fid": ([20], [80.5]),
    }
    visualization.training_curves(path, tmp_path / "curves.png")
    assert Image.open(tmp_path / "curves.png").size == (1200, 624)
    visualization.training_curves(str(path), tmp_path / "curves.svg")
    svg = (tmp_path / "curves.svg").read_text()
    for title in ("loss", "largest sigma", "fid"):
        assert f"<!-- {title} -->" in svg


@pytest.mark.parametrize("line", ["{", '{"generator_loss": 1}', "[1]"])
def test_names_the_line_that_is_no_log(line, tmp_path):
    path = write(tmp_path / "log.jsonl", [{"step": 1}], end=f"{line}\n")
    with pytest.raises(ValueError, match=r'"step" on each line.*line 2 of'):
        visualization.read_log(path)


def test_nothing_to_plot(tmp_path):
    path = write(tmp_path / "log.jsonl", [{"step": 1, "fid": float("nan")}])
    with pytest.raises(ValueError, match=r"must hold what `SAGAN.fit` logs"):
        visualization.training_curves(path, tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()
