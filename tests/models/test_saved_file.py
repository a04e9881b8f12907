import json
import zipfile

import keras
import pytest

from keras_sagan import SAGAN
from keras_sagan import models
from tests.helpers import array
from tests.helpers import parameters
from tests.helpers import tiny_networks

pytestmark = [
    pytest.mark.no_backend,
    pytest.mark.usefixtures("any_singular_vector"),
]


@pytest.mark.parametrize(
    ("num_classes", "options", "tables"),
    [
        (3, {}, {}),
        (None, {"attention": "paper"}, {}),
        (5, {}, {"class_table_spectral_normalization": True}),
        (2, {"attention": models.residual_control}, {}),
        (2, {"attention_resolutions": (8, 16)}, {}),
        (2, {"attention_resolutions": (), "spectral_normalization": False}, {}),
    ],
)
def test_says_what_was_saved(num_classes, options, tables, tmp_path):
    generator, discriminator = tiny_networks(
        num_classes, 32, **options, **tables
    )
    gamma = 0.25
    for network in (generator, discriminator):
        for layer in network.layers:
            if layer.name.startswith("attention"):
                layer.gamma.assign(gamma := gamma + 0.5)
    model = SAGAN(generator, discriminator)
    model.steps_trained.assign(7)
    model.save(tmp_path / "model.keras")
    about = models.describe_file(tmp_path / "model.keras")
    assert about["image_shape"] == (32, 32, 3) and about["latent_dim"] == 8
    assert about["num_classes"] == num_classes
    assert about["parameters"] == {
        "generator": parameters(generator),
        "discriminator": parameters(discriminator),
    }
    assert about["steps_trained"] == 7 and about["presets"] == []
    places = [
        (
            network.name,
            layer.name,
            layer.input.shape[1],
            float(array(layer.gamma)),
        )
        for network in (generator, discriminator)
        for layer in network.layers
        if layer.name.startswith("attention")
    ]
    assert [tuple(place.values()) for place in about["attention"]] == places


def test_knows_the_recipe_and_reads_a_compressed_file(tmp_path):
    path = tmp_path / "model.keras"
    SAGAN.from_preset("digits").save(path)
    assert models.describe_file(path)["presets"] == ["digits"]
    with zipfile.ZipFile(path) as stored:
        other = zipfile.ZipFile(tmp_path / "x.keras", "w", zipfile.ZIP_DEFLATED)
        with other:
            for name in stored.namelist():
                other.writestr(name, stored.read(name))
    assert models.describe_file(tmp_path / "x.keras") == models.describe_file(
        path
    )


def test_refuses_what_is_no_sagan(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("hello")
    with pytest.raises(ValueError, match=r"must be a whole .keras file"):
        models.describe_file(path)
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    with pytest.raises(ValueError, match=r"must be a whole .keras file"):
        models.describe_file(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {}}))
    with pytest.raises(ValueError, match=r"must be a whole .keras file"):
        models.describe_file(path)
