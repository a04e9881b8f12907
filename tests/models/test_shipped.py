"""Weights that come with the package."""

import hashlib

import numpy as np
import pytest

import keras_sagan
from keras_sagan import cli
from keras_sagan.files import weights_path
from keras_sagan.models import shipped
from tests.helpers import array

NAMES = keras_sagan.list_weights()


@pytest.mark.parametrize("name", NAMES)
def test_images_are_the_same_on_every_backend(name):
    model = keras_sagan.SAGAN.from_preset(name, weights=True)
    levels, of_logits = shipped.check(model, name)
    assert levels <= 1
    assert of_logits < 1e-2
    about = keras_sagan.describe_weights(name)
    assert model.count_steps() == about["steps_trained"] > 0
    assert len(about["class_names"]) == model.num_classes
    # Both generators are the EMA generator, to fine-tune from.
    for a, b in zip(
        model.generator.variables, model.ema_generator.variables, strict=True
    ):
        assert np.array_equal(array(a), array(b))
    if model.loss.needs_real_logits:
        return  # Only differences of logits mean something.
    # The discriminator tells images from noise.
    images = model.generate(np.arange(20) % model.num_classes, seed=3)
    noise = np.random.default_rng(0).integers(0, 256, images.shape, "uint8")
    labels = (np.arange(20) % model.num_classes).astype("int32")
    logits = [
        array(model.discriminator([x / 127.5 - 1, labels])).mean()
        for x in (images.astype("float32"), noise.astype("float32"))
    ]
    assert logits[0] > logits[1]


@pytest.mark.no_backend
@pytest.mark.parametrize("name", NAMES)
def test_files_are_those_that_were_made(name):
    path = weights_path(name)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest == keras_sagan.describe_weights(name)["sha256"]


@pytest.mark.no_backend
def test_they_are_small():
    assert NAMES
    sizes = [weights_path(name).stat().st_size for name in NAMES]
    assert sum(sizes) < 8 * 2**20


@pytest.mark.no_backend
@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_takes_their_names(
    name, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    about = keras_sagan.describe_weights(name)
    classes = ",".join(about["class_names"][:2])
    assert cli.main(["sample", name, f"--classes={classes}", "--count=2"]) == 0
    assert (tmp_path / "samples.png").exists()
    assert cli.main(["info", name]) == 0
    printed = capsys.readouterr().out
    assert f"networks of   {name}" in printed and "license" in printed
    assert cli.main(["presets"]) == 0
    printed = capsys.readouterr().out
    assert f"{name}, with weights\n" in printed
    assert "imagenet_128\n" in printed


@pytest.mark.no_backend
@pytest.mark.parametrize("name", ["imagenet_128", {"model": {}}])
def test_other_presets_have_none(name):
    with pytest.raises(ValueError, match=r"`weights` must be False.*convert"):
        keras_sagan.SAGAN.from_preset(name, weights=True)
