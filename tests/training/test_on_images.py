"""One function that trains on any images, and what it chooses."""

import keras
import numpy as np
import pytest
from PIL import Image

import keras_sagan
from keras_sagan import cli
from keras_sagan import data
from keras_sagan.training import Run
from keras_sagan.training import choose_resolution
from tests.helpers import same
from tests.helpers import values
from tests.training.test_resume import state

pytestmark = pytest.mark.usefixtures("any_singular_vector")
TINY = {"base_channels": 1, "steps": 2}


class Sized(data.Source):
    """Sixteen gray images that know their size."""

    def __init__(self, native_resolution, one_size=True):
        self.native_resolution = native_resolution
        self.one_size = one_size

    def __len__(self):
        return 16

    def __getitem__(self, index):
        side = self.native_resolution
        return np.full((side, side, 3), index, "uint8"), 0


@pytest.mark.no_backend
@pytest.mark.parametrize(
    ("side", "one_size", "on_cpu", "on_gpu"),
    [
        (8, True, 16, 16),
        (16, True, 16, 16),
        (28, True, 28, 28),
        (32, True, 32, 32),
        (100, True, 64, 96),
        (128, True, 64, 128),
        (256, True, 64, 256),
        (256, False, 64, 128),
        (500, True, 64, 128),
        (40, False, 40, 40),
        (None, False, 64, 128),
    ],
)
def test_the_resolution_that_is_chosen(side, one_size, on_cpu, on_gpu):
    source = Sized(side, one_size)
    assert choose_resolution(source, accelerated=False) == on_cpu
    assert choose_resolution(source, accelerated=True) == on_gpu
    recipe = keras_sagan.choose_recipe(source, accelerated=True)
    assert recipe["generator"]["resolution"] == on_gpu
    recipe = keras_sagan.choose_recipe(source, False, resolution=128)
    assert recipe["discriminator"]["resolution"] == 128


@pytest.mark.no_backend
def test_a_run_of_version_0_1_goes_on(tmp_path, rng):
    """Its settings know neither channels nor pairs of sides."""
    path = npz(tmp_path / "images.npz", 32, rng)
    network = {
        "resolution": 32,
        "num_classes": 2,
        "base_channels": 1,
        "spectral_epsilon": 1e-08,
    }
    adam = {"beta_1": 0.0, "beta_2": 0.999, "epsilon": 1e-08}
    settings = {
        "description": (
            "20 images of 2 classes at 32 pixels, augmented for the "
            "discriminator"
        ),
        "source": "keras_sagan.choose_recipe",
        "generator": {**network, "batch_norm_momentum": 0.9},
        "discriminator": network,
        "model": {
            "ema_momentum": 0.999,
            "ema_start_step": 1000,
            "augmentation": ["color", "translation", "cutout"],
        },
        "generator_optimizer": {"learning_rate": 2e-4, **adam},
        "discriminator_optimizer": {"learning_rate": 4e-4, **adam},
        "batch_size": 16,
        "steps": None,
        "seed": 0,
    }
    run = Run(tmp_path / "run")
    run.write_settings(settings, ["0", "1"])
    model = keras_sagan.train_on_images(path, run.path, steps=1)
    assert model.count_steps() == 1 and run.settings() == settings


@pytest.mark.no_backend
def test_too_few_images():
    few = data.ArrayImages(np.zeros((15, 32, 32, 3), "uint8"))
    with pytest.raises(ValueError, match=r"at least 16 images.* 15 images"):
        keras_sagan.choose_recipe(few)


def npz(path, side, rng, n=20):
    images = rng.integers(256, size=(n, side, side, 3), dtype="uint8")
    np.savez(path, images=images, labels=np.arange(n) % 2)
    return path


