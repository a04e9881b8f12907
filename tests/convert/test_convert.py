"""Loading, refusing and writing weights."""

import pathlib

import keras
import numpy as np
import pytest

import keras_sagan
from keras_sagan import convert
from keras_sagan import models
from keras_sagan.convert.layouts import LAYOUTS
from keras_sagan.convert.layouts import stages
from tests.convert.test_sources import load
from tests.helpers import array
from tests.helpers import same
from tests.helpers import values


def model_like_studiogan(resolution=32, num_classes=5, **kwargs):
    defaults = LAYOUTS["studiogan"].defaults
    epsilon = defaults["spectral_epsilon"]
    return keras_sagan.SAGAN(
        models.build_generator(
            resolution,
            num_classes,
            latent_dim=4,
            base_channels=4,
            **{k: v for k, v in defaults.items() if k != "shortcut_after_relu"},
            **kwargs,
        ),
        models.build_discriminator(
            resolution,
            num_classes,
            base_channels=4,
            spectral_epsilon=epsilon,
            shortcut_after_relu=True,
            **kwargs,
        ),
        seed=3,
    )


@pytest.mark.parametrize("resolution", [16, 32, 256])
def test_stages_are_the_networks(resolution, any_singular_vector):
    for side in ("generator", "discriminator"):
        places = (8, 16, 32, 64, 128)
        places = [p for p in places if p < resolution]
        if side == "discriminator":
            last = 8 if resolution == 32 else 4
            places = [p for p in places if p >= last]
        build = getattr(models, f"build_{side}")
        network = build(
            resolution, 3, base_channels=1, attention_resolutions=places
        )
        names = [
            layer.name
            for layer in network.layers
            if layer.name.split("_")[0] in ("up", "block", "attention")
            and layer.name.count("_") == 1
        ]
        assert names == stages(side, resolution, places)


@pytest.mark.once
def test_trains_on_is_saved_and_goes_back(tmp_path, rng):
    model, _, _ = load("studiogan_32", tmp_path)
    before = values(model.generator.trainable_variables)
    images = rng.uniform(-1, 1, (4, 32, 32, 3)).astype("float32")
    model.fit(images, rng.integers(5, size=4), verbose=0)
    after = values(model.generator.trainable_variables)
    assert not any(same(before, after))

    model.save(tmp_path / "x.keras")
    folder = tmp_path / "checkpoints"
    convert.save_weights(model, folder)
    assert sorted(p.name for p in folder.iterdir()) == [
        f"model={name}-best-weights-step=1.pth" for name in ("D", "G", "G_ema")
    ]
    # Of several checkpoints, the one of the latest step is loaded.
    (folder / "model=G-best-weights-step=1.pth").rename(
        folder / "model=G-best-weights-step=1000.pth"
    )
    (folder / "model=G-best-weights-step=999.pth").write_bytes(b"older")
    expected = model.generate(labels=[0, 1, 2], seed=1)
    for again in (
        keras.saving.load_model(tmp_path / "x.keras"),
        convert.load_model(folder, "studiogan"),
    ):
        for side in ("generator", "discriminator", "ema_generator"):
            network = getattr(model, side)
            assert all(
                same(
                    values(network.variables),
                    values(getattr(again, side).variables),
                )
            )
    images = again.generate(labels=[0, 1, 2], seed=1)
    np.testing.assert_array_equal(images, expected)


