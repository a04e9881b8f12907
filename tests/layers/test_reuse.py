"""Our layers in other people's models: state, export, global settings."""

import keras
import numpy as np
import pytest

from keras_sagan import layers
from keras_sagan import models
from tests.helpers import KERAS
from tests.helpers import array

BACKEND = keras.backend.backend()
IMAGES = np.random.default_rng(3).normal(size=(4, 8, 8, 4)).astype("float32")


def conditional(spectral_normalization):
    norm = layers.ConditionalBatchNorm(
        3, spectral_normalization=spectral_normalization
    )
    labels = np.array([0, 1, 2, 0], "int32")

    class OnLabels(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.norm = norm

        def call(self, x, training=False):
            return self.norm(x, labels, training=training)

    return OnLabels()


LAYERS = {
    "spectral_dense": lambda: layers.SpectralNormalization(
        keras.layers.Dense(5)
    ),
    "spectral_conv": lambda: layers.SpectralNormalization(
        keras.layers.Conv2D(4, 3)
    ),
    "spectral_depthwise": lambda: layers.SpectralNormalization(
        keras.layers.DepthwiseConv2D(3)
    ),
    "batch_norm": layers.BatchNorm,
    "conditional": lambda: conditional(False),
    "conditional_spectral": lambda: conditional(True),
    "attention": layers.SelfAttention2D,
    "up": lambda: layers.UpsampleConv2D(4),
    "down": lambda: layers.DownsampleConv2D(4),
}


@pytest.fixture(params=LAYERS)
def layer(request):
    layer = LAYERS[request.param]()
    layer(IMAGES)
    for variable in layer.trainable_variables:
        if variable.path.endswith("gamma") and variable.shape == ():
            variable.assign(0.7)  # An attention that is at work.
    return layer


@pytest.mark.skipif(BACKEND != "torch", reason="Others assign no memory")
@pytest.mark.parametrize("first_training", [False, True])
def test_a_later_pass_does_not_disturb_an_earlier_gradient(
    first_training, layer
):
    import torch

    weights = [v.value for v in layer.trainable_variables]

    def loss():
        x = torch.tensor(IMAGES)
        return layer(x, training=first_training).square().sum()

    state = [array(v) for v in layer.non_trainable_variables]
    expected = torch.autograd.grad(loss(), weights)
    for variable, value in zip(layer.non_trainable_variables, state):
        variable.assign(value)
    early = loss()
    layer(torch.tensor(2 * IMAGES), training=True)
    found = torch.autograd.grad(early, weights)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(array(a), array(b), rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(BACKEND != "torch", reason="PyTorch's own export")
@pytest.mark.skipif(KERAS < (3, 13), reason="needs Keras 3.13")
def test_torch_export(layer):
    import torch

    x = torch.tensor(IMAGES)
    with torch.no_grad():
        program = torch.export.export(layer, (x,), strict=False)
        np.testing.assert_allclose(
            array(program.module()(x)), array(layer(x)), rtol=1e-5, atol=1e-5
        )


def test_batch_norms_that_are_not_trainable_run_in_inference():
    for make in (layers.BatchNorm, keras.layers.BatchNormalization):
        norm = make()
        norm.build(IMAGES.shape)
        norm.trainable = False
        expected = array(norm(IMAGES, training=False))
        np.testing.assert_allclose(
            array(norm(IMAGES, training=True)), expected, atol=1e-6
        )
        assert not array(norm.moving_mean).any()


@pytest.fixture
def channels_first():
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


def outputs_of_everything():
    """What our layers and networks compute, from fixed weights."""
    keras.utils.set_random_seed(0)
    found = []
    for fused in (True, False):
        for make in (layers.UpsampleConv2D, layers.DownsampleConv2D):
            found.append(array(make(3, fused=fused)(IMAGES)))
    for make in (
        layers.BatchNorm,
        layers.SelfAttention2D,
        layers.DiffAugment,
        lambda: layers.SpectralNormalization(layers.UpsampleConv2D(3)),
    ):
        found.append(array(make()(IMAGES)).shape)
    generator = models.build_generator(16, 3, 4, 1)
    discriminator = models.build_discriminator(16, 3, 1)
    plain = models.build_discriminator(16, 3, 1, fused_resampling=False)
    labels = np.array([0, 1], "int32")
    images = array(generator([np.ones((2, 4), "float32"), labels]))
    found += [images, array(discriminator([images, labels]))]
    return [*found, array(plain([images, labels]))]


def test_channels_first_changes_nothing(channels_first):
    found = outputs_of_everything()
    keras.config.set_image_data_format("channels_last")
    for a, b in zip(found, outputs_of_everything(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert found[1].shape == (4, 4, 4, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.UpsampleConv2D(3, strides=2), "`strides` must not be"),
        (lambda: layers.DownsampleConv2D(3, padding="valid"), "`padding` must"),
        (lambda: layers.UpsampleConv2D(3, fused="no"), "`fused` must be True"),
        (lambda: layers.UpsampleConv2D("3"), "`filters` must be a positive"),
        (lambda: layers.BatchNorm(momentum="0.9"), r"`momentum` must be in"),
        (lambda: layers.BatchNorm(epsilon="1"), "`epsilon` must be positive"),
        (
            lambda: layers.SelfAttention2D(spectral_normalization="no"),
            "`spectral_normalization` must be True or False",
        ),
        (
            lambda: layers.SpectralNormalization(
                keras.layers.Dense(3), epsilon="1"
            ),
            "`epsilon` must be a non-negative float",
        ),
        (
            lambda: models.build_generator(16, spectral_normalization="no"),
            "`spectral_normalization` must be True or False",
        ),
        (
            lambda: models.build_generator(16, batch_norm_momentum=(0.9,)),
            "`batch_norm_momentum` must be a float",
        ),
        (
            lambda: models.build_discriminator(16, attention_resolutions=8.5),
            "`attention_resolutions` must be sizes",
        ),
        (
            lambda: models.build_discriminator(True),
            "`resolution` must be",
        ),
    ],
)
def test_refuses_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.skipif(
    BACKEND != "torch", reason="Keras needs tf2onnx or jax2onnx there"
)
@pytest.mark.skipif(KERAS < (3, 14), reason="Keras needs onnxscript")
def test_keras_exports_these_layers_to_onnx(tmp_path, rng):
    """A model of one's own, by `keras.Model.export`."""
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    sn = layers.SpectralNormalization
    x = inputs = keras.Input((8, 8, 3))
    x = sn(keras.layers.Conv2D(4, 3, padding="same"))(x)
    x = layers.BatchNorm()(x)
    x = layers.SelfAttention2D()(x)
    x = sn(layers.DownsampleConv2D(8, 3))(x)
    x = sn(layers.UpsampleConv2D(8, 3))(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, sn(keras.layers.Dense(2))(x))
    for variable in model.trainable_variables:  # Gamma, too.
        variable.assign(rng.normal(size=variable.shape))
    path = str(tmp_path / "model.onnx")
    model(np.zeros((1, 8, 8, 3), "float32"))  # Keras wants it called.
    model.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path)
    for n in (1, 3):
        images = rng.normal(size=(n, 8, 8, 3)).astype("float32")
        (found,) = session.run(None, {session.get_inputs()[0].name: images})
        expected = array(model(images))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