@pytest.mark.no_backend
def test_messages_of_the_command_line_name_its_options(
    tmp_path, rng, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    images = rng.integers(256, size=(20, 16, 16, 3)).astype("uint8")
    np.savez("few.npz", images=images[:3])
    assert cli.main(["train", "few.npz"]) == 1
    assert "train: IMAGES must have at least 16" in capsys.readouterr().err
    np.savez("images.npz", images=images)
    run = keras_sagan.training.Run("here")
    run.path.mkdir()
    run.write_settings({"seed": 3})
    assert cli.main(["train", "images.npz", "--out=here", "--seed=4"]) == 1
    err = capsys.readouterr().err
    assert "train: --out holds a run with other settings" in err
    assert "--out=here" in err and "workdir" not in err


@pytest.mark.no_backend
def test_an_npz_of_32_pixels_trains_without_a_flag(tmp_path, rng, capsys):
    path = npz(tmp_path / "mine.npz", 32, rng)
    model = keras_sagan.train_on_images(path, tmp_path / "run", **TINY)
    assert model.image_shape == (32, 32, 3) and model.num_classes == 2
    assert model.count_steps() == 2
    out = capsys.readouterr().out
    assert "Chosen: 20 images of 2 classes at 32 pixels" in out
    assert "networks of width 1; 2 steps with batches of 16" in out
    assert "resized" not in out
    run = Run(tmp_path / "run")
    assert run.class_names() == ["0", "1"]
    assert not run.images_path(32).exists()  # Arrays are used as they are.
    again = keras.saving.load_model(run.latest_model())
    assert all(same(values(state(again)), values(state(model))))


@pytest.mark.no_backend
def test_it_continues_as_it_was_begun(tmp_path, rng, capsys):
    """What was said at the beginning need not be said again."""
    path, run = npz(tmp_path / "a.npz", 32, rng), tmp_path / "run"
    begun = {"resolution": 16, "base_channels": 1, "seed": 5}
    keras_sagan.train_on_images(path, run, steps=3, **begun)
    assert len(data.PreparedImages(Run(run).images_path(16))) == 20
    model = keras_sagan.train_on_images(path, run, steps=5)
    assert "Continuing from step 3" in capsys.readouterr().out
    assert model.image_shape == (16, 16, 3)
    whole = keras_sagan.train_on_images(path, tmp_path / "w", steps=5, **begun)
    assert all(same(values(state(model)), values(state(whole))))
    for argument, message in (
        ({"seed": 1}, "seed=5, now 1"),
        ({"base_channels": 2}, r"generator\.base_channels=1, now 2"),
        ({"resolution": 32}, r"generator\.resolution=16, now 32"),
    ):
        with pytest.raises(ValueError, match=message):
            keras_sagan.train_on_images(path, run, **argument)


@pytest.mark.no_backend
def test_the_precision_is_that_of_the_run(tmp_path, rng, capsys):
    path, run = npz(tmp_path / "a.npz", 16, rng), tmp_path / "run"
    with pytest.raises(ValueError, match="Received: precision='float16'"):
        keras_sagan.train_on_images(path, run, precision="float16")
    assert not run.exists()
    command = ["train", str(path), f"--out={run}", "--base_channels=1"]
    half = ["--precision=mixed_float16", "--steps=1"]
    assert cli.main([*command, *half]) == 0
    assert "networks of width 1 in mixed_float16" in capsys.readouterr().out
    model = keras_sagan.train_on_images(path, run, steps=2)
    assert model.loss_scale is not None and model.count_steps() == 2
    assert (
        model.generator.get_layer("up_16_conv_1").layer.compute_dtype
        == "float16"
    )
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    with pytest.raises(ValueError, match="now mixed_bfloat16"):
        keras_sagan.train_on_images(
            path, run, steps=3, precision="mixed_bfloat16"
        )
    with pytest.raises(ValueError, match="`precision` must be None if a model"):
        keras_sagan.train_on_images(
            path,
            tmp_path / "new",
            from_model=model,
            precision="mixed_float16",
        )
    assert not (tmp_path / "new").exists()
    # A run that began in float32 names no precision, as before.
    keras_sagan.train_on_images(path, tmp_path / "single", **TINY)
    assert "precision" not in Run(tmp_path / "single").settings()
    with pytest.raises(ValueError, match="now mixed_float16"):
        keras_sagan.train_on_images(
            path, tmp_path / "single", precision="mixed_float16"
        )


@pytest.mark.no_backend
def test_a_run_goes_on_on_another_device(tmp_path, monkeypatch, capsys):
    """With a GPU, a new run would have larger batches."""
    pixels = np.zeros((70, 16, 16, 3), "uint8")
    source = data.ArrayImages(pixels)
    for steps, accelerated in ((2, False), (3, True)):
        monkeypatch.setattr(
            "keras_sagan.backends.has_accelerator", lambda is_=accelerated: is_
        )
        keras_sagan.train_on_images(
            source, tmp_path / "run", base_channels=1, steps=steps
        )
        assert "batches of 32" in capsys.readouterr().out
    keras_sagan.train_on_images(source, tmp_path / "new", **TINY)
    assert "batches of 64" in capsys.readouterr().out


@pytest.mark.no_backend
def test_a_folder_is_prepared_once(tmp_path, monkeypatch, capsys, rng):
    for i in range(18):
        pixels = rng.integers(256, size=(40, 36, 3), dtype="uint8")
        path = tmp_path / "pets" / ("cat", "dog")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    (tmp_path / "pets" / "cat" / "notes.txt").write_text("meow")
    monkeypatch.chdir(tmp_path)
    seen = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(epoch)
    )
    keras_sagan.train_on_images("pets", callbacks=[callback], **TINY)
    assert seen == [0]
    run = Run("runs/pets")
    assert run.class_names() == ["cat", "dog"]
    shards = run.images_path(32) / "shard-00000.images.npy"
    written = shards.stat().st_mtime_ns
    out = capsys.readouterr().out
    assert "1 file was left out:\n  cat/notes.txt: not an image" in out
    keras_sagan.train_on_images("pets", base_channels=1, steps=3)
    assert shards.stat().st_mtime_ns == written


