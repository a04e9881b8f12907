"""Generators of any layers are exported, or refused by the layer's name."""

import json
import types

import keras
import numpy as np
import pytest
from keras import layers

import keras_sagan
from keras_sagan import export
from keras_sagan.layers import SpectralNormalization
from keras_sagan.layers.calls import call
from keras_sagan.layers.dense import Dense
from keras_sagan.layers.nested import flatten_layers
from tests.helpers import array

CLASSES, LATENTS = 3, 6


def grown(x):
    """Keras' own layers, from features to images of 8 pixels."""
    x = layers.Dense(2 * 2 * 4)(x)
    x = layers.Reshape((2, 2, 4))(x)
    for _ in range(2):
        x = layers.BatchNormalization()(x)
        x = layers.LeakyReLU()(x)
        x = layers.Dropout(0.5)(x)
        x = layers.Conv2DTranspose(4, 4, strides=2, padding="same")(x)
    x = SpectralNormalization(layers.Conv2D(3, 3, padding="same"))(x)
    return keras.ops.tanh(3 * x)


def conditional():
    latents = keras.Input((LATENTS,), name="noise")
    kind = keras.Input((), dtype="int32", name="kind")
    table = layers.Embedding(CLASSES, 5)(kind)
    x = layers.Concatenate()([latents, table])
    return keras.Model([latents, kind], grown(x), name="theirs")


def one_hot():
    latents = keras.Input((LATENTS,))
    kind = keras.Input((CLASSES,))
    return keras.Model(
        [latents, kind], grown(layers.Concatenate()([latents, kind]))
    )


def unconditional():
    noise = keras.Input((LATENTS,), name="noise")
    return keras.Model(noise, grown(noise))


def nested():
    noise = keras.Input((LATENTS,), name="noise")
    trunk = keras.Sequential([layers.Dense(7), layers.ReLU()], name="trunk")
    top = keras.Model(hidden := keras.Input((7,)), grown(hidden), name="top")
    return keras.Model(noise, top(trunk(noise)))


@keras.saving.register_keras_serializable(package="tests")
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(8 * 8 * 3, activation="tanh", name="dense")
        self.norm = layers.BatchNormalization(name="norm")
        self.reshape = layers.Reshape((8, 8, 3))

    def call(self, inputs, training=False):
        return self.reshape(self.dense(self.norm(inputs, training=training)))


def subclassed():
    generator = Subclassed(name="own")
    generator(np.zeros((1, LATENTS), "float32"))
    return generator


KINDS = {
    make.__name__: make
    for make in (conditional, one_hot, unconditional, nested, subclassed)
}


def model_of(generator):
    """What the exporters ask of a `SAGAN`."""
    rng = np.random.default_rng(0)
    for variable in generator.weights:
        if variable.path.endswith("moving_variance"):
            variable.assign(rng.uniform(0.5, 2, variable.shape))
        elif not variable.path.endswith(("/u", "/v")):
            noise = rng.normal(0, 0.2, variable.shape)
            variable.assign(array(variable) + noise)
    return types.SimpleNamespace(
        generator=generator,
        ema_generator=generator,
        num_classes=CLASSES if len(inputs_of(generator)) > 1 else None,
        latent_dim=LATENTS,
        resolution=8,
        image_shape=(8, 8, 3),
        sync_variables=lambda: None,
        count_steps=lambda: 5,
    )


def inputs_of(generator):
    latents = np.random.default_rng(1).normal(size=(4, LATENTS))
    inputs = [latents.astype("float32")]
    if len(getattr(generator, "inputs", None) or ()) > 1:
        inputs.append(np.array([2, 0, 1, 1]))
    return inputs


def images_of(generator, inputs):
    latents, labels = [*inputs, None][:2]
    images = array(call(generator, latents, labels, training=False))
    assert images.std() > 0.1
    return images


@pytest.mark.parametrize("kind", KINDS)
def test_plain_generator_gives_the_images(kind):
    model = model_of(KINDS[kind]())
    plain = export.plain_generator(model)
    assert not any(
        isinstance(x, SpectralNormalization) for x in flatten_layers(plain)
    )
    inputs = inputs_of(model.generator)
    np.testing.assert_allclose(
        images_of(plain, inputs), images_of(model.generator, inputs), atol=1e-5
    )


