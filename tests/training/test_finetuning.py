"""Training that starts from a trained model."""

import keras
import numpy as np
import pytest

import keras_sagan
from keras_sagan import cli
from keras_sagan import data
from keras_sagan.training import Run
from tests.helpers import array
from tests.helpers import tiny_model

pytestmark = pytest.mark.usefixtures("any_singular_vector")


@pytest.fixture
def source(rng):
    images = rng.integers(256, size=(20, 16, 16, 3), dtype="uint8")
    return data.ArrayImages(images, np.arange(20) % 2, ["b", "new"])


@pytest.mark.no_backend
def test_a_run_starts_from_a_model_and_goes_on(source, tmp_path, capsys):
    model = tiny_model()
    before = [array(v) for v in model.variables]
    run = Run(tmp_path / "run")
    kept = []

    class Keep(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            kept.append(self.model.generate([0, 1], seed=1))

    given = {
        "from_model": model,
        "from_class_names": ["a", "b", "c"],
        "freeze_discriminator": 1,
    }
    new = keras_sagan.train_on_images(
        source, run.path, steps=1, callbacks=[Keep()], **given
    )
    # It began as class b and as the mean of all classes.
    latents, _ = model.draw_inputs([1, 0], seed=1)
    b = model.generate(1, latents=latents[:1])
    mean = model.generate(
        class_weights=np.full((1, 3), 1 / 3), latents=latents[1:]
    )
    assert np.array_equal(kept[0][0], b[0])
    assert np.abs(kept[0][1].astype(int) - mean[0]).max() <= 1
    assert new.num_classes == 2 and new.count_steps() == 1
    frozen = new.discriminator.get_layer("block_1_conv_1")
    assert not frozen.trainable
    printed = capsys.readouterr().out
    assert "the networks of the model that it starts from" in printed
    for a, v in zip(before, model.variables, strict=True):
        assert np.array_equal(a, array(v))
    # It goes on with or without the model, but not from another one.
    again = keras_sagan.train_on_images(source, run.path, steps=2)
    assert again.count_steps() == 2
    assert not again.discriminator.get_layer("block_1_conv_1").trainable
    keras_sagan.train_on_images(source, run.path, steps=2, **given)
    model.ema_generator.variables[0].assign(
        array(model.ema_generator.variables[0]) + 1
    )
    with pytest.raises(ValueError, match=r"other settings.*from_model="):
        keras_sagan.train_on_images(source, run.path, steps=3, **given)


@pytest.mark.no_backend
def test_other_sizes_than_the_models_are_refused(source, tmp_path):
    model = tiny_model(compiled=False)
    for name, value in (
        ("resolution", 32),
        ("base_channels", 4),
        ("channels", 1),
    ):
        with pytest.raises(
            ValueError, match=f"`{name}` must be that of the model"
        ):
            keras_sagan.train_on_images(
                source, tmp_path / "run", from_model=model, **{name: value}
            )
    with pytest.raises(ValueError, match="`from_model` must be a `SAGAN`"):
        keras_sagan.train_on_images(source, tmp_path / "run", from_model=3)
    with pytest.raises(ValueError, match="must be an integer from 0 to 4"):
        keras_sagan.train_on_images(
            source,
            tmp_path / "run",
            from_model=model,
            freeze_discriminator=5,
            steps=1,
        )
    with pytest.raises(ValueError, match="`freeze_discriminator` must be 0"):
        keras_sagan.train_on_images(
            source, tmp_path / "run", freeze_discriminator=1
        )


@pytest.mark.no_backend
def test_a_killed_run_needs_its_model_until_the_first_checkpoint(
    source, tmp_path
):
    model = tiny_model()
    run = Run(tmp_path / "run")

    class Killed(Exception):
        pass

    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise Killed

    with pytest.raises(Killed):
        keras_sagan.train_on_images(
            source, run.path, steps=9, from_model=model, callbacks=[Kill()]
        )
    with pytest.raises(ValueError, match="`from_model` must be given again"):
        keras_sagan.train_on_images(source, run.path, steps=1)
    again = keras_sagan.train_on_images(
        source, run.path, steps=1, from_model=model
    )
    assert again.latent_dim == 8  # That model's, not of new networks.
    with pytest.raises(ValueError, match=r"other settings.*freeze_disc"):
        keras_sagan.train_on_images(
            source, run.path, steps=2, freeze_discriminator=2
        )
    with pytest.raises(ValueError, match="`base_channels` must be None"):
        keras_sagan.train_on_images(source, run.path, base_channels=2)


@pytest.mark.no_backend
def test_loss_and_parts_of_the_batch_are_the_models(source, tmp_path):
    model = tiny_model(discriminator_steps=3, compiled=False)
    model.compile(
        loss="relativistic", gradient_penalty=keras_sagan.losses.R1(0.5)
    )
    new = keras_sagan.train_on_images(
        source, tmp_path / "run", steps=1, from_model=model
    )
    assert new.discriminator_steps == 3
    assert new.loss.name == "relativistic" and len(new.penalties) == 1
    settings = Run(tmp_path / "run").settings()
    assert settings["batch_size"] == 15  # Of 16, what divides by 3.


@pytest.mark.no_backend
def test_the_command_line_starts_from_a_run(tmp_path, rng, capsys):
    model = tiny_model()
    old, new = Run(tmp_path / "old"), Run(tmp_path / "new")
    old.path.mkdir()
    model.save(old.model_path)
    images = rng.integers(256, size=(20, 16, 16, 3), dtype="uint8")
    np.savez(tmp_path / "x.npz", images=images, labels=np.arange(20) % 4)
    given = ["train", str(tmp_path / "x.npz"), f"--out={new.path}"]
    assert cli.main([*given, f"--from={old.path}", "--steps=1"]) == 0
    trained = keras.saving.load_model(new.model_path)
    assert trained.image_shape == (16, 16, 3) and trained.num_classes == 4
    assert cli.main([*given, "--freeze_discriminator=1"]) == 2
    assert "--freeze_discriminator: needs --from" in capsys.readouterr().err
    assert cli.main([*given, f"--from={tmp_path}/none"]) == 1