@pytest.mark.no_backend
def test_digits_train_at_16(tmp_path, capsys):
    model = keras_sagan.train_on_images("digits", tmp_path, **TINY)
    assert model.image_shape == (16, 16, 3) and model.num_classes == 10
    out = capsys.readouterr().out
    assert "The images have 8 pixels and are resized to 16" in out
    prepared = data.PreparedImages(tmp_path / "images_16")
    np.testing.assert_array_equal(prepared[5][0], data.load_digits(16)[0][5])


@pytest.mark.no_backend
def test_prepared_images_too_large_for_a_cpu(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("keras_sagan.backends.has_accelerator", lambda: False)
    source = data.prepare(Sized(128), tmp_path / "prepared")
    with pytest.raises(ValueError, match="`workdir` must be given"):
        keras_sagan.train_on_images(source)
    model = keras_sagan.train_on_images(source, tmp_path / "run", **TINY)
    assert model.image_shape == (64, 64, 3)
    out = capsys.readouterr().out
    assert "The images have 128 pixels and are resized to 64" in out
    assert "begin a run with resolution=128" in out


@pytest.mark.no_backend
@pytest.mark.parametrize("kind", ["npz", "folder"])
def test_prepare_and_train_with_all_defaults(kind, tmp_path, capsys, rng):
    """A shell gives only the folders, and how short the run is."""
    if kind == "npz":
        images = npz(tmp_path / "images.npz", 48, rng)
    else:
        images = tmp_path / "images"
        images.mkdir()
        for i in range(17):
            Image.new("RGB", (50 + i, 45), (i, 0, 0)).save(images / f"{i}.png")
    side = {"npz": 48, "folder": 40}[kind]
    prepared, run = tmp_path / "prepared", tmp_path / "run"
    assert cli.main(["prepare", str(images), f"--out={prepared}"]) == 0
    assert data.open_images(prepared).native_resolution == side
    train = ["train", str(prepared), f"--out={run}", "--steps=1"]
    assert cli.main(train) == 0
    assert f"at {side} pixels" in capsys.readouterr().out
    model = keras.saving.load_model(Run(run).latest_model())
    assert model.image_shape == (side, side, 3)
    assert not Run(run).images_path(side).exists()