@pytest.mark.no_backend
@pytest.mark.parametrize("kind", KINDS)
def test_plain_generator_computes_in_float32(kind):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = model_of(KINDS[kind]())
    keras.config.set_dtype_policy("float32")
    plain = export.plain_generator(model)
    inputs = inputs_of(model.generator)
    images, rough = (
        images_of(plain, inputs),
        images_of(model.generator, inputs).astype("float32"),
    )
    assert images.dtype == np.float32
    assert 1e-5 < np.abs(images - rough).max() < 0.1
    assert {x.compute_dtype for x in flatten_layers(plain)} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("kind", KINDS)
def test_keras_file(kind, tmp_path):
    model = model_of(KINDS[kind]())
    export.to_keras(model, tmp_path / "x.keras")
    inputs = inputs_of(model.generator)
    np.testing.assert_allclose(
        images_of(keras.saving.load_model(tmp_path / "x.keras"), inputs),
        images_of(model.generator, inputs),
        atol=1e-5,
    )


@pytest.mark.no_backend
@pytest.mark.parametrize("kind", KINDS)
def test_safetensors(kind, tmp_path):
    from safetensors import safe_open

    model = model_of(KINDS[kind]())
    export.to_safetensors(model, tmp_path / "x.safetensors")
    plain = export.plain_generator(model)
    with safe_open(tmp_path / "x.safetensors", "np") as file:
        assert set(file.keys()) == {x.path for x in plain.weights}
        for weight in plain.weights:
            np.testing.assert_array_equal(
                file.get_tensor(weight.path), array(weight)
            )
        assert json.loads(file.metadata()["num_classes"]) == model.num_classes


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="It is refused on PyTorch."
)
@pytest.mark.parametrize("kind", KINDS)
def test_saved_model(kind, tmp_path):
    import tensorflow

    model = model_of(KINDS[kind]())
    export.to_saved_model(model, tmp_path / "x")
    serve = tensorflow.saved_model.load(tmp_path / "x").signatures["serve"]
    inputs = inputs_of(model.generator)
    served = serve(
        **{
            name: tensorflow.constant(x)
            for name, x in zip(("latents", "labels"), inputs)
        }
    )
    np.testing.assert_allclose(
        served["images"].numpy(), images_of(model.generator, inputs), atol=1e-5
    )


@pytest.mark.no_backend
@pytest.mark.parametrize(
    ("kind", "layer"),
    [
        ("conditional", "embedding.*Embedding"),
        ("one_hot", "concatenate.*Concatenate"),
        ("unconditional", "dense.*Dense"),
        ("nested", "trunk.*Sequential"),
        ("subclassed", "own.*Subclassed"),
    ],
)
def test_onnx_names_the_layer_that_it_cannot_write(kind, layer, tmp_path):
    with pytest.raises(ValueError, match=f"written as ONNX. .*'{layer}"):
        export.to_onnx(model_of(KINDS[kind]()), tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.no_backend
def test_onnx_inputs_have_our_names(any_singular_vector, tmp_path):
    """Whatever the network calls its inputs."""
    import onnxruntime

    ours = keras_sagan.models.build_generator(
        16, CLASSES, LATENTS, base_channels=2
    )
    noise = keras.Input((LATENTS,), name="noise")
    kind = keras.Input((), dtype="int32", name="kind")
    generator = keras.models.clone_model(ours, [noise, kind])
    export.to_onnx(model_of(generator), tmp_path / "x.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "x.onnx")
    assert [x.name for x in session.get_inputs()] == ["latents", "labels"]


@pytest.mark.no_backend
def test_an_activation_inside_of_a_layer_is_not_lost(tmp_path):
    noise = keras.Input((LATENTS,))
    x = Dense(12, activation="relu", name="mine")(noise)
    generator = keras.Model(noise, layers.Reshape((2, 2, 3))(x))
    with pytest.raises(ValueError, match=r"written as ONNX\. .*'mine'"):
        export.to_onnx(model_of(generator), tmp_path / "x.onnx")


@keras.saving.register_keras_serializable(package="tests")
class Namesakes(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(LATENTS, name="same")
        self.second = layers.Dense(LATENTS, name="same")

    def call(self, inputs):
        return self.second(self.first(inputs))


@pytest.mark.no_backend
def test_weights_of_one_path_are_refused(tmp_path):
    generator = Namesakes()
    generator(np.zeros((1, LATENTS), "float32"))
    with pytest.raises(ValueError, match="4 weights with 2 paths"):
        export.to_safetensors(model_of(generator), tmp_path / "x")
