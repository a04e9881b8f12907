"""Exported generators: the images of the model, from other programs."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import onnxruntime as ort
import pytest

import keras_sagan
from keras_sagan import export
from keras_sagan import models
from keras_sagan.export import formats
from keras_sagan.layers import SelfAttention2D
from keras_sagan.layers import SpectralNormalization
from keras_sagan.layers.nested import flatten_layers
from tests.helpers import array
from tests.helpers import tiny_model

ROOT = pathlib.Path(__file__).parents[2]
# The graph is made of the layers alone: one form under every backend is enough.
once = pytest.mark.no_backend
FORMS = {
    "released": {},
    "paper": {"attention": "paper"},
    "residual": {"attention": models.residual_control},
    "none": {"attention_resolutions": ()},
    "tables": {"class_table_spectral_normalization": True},
    "plain": {"spectral_normalization": False},
    "unfused": {"fused_resampling": False},
    "unconditional": {"num_classes": None},
    "64": {"resolution": 64, "attention_resolutions": (16, 64)},
}


def model_of(resolution=16, num_classes=3, base_channels=4, **kwargs):
    """A SAGAN whose generators differ, with attention that is seen."""
    model = keras_sagan.SAGAN(
        keras_sagan.models.build_generator(
            resolution,
            num_classes,
            latent_dim=8,
            base_channels=base_channels,
            **kwargs,
        ),
        keras_sagan.models.build_discriminator(
            resolution, num_classes, base_channels=2
        ),
    )
    rng = np.random.default_rng(0)
    for variable in model.ema_generator.variables:
        name = variable.path.split("/")[-1]
        if name == "gamma" and not variable.shape:  # An attention's.
            variable.assign(3.0)
        elif name == "moving_variance":
            variable.assign(rng.uniform(0.5, 2, variable.shape))
        elif name not in ("u", "v"):
            noise = rng.normal(0, 0.2, variable.shape)
            variable.assign(array(variable) + noise)
    return model


def inputs_of(model, n=3):
    rng = np.random.default_rng(n)
    inputs = {
        "latents": rng.normal(size=(n, model.latent_dim)).astype("float32")
    }
    if model.num_classes is not None:
        inputs["labels"] = rng.integers(model.num_classes, size=n)
    return inputs


def images_of(generator, inputs):
    inputs = list(inputs.values())
    return array(generator(inputs if len(inputs) > 1 else inputs[0]))


@pytest.fixture
def model(any_singular_vector):
    return model_of()


@pytest.mark.parametrize(
    "form",
    [
        "released",
        *(pytest.param(x, marks=once) for x in FORMS if x != "released"),
    ],
)
def test_onnx_gives_the_images(form, tmp_path, any_singular_vector):
    model = model_of(**FORMS[form])
    path = tmp_path / "generator.onnx"
    export.to_onnx(model, path)
    session = ort.InferenceSession(path)
    assert [x.name for x in session.get_outputs()] == ["images"]
    inputs = inputs_of(model)
    (images,) = session.run(None, inputs)
    expected = images_of(model.ema_generator, inputs)
    assert expected.std() > 0.05
    # Without norms, rounding grows from layer to layer.
    np.testing.assert_allclose(images, expected, atol=1e-3)
    one = {name: x[:1] for name, x in inputs.items()}
    np.testing.assert_allclose(
        session.run(None, one)[0], expected[:1], atol=1e-3
    )
    assert list(tmp_path.iterdir()) == [path]


@once
def test_attention_is_exported(model, tmp_path):
    """The images differ from those without it: the comparison would see."""
    inputs = inputs_of(model)
    before = images_of(model.ema_generator, inputs)
    for layer in flatten_layers(model.ema_generator):
        if isinstance(layer, SelfAttention2D):
            layer.gamma.assign(0.0)
    after = images_of(model.ema_generator, inputs)
    assert np.abs(before - after).max() > 2 / 127.5


@once
def test_onnx_holds_weights_and_nothing_random(any_singular_vector, tmp_path):
    import onnx

    model = model_of(32, base_channels=16)
    path = tmp_path / "generator.onnx"
    export.to_onnx(model, path)
    weights = 4 * model.ema_generator.count_params()
    assert path.stat().st_size < 1.1 * weights
    proto = onnx.load(path)
    kinds = {node.op_type for node in proto.graph.node}
    assert not any("Random" in kind or kind == "Dropout" for kind in kinds)
    about = {x.key: x.value for x in proto.metadata_props}
    assert about["num_classes"] == "3"
    session = ort.InferenceSession(path)
    inputs = inputs_of(model)
    first, second = (session.run(None, inputs)[0] for _ in range(2))
    assert np.array_equal(first, second)
    with pytest.raises(Exception, match="out of"):
        session.run(None, {**inputs, "labels": np.array([0, 3, 1])})


@once
@pytest.mark.skipif(
    sys.platform != "linux", reason="Other systems refuse such a name"
)
def test_onnx_file_with_any_name(model, tmp_path):
    path = tmp_path / "a\udcff.onnx"  # On the disk, a byte that is no UTF-8.
    export.to_onnx(model, path)
    assert path.stat().st_size > 0


@once
def test_runs_with_onnxruntime_and_numpy_alone(model, tmp_path):
    export.to_onnx(model, tmp_path / "generator.onnx")
    script = ROOT / "examples" / "run_onnx.py"
    code = f"""
