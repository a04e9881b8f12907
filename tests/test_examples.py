"""The examples, run as a user runs them, for a few steps."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import pytest
from PIL import Image

from keras_sagan import data
from tests.helpers import packages_without

BACKEND = keras.backend.backend()
ROOT = pathlib.Path(__file__).parents[1]


@pytest.mark.skipif(
    BACKEND != "tensorflow",
    reason="The demo's backend; what it calls is tested on each",
)
def test_digits(tmp_path):
    result = subprocess.run(
        [
            sys.executable,
            str(ROOT / "examples" / "digits.py"),
            "--steps=10",
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
        "gamma of the attention layer",
    ):
        assert part in result.stdout
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "attention.png",
        "curves.png",
        "digits.keras",
        "grid.png",
        "nearest.png",
        "reloaded.png",
        "samples",
        "training.webp",
    }
    *_, walk, attention, _train = result.stdout.splitlines()
    for command in (walk, attention):
        subprocess.run(command.split(), cwd=tmp_path, check=True)
    assert (tmp_path / "walk.webp").exists()
    assert (tmp_path / "attention").is_dir()
    assert (tmp_path / "samples" / "step_00000000.png").exists()


@pytest.mark.no_backend
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


def run_example(name, folder, *arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.no_backend
def test_letters_are_drawn_and_learnt(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    fonts = pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    arguments = [f"--fonts={fonts}", "--out=run", "--name=keras"]
    result = run_example("letters.py", tmp_path, *arguments, "--steps=1")
    assert result.returncode == 0, result.stderr
    assert "typefaces with 26 letters each" in result.stdout
    name = Image.open(tmp_path / "run" / "name.png")
    assert name.size == (5 * 65 + 1, 8 * 65 + 1 + 22)  # With the names.
    assert (tmp_path / "run" / "letters.png").exists()


@pytest.mark.no_backend
def test_too_few_fonts(tmp_path):
    result = run_example("letters.py", tmp_path, f"--fonts={tmp_path}")
    assert result.returncode == 1
    assert "Only 0 typefaces with letters A to Z" in result.stderr
    assert "apt install" in result.stderr


@pytest.mark.no_backend
def test_ablation_goes_on_where_it_stopped(tmp_path):
    arguments = [
        "--data=digits",
        "--resolution=16",
        "--width=2",
        "--steps=1",
        "--samples=100",
        "--classifier_steps=20",
        "--workdir=runs",
    ]
    first = "--cells=SN in D"
    result = run_example(
        "ablation.py", tmp_path, *arguments, "--seeds=1", first
    )
    assert result.returncode == 0, result.stderr
    done = tmp_path / "runs" / "SN_in_D_0.json"
    written = done.stat().st_mtime_ns
    every = "--cells=SN in D,attention at 8,residual at 8"
    result = run_example(
        "ablation.py", tmp_path, *arguments, "--seeds=1", every
    )
    assert result.returncode == 0, result.stderr
    assert done.stat().st_mtime_ns == written
    assert "| residual at 8 | 1 |" in result.stdout
    added = json.loads(
        (tmp_path / "runs" / "attention_at_8_0.json").read_text()
    )
    assert set(added["gammas"]) == {"generator", "discriminator"}
    assert len(added["gammas"]["generator"]) == len(added["steps"]) == 1
    for name in ("ablation.png", "table.md", "residual_at_8_0.png"):
        assert (tmp_path / "runs" / name).exists()
    result = run_example(
        "ablation.py", tmp_path, *arguments, "--width=4", first
    )
    assert result.returncode == 1 and "other flags" in result.stderr


@pytest.mark.no_backend
def test_the_report_of_an_ablation_compares_pairs_of_one_seed(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / "settings.json").write_text('{"resolution": 16}')
    # TTUR halves each distance, give or take; attention does nothing for sure.
    # Two pairs that are alike, and a cell of one run, decide nothing.
    distances = {
        "SN in D": (5.0, 19.9),
        "SN in both": (10.0, 40.0, 20.0),
        "SN in both + TTUR": (5.5, 20.0, 9.5),
        "attention at 8": (11.0, 5.0, 12.0),
        "residual at 8": (10.0,),
    }
    for name, ends in distances.items():
        for seed, end in enumerate(ends):
            run = {"cell": name, "seed": seed, "steps": [5, 10], "gammas": {}}
            run |= {"distance": [100.0, end], "largest_sigma": [2.0, 3.0]}
            for key in ("recognised", "precision", "recall", "coverage"):
                run[key] = [0.0, 0.5]
            path = folder / f"{name.replace(' ', '_')}_{seed}.json"
            path.write_text(json.dumps(run))
    result = run_example("ablation_report.py", tmp_path, "runs")
    assert result.returncode == 0, result.stderr
    # 70 / 3, and the standard error sqrt(700 / 3 / 3).
    assert "| SN in both | 3 | 23.33 ± 8.82 | 0.500 ± 0.000 |" in result.stdout
    lines = [x for x in result.stdout.splitlines() if x.startswith("- ")]
    assert "| residual at 8 | 1 | 10.00 | 0.500 |" in result.stdout
    assert len(lines) == 3  # The other claims need cells that did not run.
    assert "2.01 times as large (p = 0.002, 2 pairs)" in lines[0]
    assert "**cannot be told**" in lines[0]
    # exp(mean(log(0.55), log(0.5), log(0.475)))
    assert lines[1].startswith("- TTUR is better") and "**agrees**" in lines[1]
    assert "0.51 times as large (p = 0.004, 3 pairs)" in lines[1]
    assert "**cannot be told**" in lines[2]
    assert (folder / "table.md").read_text() in result.stdout
    assert Image.open(folder / "ablation.png").size[0] > 1000


@pytest.mark.no_backend
def test_ablation_prints_the_commands_for_imagenet(tmp_path):
    result = run_example("ablation.py", tmp_path, "--imagenet")
    lines = result.stdout.splitlines()
    assert len(lines) == 11  # Figure 3's three, and two at each of four maps.
    assert all("--resolution=128 --width=64" in line for line in lines)
    assert '--cells="attention at 32"' in result.stdout


MOCKED = """
import runpy, sys
import tensorflow_datasets as tfds

