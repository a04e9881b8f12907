import keras
import pytest

import keras_sagan
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
    assert set(preset) == {
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


def test_from_preset_is_compiled_with_the_recipe():
    model = keras_sagan.SAGAN.from_preset("cifar10_32", seed=5)
    assert model.compiled and model.seed == 5
    assert model.resolution == 32
    assert model.discriminator_steps == 5
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
        assert optimizer.beta_1 == 0.5
    assert isinstance(model, keras.Model)


def test_refuses_an_unknown_name():
    with pytest.raises(ValueError, match="must be one of 'imagenet_128'"):
        keras_sagan.SAGAN.from_preset("imagenet_64")