import runpy, sys
runpy.run_path({str(script)!r})
loaded = {{name.split(".")[0] for name in sys.modules}}
assert not loaded & {{"keras", "keras_sagan", "torch", "tensorflow", "jax"}}
"""
    subprocess.run(
        [sys.executable, "-c", code, "generator.onnx", "images.npy"],
        check=True,
        cwd=tmp_path,
    )
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((8, 8), dtype="float32")
    expected = model.generate(np.arange(8) % 3, latents=latents).astype(int)
    images = np.load(tmp_path / "images.npy")
    assert images.dtype == np.uint8
    assert np.abs(images - expected).max() <= 1


@once
@pytest.mark.parametrize("name", ["x.onnx", "x.keras", "x.safetensors"])
def test_refuses_and_removes_what_does_not_match(
    name, model, tmp_path, monkeypatch
):
    (tmp_path / name).write_text("as before")
    other = model_of()
    other.ema_generator.get_layer("rgb").layer.bias.assign([0.5] * 3)
    wrong = export.plain_generator(other)
    monkeypatch.setattr(formats, "plain_generator", lambda *_: wrong)
    write = getattr(export, f"to_{name.split('.')[1]}")
    with pytest.raises(ValueError, match="within 1 of 255"):
        write(model, tmp_path / name)
    assert [f.name for f in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "as before"


@once
def test_refuses_what_is_not_a_number(model, tmp_path):
    model.ema_generator.get_layer("rgb").layer.bias.assign([np.nan] * 3)
    with pytest.raises(ValueError, match="Received: nan"):
        export.to_onnx(model, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


@once
def test_refuses_layers_it_does_not_know(any_singular_vector, tmp_path):
    latents = keras.Input((8,))
    x = keras.layers.Dense(16 * 16 * 3, name="mine")(latents)
    generator = keras.Model(latents, keras.layers.Reshape((16, 16, 3))(x))
    model = keras_sagan.SAGAN(
        generator,
        keras_sagan.models.build_discriminator(16, None, base_channels=2),
    )
    with pytest.raises(ValueError, match="'mine', <Dense name=mine"):
        export.to_onnx(model, tmp_path / "x.onnx")


def test_plain_generator(any_singular_vector):
    model = model_of(**FORMS["tables"])
    plain = export.plain_generator(model)
    assert not any(
        isinstance(layer, SpectralNormalization)
        for layer in flatten_layers(plain)
    )
    assert not plain.trainable_variables
    inputs = inputs_of(model)
    np.testing.assert_allclose(
        images_of(plain, inputs),
        images_of(model.ema_generator, inputs),
        atol=1e-5,
    )
    own = export.plain_generator(model, ema=False)
    np.testing.assert_allclose(
        images_of(own, inputs), images_of(model.generator, inputs), atol=1e-5
    )


@once
def test_a_bfloat16_model_is_exported_in_float32(any_singular_vector, tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = model_of()
    keras.config.set_dtype_policy("float32")
    export.to_onnx(model, tmp_path / "x.onnx")
    inputs = inputs_of(model)
    (images,) = ort.InferenceSession(tmp_path / "x.onnx").run(None, inputs)
    rough = images_of(model.ema_generator, inputs)
    assert 1e-5 < np.abs(images - rough).max() < 0.1


def test_keras_file_is_the_generator(model, tmp_path):
    export.to_keras(model, tmp_path / "x.keras")
    loaded = keras.saving.load_model(tmp_path / "x.keras")
    inputs = inputs_of(model)
    np.testing.assert_allclose(
        images_of(loaded, inputs),
        images_of(model.ema_generator, inputs),
        atol=1e-5,
    )


@once
def test_safetensors_load_by_name(model, tmp_path):
    from safetensors.numpy import load_file

    export.to_safetensors(model, tmp_path / "x.safetensors")
    tensors = load_file(tmp_path / "x.safetensors")
    plain = keras_sagan.models.build_generator(
        16, 3, latent_dim=8, base_channels=4, spectral_normalization=False
    )
    assert {v.path for v in plain.variables} == set(tensors)
    for variable in plain.variables:
        variable.assign(tensors[variable.path])
    inputs = inputs_of(model)
    np.testing.assert_allclose(
        images_of(plain, inputs),
        images_of(model.ema_generator, inputs),
        atol=1e-5,
    )


@pytest.mark.parametrize("form", ["released", "unconditional"])
def test_saved_model(form, any_singular_vector, tmp_path):
    model = model_of(**FORMS[form])
    path = tmp_path / "generator"
    if keras.backend.backend() == "torch":
        with pytest.raises(ValueError, match="'tensorflow' or 'jax'"):
            export.to_saved_model(model, path)
        return
    import tensorflow

    export.to_saved_model(model, path)
    weights = 4 * model.ema_generator.count_params()
    (data,) = path.glob("variables/*.data*")
    assert data.stat().st_size < 1.1 * weights
    served = tensorflow.saved_model.load(path).signatures["serving_default"]
    inputs = inputs_of(model)
    tensors = {name: tensorflow.constant(x) for name, x in inputs.items()}
    np.testing.assert_allclose(
        served(**tensors)["images"].numpy(),
        images_of(model.ema_generator, inputs),
        atol=1e-5,
    )
    with pytest.raises(FileExistsError, match="new or empty folder"):
        export.to_saved_model(model, path)
    assert os.listdir(tmp_path) == ["generator"]


@pytest.mark.parametrize("form", ["released", "unconditional"])
def test_litert(form, tmp_path, any_singular_vector):
    model = model_of(**FORMS[form])
    path = tmp_path / "generator.tflite"
    if keras.backend.backend() != "tensorflow":
        with pytest.raises(ValueError, match="needs the backend 'tensorflow'"):
            export.to_litert(model, path)
        assert not path.exists()
        return
    import tensorflow

    export.to_litert(model, path)
    weights = 4 * model.ema_generator.count_params()
    assert path.stat().st_size < 1.1 * weights + 100_000
    run = tensorflow.lite.Interpreter(str(path)).get_signature_runner("serve")
    inputs = inputs_of(model)
    np.testing.assert_allclose(
        run(**inputs)["images"],
        images_of(model.ema_generator, inputs),
        atol=1e-4,
    )
    assert os.listdir(tmp_path) == ["generator.tflite"]


@once
@pytest.mark.parametrize(
    ("name", "package"),
    [("onnx", "onnxruntime"), ("safetensors", "safetensors")],
)
def test_names_the_extra(name, package, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"keras_sagan\[export\]"):
        getattr(export, f"to_{name}")(tiny_model(), tmp_path / "x")