sys.argv = sys.argv[1:]
with tfds.testing.mock_data(num_examples=20):
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_imagenet(workdir, *arguments, mocked=False):
    path = ROOT / "examples" / "imagenet128.py"
    command = [sys.executable, *(("-c", MOCKED) if mocked else ()), str(path)]
    return subprocess.run(
        [*command, f"--workdir={workdir}", *arguments],
        cwd=workdir,
        capture_output=True,
        text=True,
        timeout=600,
    )


TINY = (
    "--base_channels=1",
    "--batch_size=2",
    "--gradient_accumulation_steps=1",
    "--log_every=2",
    "--sample_every=2",
    "--checkpoint_every=2",
)


@pytest.mark.parametrize(
    "steps",
    # Compiling a step at 128 pixels takes two minutes there.
    [pytest.param(2, marks=pytest.mark.slow if BACKEND == "jax" else ())],
)
def test_imagenet128_on_mock_data(steps, tmp_path):
    result = run_imagenet(tmp_path, *TINY, f"--steps={steps}", mocked=True)
    assert result.returncode == 0, result.stderr
    names = json.loads((tmp_path / "classes.json").read_text())
    assert len(names) == 1000 and names[0] == "n01440764"
    model = keras.saving.load_model(tmp_path / "model.keras")
    assert model.resolution == 128 and model.num_classes == 1000
    assert int(model.steps_trained) == steps
    sample = tmp_path / "samples" / "step_00000002.png"
    assert sample.stat().st_size > 1000


@pytest.mark.no_backend
def test_imagenet128_dry_run_and_bad_flags(tmp_path):
    result = run_imagenet(
        tmp_path,
        *TINY,
        "--data=photographs",
        "--dry_run",
        "--augment=flip",
        "--distribute",
    )
    assert result.returncode == 0, result.stderr
    assert "4,500 images of 9 classes, 1,000,000 steps of 2" in result.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["batch.png"]
    result = run_imagenet(tmp_path, "--steps=0")
    assert result.returncode == 1
    assert "--steps=0: 0 is not a positive integer" in result.stderr


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="It needs TensorFlow"
)
def test_trains_without_tensorflow(tmp_path):
    """A prepared folder, where TensorFlow and what needs it is absent."""
    images, labels = data.load_digits(16)
    source = data.ArrayImages(images, labels)
    data.prepare(source, tmp_path / "prepared")
    packages = packages_without(tmp_path, "tensorflow", "keras_cv")
    code = (
        "import importlib.util as u; assert u.find_spec('tensorflow') is None;"
        "import sys; from keras_sagan import cli; sys.exit(cli.main(["
        f"'train', {str(tmp_path / 'prepared')!r}, '--out=run', '--steps=2',"
        "'--resolution=16', '--base_channels=2']))"
    )
    result = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{packages}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    assert int(model.steps_trained) == 2


@pytest.mark.no_backend
def test_your_images(tmp_path):
    from PIL import Image

    images, labels = data.load_photographs(32, crops=6)
    for i, (image, label) in enumerate(zip(images, labels)):
        path = tmp_path / "mine" / data.PHOTOGRAPHS[label] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    (tmp_path / "mine" / "rocket" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    command = [
        sys.executable,
        str(ROOT / "examples" / "your_images.py"),
        str(tmp_path / "mine"),
        "--base_channels=2",
        "--steps=2",
    ]
    result = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    assert "Chosen: 54 images of 9 classes at 32 pixels" in result.stdout
    assert "rocket/broken.jpg: " in result.stdout
    assert (tmp_path / "runs" / "mine" / "model.keras").exists()
