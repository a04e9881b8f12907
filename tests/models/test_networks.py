import keras
import numpy as np
import pytest

from keras_sagan.layers import SelfAttention2D
from keras_sagan.layers import SpectralNormalization
from keras_sagan.layers.nested import flatten_layers
from keras_sagan.models import build_discriminator
from keras_sagan.models import build_generator
from keras_sagan.models.blocks import residual_control
from keras_sagan.models.blocks import residual_control_size
from tests.helpers import array
from tests.helpers import gradients
from tests.helpers import parameters
from tests.helpers import relative_error
from tests.helpers import tiny_networks


# The code is the same on every backend. The numbers were counted in the
# released code and in StudioGAN's. Those of 128 pixels are the presets', and
# counted there.
@pytest.mark.no_backend
@pytest.mark.parametrize(
    ("resolution", "num_classes", "attention", "generator", "discriminator"),
    [
        (64, 200, (32,), 13_387_396, 19_752_642),
        (32, 10, (16,), 4_386_308, 1_075_586),
    ],
)
def test_parameter_counts(
    resolution,
    num_classes,
    attention,
    generator,
    discriminator,
    any_singular_vector,
):
    kwargs = {"attention_resolutions": attention}
    assert generator == parameters(
        build_generator(resolution, num_classes, **kwargs)
    )
    assert discriminator == parameters(
        build_discriminator(resolution, num_classes, **kwargs)
    )


# Other tests run networks of 16, 64 and 128 pixels on every backend.
@pytest.mark.no_backend
@pytest.mark.parametrize("num_classes", [None, 3])
@pytest.mark.parametrize("resolution", [16, 32, 64, 128, 256])
def test_shapes_at_every_resolution(
    resolution, num_classes, any_singular_vector
):
    generator, discriminator = tiny_networks(num_classes, resolution)
    latents = np.ones((2, 8), "float32")
    labels = [] if num_classes is None else [np.array([0, 2], "int32")]
    images = array(generator([latents, *labels] if labels else latents))
    assert images.shape == (2, resolution, resolution, 3)
    assert 0 < np.abs(images).max() <= 1
    logits = array(discriminator([images, *labels] if labels else images))
    assert logits.shape == (2, 1)


@pytest.mark.once
def test_attention_at_any_set_of_maps():
    generator, discriminator = tiny_networks(
        resolution=64, attention_resolutions=()
    )
    for network in (generator, discriminator):
        assert not any(isinstance(x, SelfAttention2D) for x in network.layers)
    generator = build_generator(
        64, 3, base_channels=2, attention_resolutions=(8, 16, 32, 64)
    )
    discriminator = build_discriminator(
        64, 3, base_channels=2, attention_resolutions=[4, 8, 16, 32]
    )
    for network, sizes in (
        (generator, (8, 16, 32, 64)),
        (discriminator, (32, 16, 8, 4)),
    ):
        maps = [x for x in network.layers if isinstance(x, SelfAttention2D)]
        assert tuple(x.output.shape[1] for x in maps) == sizes


def test_attention_forms():
    generator = build_generator(32, 3, base_channels=4, attention="paper")
    layer = generator.get_layer("attention_16")
    assert (layer.value_ratio, layer.pool_size) == (8, 1)
    generator = build_generator(
        32, 3, base_channels=4, attention=residual_control
    )
    names = [x.name for x in generator.layers]
    assert "residual_16" in names
    assert not any(name.startswith("attention") for name in names)


@pytest.mark.once
@pytest.mark.parametrize("channels", [16, 64, 128, 256, 512])
def test_residual_control_has_the_parameters_of_the_attention(channels):
    attention = SelfAttention2D()
    attention.build((None, 8, 8, channels))
    width, counts = residual_control_size(channels)
    assert counts[0] == parameters(attention)
    assert counts[1] == 2 * 9 * channels * width
    assert abs(counts[1] - counts[0]) <= 9 * channels


@pytest.mark.once
def test_residual_control_is_counted_as_built():
    with_control = build_generator(
        32, 3, base_channels=8, attention=residual_control
    )
    without = build_generator(32, 3, base_channels=8, attention_resolutions=())
    _, (_, control) = residual_control_size(32)
    assert parameters(with_control) - parameters(without) == control


def test_every_kernel_is_normalized():
    for network in tiny_networks():
        wrapped = {
            id(x.layer)
            for x in flatten_layers(network)
            if isinstance(x, SpectralNormalization)
        }
        kernels = [
            x
            for x in flatten_layers(network)
            if isinstance(
                getattr(x, "kernel", getattr(x, "embeddings", None)),
                keras.Variable,
            )
            and not isinstance(x, SpectralNormalization)
        ]
        assert kernels
        assert {id(x) for x in kernels} == wrapped
    for network in tiny_networks(spectral_normalization=False):
        assert not any(
            isinstance(x, SpectralNormalization)
            for x in flatten_layers(network)
        )


