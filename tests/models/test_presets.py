import keras
import pytest

import keras_sagan
from keras_sagan import losses
from keras_sagan.models import build_discriminator
from keras_sagan.models import build_generator
from tests.helpers import parameters


@pytest.mark.no_backend
@pytest.mark.parametrize("name", keras_sagan.list_presets())
def test_parameter_counts_are_those_stated(name, any_singular_vector):
    preset = keras_sagan.get_preset(name)
    assert preset["parameters"] == (
        parameters(build_generator(**preset["generator"])),
        parameters(build_discriminator(**preset["discriminator"])),
    )


@pytest.mark.parametrize("name", keras_sagan.list_presets())
def test_is_plain_data_and_whole(name):
    preset = keras_sagan.get_preset(name)
    assert set(preset) - {"loss", "gradient_penalty"} == {
        "description",
        "source",
        "parameters",
        "generator",
        "discriminator",
        "model",
        "generator_optimizer",
        "discriminator_optimizer",
        "batch_size",
        "steps",
        "data",
    }
    model = preset["model"]
    parts = model.get("discriminator_steps", 1) * model.get(
        "gradient_accumulation_steps", 1
    )
    assert preset["batch_size"] % parts == 0


def test_is_the_callers_own():
    keras_sagan.get_preset("digits")["generator"]["resolution"] = 0
    assert keras_sagan.get_preset("digits")["generator"]["resolution"] == 16


@pytest.mark.once
def test_from_preset_is_compiled_with_the_recipe():
    model = keras_sagan.SAGAN.from_preset("cifar10_32", seed=5)
    assert model.compiled and model.seed == 5
    assert model.resolution == 32
    assert model.discriminator_steps == 5
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
        assert optimizer.beta_1 == 0.5
    assert isinstance(model, keras.Model)


def test_from_preset_has_the_loss_of_the_recipe():
    assert isinstance(
        keras_sagan.SAGAN.from_preset("digits").loss, losses.HingeLoss
    )
    preset = keras_sagan.get_preset("digits")
    preset["loss"] = "relativistic"
    preset["gradient_penalty"] = {"R1": {"weight": 0.5, "every": 3}}
    preset["gradient_penalty"]["R2"] = {"weight": 2.0}
    model = keras_sagan.SAGAN.from_preset(preset)
    assert isinstance(model.loss, losses.RelativisticLoss)
    r1, r2 = model.penalties
    assert isinstance(r1, losses.R1) and isinstance(r2, losses.R2)
    assert r1.weight == 0.5 and r1.every == 3
    assert r2.weight == 2.0 and r2.every == 1


def test_refuses_an_unknown_name():
    with pytest.raises(ValueError, match="must be one of 'imagenet_128'"):
        keras_sagan.SAGAN.from_preset("imagenet_64")
