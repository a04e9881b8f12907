"""The verbs that draw: sample, attention, walk, curves, video, info."""

import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from keras_sagan import cli
from keras_sagan.layers import spectral_normalization
from tests.helpers import parameters
from tests.helpers import tiny_model

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "torch",
    reason="One backend: what the verbs call is tested on each",
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(  # As in `any_singular_vector`.
            spectral_normalization,
            "leading_singular_vector",
            lambda matrix: keras.ops.ones(matrix.shape[1]),
        )
        keras.utils.set_random_seed(0)
        model = tiny_model(compiled=False)
        norm = model.ema_generator.get_layer("up_8_norm_1")
        norm.beta.assign(np.random.default_rng(0).normal(0, 3, (3, 8)))
        model.save(folder / "model.keras")
        tiny_model(None, compiled=False).save(folder / "plain.keras")
    (folder / "classes.json").write_text('["ant", "bee", "cat"]')
    (folder / "metrics.json").write_text('{"fid": 12.34567, "protocol": "x"}')
    (folder / "log.jsonl").write_text(
        '{"step": 1, "generator_loss": 1.0}\n'
        '{"step": 2, "generator_loss": 0.5}\n'
    )
    return folder


@pytest.fixture
def here(saved, tmp_path, monkeypatch):
    """A folder to write in, beside the model."""
    for file in saved.iterdir():
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments, status=0):
    assert cli.main([str(x) for x in arguments]) == status


def size(path):
    with Image.open(path) as image:
        return image.size


def test_sample(here):
    run("sample", "model.keras", "--classes=cat,0", "--count=3", "--out=a.png")
    run("sample", ".", "--classes=2,ant", "--count=3", "--out=b.png")
    run("sample", "model.keras", "--classes=cat,0", "--count=3", "--seed=1")
    a, b, c = (
        (here / x).read_bytes() for x in ("a.png", "b.png", "samples.png")
    )
    assert a == b != c
    assert size("a.png")[0] == 2 * 65 + 1  # A column for each class.
    run("sample", "model.keras", "--truncation=0.5,none", "--classes=bee")
    assert (here / "samples.png").read_bytes() == c
    assert size("samples_2.png")[1] == 2 * 65 + 1
    run("sample", "plain.keras", "--count=4", "--scale=1", "--out=c.png")
    assert size("c.png") == (35, 35)


def test_sample_to_files_is_what_generate_gives(here):
    run("sample", "model.keras", "--classes=bee,0", "--count=40", "--out=out")
    files = sorted((here / "out").rglob("*.png"), key=lambda x: x.name)
    assert [x.parent.name for x in files[39:41]] == ["0001_bee", "0000_ant"]
    images = np.stack([np.asarray(Image.open(x)) for x in files])
    model = keras.saving.load_model("model.keras")
    expected = model.generate([1] * 40 + [0] * 40, seed=0)
    assert np.abs(images.astype(int) - expected).max() <= 1


def test_attention(here, capsys):
    run("attention", "model.keras", "--classes=bee", "--points=3:4,12:12")
    assert len(list((here / "attention").iterdir())) == 4
    assert "discriminator_attention_8_sheet.png" in capsys.readouterr().out
    Image.new("L", (40, 20)).save("gray.png")
    run("attention", "plain.keras", "--images=gray.png,gray.png", "--out=given")
    names = sorted(x.name for x in (here / "given").iterdir())
    assert [x.rpartition("_")[2] for x in names] == [
        "000.png",
        "001.png",
        "sheet.png",
    ]


def test_walk(here):
    run("walk", "model.keras", "--steps=2", "--out=strip.png")
    assert size("strip.png") == (3 * 65 + 1, 2 * 65 + 1)
    run("walk", "model.keras", "--seed=3", "--classes=ant,bee,cat", "--steps=1")
    with Image.open("walk.webp") as video:
        assert video.n_frames == 3
    run("walk", "plain.keras", "--steps=1", "--seed=1,2,3", "--out=w.gif")


def test_what_is_written_lies_beside_the_model(here, capsys, monkeypatch):
    (here / "run").mkdir()
    for name in ("model.keras", "log.jsonl"):
        shutil.copy(name, here / "run")
    (here / "run" / "samples").mkdir()
    Image.new("RGB", (9, 9)).save("run/samples/step_00000010.png")
    before = {x.name for x in here.iterdir()}
    run("sample", "run", "--classes=2", "--count=1")
    run("walk", "run/model.keras", "--steps=1")
    run("walk", "run/model.keras", "--steps=1", "--seed=4,5")
    run("attention", "run", "--classes=1")
    run("attention", "run", "--classes=2")
    for _ in range(2):  # What the run decides is written again.
        run("curves", "run")
        run("video", "run")
    assert {x.name for x in here.iterdir()} == before
    assert {x.name for x in (here / "run").iterdir()} == {
        *("model.keras", "log.jsonl", "samples", "samples.png", "walk.webp"),
        *("walk_2.webp", "attention", "attention_2", "curves.png"),
        "training.webp",
    }
    assert "Wrote run/walk_2.webp" in capsys.readouterr().out