def test_loads_nothing_of_tensors_that_do_not_fit(tmp_path):
    _, _, weights = load("mmgeneration_studio_32", tmp_path)
    tensors = {
        f"{side}.{name}": x
        for side, arrays in weights.items()
        for name, x in arrays.items()
    }
    del tensors["generator.to_rgb.conv.bias"]
    tensors["generator.to_rgb.bn.weight"] = np.zeros(7)
    tensors["discriminator.surprise"] = np.zeros(3)
    np.savez(tmp_path / "broken.npz", **tensors)
    model = convert.load_model(tmp_path / "weights.npz", "mmgeneration")
    before = values(model.variables)
    with pytest.raises(ValueError, match="nothing was loaded") as error:
        convert.load_weights(model, tmp_path / "broken.npz", "mmgeneration")
    message = str(error.value)
    for part in (
        "generator, missing: to_rgb.conv.bias (3,)",
        "generator, of another shape: to_rgb.bn.weight (7,), not (16,)",
        "discriminator, left over: surprise",
    ):
        assert part in message, message
    assert all(same(before, values(model.variables)))


@pytest.mark.once
def test_one_network_alone(tmp_path):
    """A generator's file gives images; the discriminator stays as it is."""
    model, _, weights = load("studiogan_32", tmp_path)
    path = tmp_path / "model=G_ema-best-weights-step=9.npz"
    np.savez(path, **weights["generator"])
    again = convert.load_model(path, "studiogan")
    np.testing.assert_array_equal(
        again.generate(labels=[1], seed=0), model.generate(labels=[1], seed=0)
    )
    other = model_like_studiogan(attention_resolutions=(16,))
    with pytest.raises(ValueError, match="of another shape"):  # 128 latents.
        convert.load_weights(other, path, "studiogan")
    np.savez(tmp_path / "d.npz", **weights["discriminator"])
    before = array(other.generator.variables[0])
    convert.load_weights(other, tmp_path / "d.npz", "studiogan")
    assert np.array_equal(array(other.generator.variables[0]), before)


@pytest.mark.parametrize(
    ("source", "message"),
    [("keras", "`source` must be one of"), ("released", "must hold a network")],
)
def test_another_source_is_an_error(source, message, tmp_path):
    np.savez(tmp_path / "x.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match=message):
        convert.load_model(tmp_path / "x.npz", source)


def test_layers_of_somebody_else_are_refused_by_name(tmp_path):
    model, _, _ = load("studiogan_32", tmp_path)
    latents, labels = keras.Input((8,)), keras.Input((), dtype="int32")
    x = keras.layers.Embedding(5, 8, name="theirs")(labels)
    x = keras.layers.Dense(32 * 32 * 3, activation="tanh")(latents * x)
    generator = keras.Model(
        [latents, labels], keras.layers.Reshape((32, 32, 3))(x)
    )
    foreign = keras_sagan.SAGAN(
        generator, model.discriminator, num_classes=model.num_classes
    )
    with pytest.raises(ValueError, match="Received: 'theirs' in the generator"):
        convert.load_weights(foreign, tmp_path / "weights.npz", "studiogan")
    with pytest.raises(ValueError, match="Received: 'theirs' in the generator"):
        convert.save_weights(foreign, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_save_weights_needs_studiogans_network(tmp_path):
    pytest.importorskip("torch")
    model = keras_sagan.SAGAN(
        models.build_generator(
            32, 5, latent_dim=4, base_channels=4, spectral_normalization=False
        ),
        models.build_discriminator(32, 5, base_channels=4),
    )
    with pytest.raises(ValueError, match="must have spectral normalization"):
        convert.save_weights(model, tmp_path)
    assert not list(pathlib.Path(tmp_path).iterdir())
    tables = {"class_table_spectral_normalization": True}
    for of_tables, of_discriminator in (({}, True), (tables, False)):
        model = keras_sagan.SAGAN(
            models.build_generator(
                32, 5, latent_dim=4, base_channels=4, **of_tables
            ),
            models.build_discriminator(
                32,
                5,
                base_channels=4,
                spectral_normalization=of_discriminator,
            ),
        )
        with pytest.raises(ValueError, match="must have spectral normal"):
            convert.save_weights(model, tmp_path)
        assert not list(pathlib.Path(tmp_path).iterdir())
    with pytest.raises(ValueError, match="`target` must be"):
        convert.save_weights(model, tmp_path, target="released")