def test_shortcut_sees_the_value_before_the_relu(rng):
    """With its main branch at zero, a down block is its shortcut alone."""
    discriminator = build_discriminator(
        32, None, 2, attention_resolutions=(), spectral_normalization=False
    )
    x = discriminator.get_layer("block_2_relu_1").input
    y = discriminator.get_layer("block_2").output
    discriminator.get_layer("block_2_conv_2").kernel.assign(
        np.zeros((3, 3, 4, 4))
    )
    probe = keras.Model(discriminator.input, [x, y])
    images = rng.uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    x, y = map(array, probe(images))
    pooled = x.reshape(2, 8, 2, 8, 2, 4).mean((2, 4))
    kernel = array(discriminator.get_layer("block_2_shortcut").kernel)
    assert x.min() < 0
    np.testing.assert_allclose(y, pooled @ kernel[0, 0], atol=1e-5)


def test_projection_is_the_sum_of_linear_and_inner_product(rng):
    discriminator = build_discriminator(16, 3, 2)
    h = discriminator.get_layer("sum").output
    probe = keras.Model(discriminator.inputs, h)
    images = rng.uniform(-1, 1, (3, 16, 16, 3)).astype("float32")
    labels = np.array([2, 0, 1], "int32")
    h = array(probe([images, labels]))
    linear = discriminator.get_layer("linear")
    table = array(discriminator.get_layer("embedding").normalized_kernel())
    expected = h @ array(linear.normalized_kernel())
    expected += np.sum(h * table[labels], axis=1, keepdims=True)
    np.testing.assert_allclose(
        array(discriminator([images, labels])), expected, atol=1e-5
    )


@pytest.mark.parametrize(
    "resolution", [16, pytest.param(64, marks=pytest.mark.once)]
)
def test_fused_and_plain_networks_agree(resolution, rng):
    fused = tiny_networks(3, resolution)
    plain = tiny_networks(3, resolution, fused_resampling=False)
    images = rng.uniform(-1, 1, (4, resolution, resolution, 3))
    inputs = rng.normal(size=(4, 8)), images
    labels = np.array([0, 1, 2, 0], "int32")
    for a, b, x in zip(fused, plain, inputs):
        b.set_weights(a.get_weights())
        x = x.astype("float32")
        assert relative_error(array(a([x, labels])), array(b([x, labels]))) < (
            1e-4
        )
        fused_gradients, plain_gradients = (
            gradients(
                lambda n=n, x=x: keras.ops.sum(
                    keras.ops.square(n([x, labels], training=True))
                ),
                n.trainable_variables,
                n.variables,
            )
            for n in (a, b)
        )
        largest = max(np.abs(g).max() for g in plain_gradients)
        for c, d in zip(fused_gradients, plain_gradients, strict=True):
            # Biases that feed a batch norm have gradients of mere rounding.
            if np.abs(d).max() > 1e-5 * largest:
                assert relative_error(c, d) < 1e-3
            assert np.abs(c - d).max() < 1e-4 * largest


def test_inference_changes_no_variable(rng):
    for network, x in zip(
        tiny_networks(),
        (rng.normal(size=(2, 8)), rng.uniform(-1, 1, (2, 16, 16, 3))),
    ):
        before = [array(v) for v in network.variables]
        network([x.astype("float32"), np.array([0, 1], "int32")])
        for a, b in zip(before, network.variables):
            np.testing.assert_array_equal(a, array(b))


def test_mixed_bfloat16_keeps_images_and_logits_in_float32(rng):
    latents = rng.normal(size=(4, 8)).astype("float32")
    labels = np.array([0, 1, 2, 0], "int32")
    generator, discriminator = tiny_networks()
    keras.config.set_dtype_policy("mixed_bfloat16")
    half_generator, half_discriminator = tiny_networks()
    half_generator.set_weights(generator.get_weights())
    half_discriminator.set_weights(discriminator.get_weights())
    images = half_generator([latents, labels])
    logits = half_discriminator([array(images), labels])
    for tensor in (images, logits):
        assert keras.backend.standardize_dtype(tensor.dtype) == "float32"
    expected = array(generator([latents, labels]))
    np.testing.assert_allclose(array(images), expected, atol=0.05)
    expected = array(discriminator([array(images), labels]))
    np.testing.assert_allclose(array(logits), expected, atol=0.05)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        (
            {"resolution": 50},
            "b from 3 to 7, k .* are 48 and 56. Received: resolution=50",
        ),
        ({"resolution": 8}, "Received: resolution=8"),
        ({"num_classes": -3}, "Received: num_classes=-3"),
        ({"num_classes": 0}, "`num_classes` must be an integer from 1 to"),
        ({"base_channels": 0}, "`base_channels` must be an integer from 1 to"),
        ({"attention": "dot"}, "`attention` must be 'released', 'paper'"),
        (
            {"resolution": 32, "attention_resolutions": (64,)},
            "`attention_resolutions` must be sizes of this network's",
        ),
    ],
)
@pytest.mark.parametrize("build", [build_generator, build_discriminator])
def test_refuses_bad_arguments(build, kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(**kwargs)


def test_the_error_lists_the_valid_maps():
    with pytest.raises(ValueError, match=r"any of \(8, 16, 32\)"):
        build_generator(32, 3, attention_resolutions=(4,))
    with pytest.raises(ValueError, match=r"any of \(16, 8\)"):
        build_discriminator(32, 3, attention_resolutions=(32,))
    with pytest.raises(ValueError, match="`latent_dim` must be a positive"):
        build_generator(32, 3, latent_dim=0)