def test_curves_and_video(here, capsys):
    run("curves", ".", "--out=curves.svg")
    assert "<!-- loss -->" in (here / "curves.svg").read_text()
    for step in (10, 2000):
        Image.new("RGB", (40, 40), (step % 256, 0, 0)).save(
            f"step_{step:08d}.png"
        )
    run("video", ".", "--out=video.gif")
    (here / "samples").mkdir()
    (here / "step_00000010.png").rename("samples/step_00000010.png")
    run("video", ".", "--out=video.gif")
    out = capsys.readouterr().out
    assert "2 grids, steps 10 to 2,000" in out
    assert "1 grids, steps 10 to 10" in out


def test_info(here, capsys):
    run("info", "model.keras")
    out = capsys.readouterr().out
    model = keras.saving.load_model("model.keras")
    for part in (
        "16x16 pixels",
        "3: ant, bee, cat",
        f"{parameters(model.generator):,} parameters",
        "0 steps",
        "discriminator at 8x8, gamma +0.0000",
        "fid 12.35",
        "generator_loss 0.5",
    ):
        assert part in out, part
    for file in ("classes.json", "metrics.json", "log.jsonl"):
        (here / file).unlink()
    config = {"metrics": {"fid": 7.5}}
    (here / "config.json").write_text(json.dumps(config))
    run("info", ".")
    out = capsys.readouterr().out
    assert "no classes.json beside it" in out and "fid 7.5" in out
    (here / "checkpoints").mkdir()
    for step in ("00000900", "00001000"):
        shutil.copy("plain.keras", f"checkpoints/step_{step}.keras")
    (here / "model.keras").rename("checkpoints/step_123456789.keras")
    run("info", ".")  # A run that has not ended: its last checkpoint.
    out = capsys.readouterr().out
    assert "3: no" in out and "fid 7.5" in out
    run("info", "plain.keras")
    assert "classes       none" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["sample"], 2, "arguments are required: MODEL"),
        (["sample", "none.keras"], 1, "no file or folder none.keras"),
        (["sample", "log.jsonl"], 1, "MODEL must be a .keras file"),
        (
            ["sample", "model.keras", "--classes=dog"],
            2,
            "--classes: must be a number from 0 to 2, or a",
        ),
        (["sample", "model.keras", "--classes=3"], 2, "such as 'ant'; not 3"),
        (["sample", "plain.keras", "--classes=1"], 2, "has no classes"),
        (
            ["sample", "plain.keras", "--share_latents"],
            2,
            "--share_latents: needs a model with classes, one --truncation",
        ),
        (["sample", "model.keras", "--count=0"], 2, "from 1 to 100,000, not 0"),
        (["sample", "model.keras", "--truncation=-1"], 2, "from 0.01 to 100"),
        (["sample", "model.keras", "--truncation=x"], 2, "x; none is also"),
        (
            ["sample", "model.keras", "--out=x.txt"],
            2,
            "--out: must end in .png",
        ),
        (["sample", "broken.keras"], 1, "broken.keras, which raised"),
        (
            ["attention", "model.keras", "--out=x.png"],
            2,
            "--out: must be a folder, without the suffix .png; not x.png",
        ),
        (["attention", "model.keras", "--points=1:2:3"], 2, "integers x:y"),
        (["attention", "model.keras", "--points=1:99"], 1, "to (15, 15)"),
        (["attention", "model.keras", "--points=a:b"], 2, "; not a:b"),
        (["attention", "model.keras", "--images=no.png"], 1, "no.png"),
        (["attention", "plain.keras", "--classes=1"], 2, "has no classes"),
        (
            ["attention", "plain.keras", "--classes=1", "--images=a.png"],
            2,
            "not allowed with argument --classes",
        ),
        (["attention", "model.keras", "--images=log.jsonl"], 1, "log.jsonl"),
        (["walk", "model.keras", "--seed=x"], 2, "must be an integer from 0"),
        (["walk", "plain.keras", "--seed=1"], 2, "give several of --seed"),
        (
            ["walk", "model.keras", "--out=walk.mp4"],
            2,
            "must end in .gif, .webp, .apng or .png",
        ),
        (
            ["curves", "model.keras", "--out=x.doc"],
            2,
            "must end in .png, .svg or",
        ),
        (["curves", "nothing.jsonl"], 1, "nothing.jsonl"),
        (["curves", "model.keras"], 1, "must be the folder of a run"),
        (["curves", "classes.json"], 1, 'JSON object with a "step"'),
        (["video", "."], 1, "must hold grids that `SampleGrid` saved"),
        (["video", ".", "--rate=0"], 2, "--rate: must be a number from 0.1"),
        (["info", "log.jsonl"], 1, "must be a .keras file"),
        (["info"], 2, "arguments are required: MODEL"),
    ],
)
def test_errors_are_one_line(arguments, status, message, here, capsys):
    (here / "broken.keras").write_bytes(
        (here / "model.keras").read_bytes()[:-9]
    )
    before = sorted(here.iterdir())
    run(*arguments, status=status)
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1
    assert sorted(here.iterdir()) == before
