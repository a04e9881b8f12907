import keras
import numpy as np
import pytest
from keras import ops

from keras_sagan.layers import AddUpsampled
from keras_sagan.layers import DownsampleConv2D
from keras_sagan.layers import UpsampleConv2D
from keras_sagan.layers.average_pooling import AveragePooling2D
from keras_sagan.layers.convolutions import Conv2D
from tests.helpers import array
from tests.helpers import gradients
from tests.helpers import relative_error

X = np.random.default_rng(5).normal(size=(2, 6, 4, 3)).astype("float32")


def convolve(x, kernel):
    """A 3x3 convolution with zero padding, one tap at a time."""
    _, height, width, _ = x.shape
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    return sum(
        padded[:, i : i + height, j : j + width] @ kernel[i, j]
        for i in range(3)
        for j in range(3)
    )


def reference(layer, x):
    kernel, bias = array(layer.kernel), array(layer.bias)
    if isinstance(layer, UpsampleConv2D):
        x = x.repeat(2, axis=1).repeat(2, axis=2)
    if layer.kernel_size == (1, 1):
        return x @ kernel[0, 0] + bias
    y = convolve(x, kernel)
    if isinstance(layer, DownsampleConv2D):
        batch, height, width, filters = y.shape
        y = y.reshape(batch, height // 2, 2, width // 2, 2, filters)
        y = y.mean(axis=(2, 4))
    return y + bias


@pytest.fixture(
    params=[
        lambda: Conv2D(5, 1),
        lambda: Conv2D(5, 3),
        lambda: UpsampleConv2D(5),
        lambda: UpsampleConv2D(5, fused=False),
        lambda: DownsampleConv2D(5),
        lambda: DownsampleConv2D(5, fused=False),
    ]
)
def layer(request):
    layer = request.param()
    layer.build(X.shape)
    layer.bias.assign(np.arange(5))
    return layer


def test_is_convolution_and_resampling(layer):
    y = array(layer(X))
    assert relative_error(y, reference(layer, X)) < 1e-5
    assert y.shape == tuple(layer.compute_output_shape(X.shape))
    assert layer.compute_output_shape((None, None, None, 3))[0] is None


@pytest.mark.parametrize("kind", [UpsampleConv2D, DownsampleConv2D])
def test_fused_and_plain_have_the_same_gradients(kind, rng):
    layer = kind(5)
    x = keras.Variable(X)
    layer.build(X.shape)
    weights = rng.normal(size=layer.compute_output_shape(X.shape))
    weights = weights.astype("float32")
    results = []
    for layer.fused in (True, False):
        variables = [x, *layer.trainable_variables]
        results.append(
            gradients(
                lambda: ops.sum(
                    ops.multiply(layer(ops.convert_to_tensor(x)), weights)
                ),
                variables,
            )
        )
    for fused, plain in zip(*results, strict=True):
        assert relative_error(fused, plain) < 1e-4


def test_the_kernel_stays_3x3():
    for kind in (UpsampleConv2D, DownsampleConv2D):
        layer = kind(5)
        layer.build(X.shape)
        assert tuple(layer.kernel.shape) == (3, 3, 3, 5)


def test_refuses_bad_arguments():
    with pytest.raises(ValueError, match="`kernel_size` must be 3"):
        UpsampleConv2D(4, kernel_size=5)
    with pytest.raises(ValueError, match="even height and width"):
        DownsampleConv2D(4)(np.zeros((1, 5, 4, 3), "float32"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"strides": 1},
        {"padding": "same"},
        {"data_format": "channels_first"},
    ],
    ids=str,
)
def test_average_pooling_is_that_of_keras(options):
    if keras.backend.backend() == "tensorflow" and "data_format" in options:
        pytest.skip("TensorFlow has no channels-first pooling on a CPU")
    np.testing.assert_array_equal(
        array(AveragePooling2D(2, **options)(X)),
        array(keras.layers.AveragePooling2D(2, **options)(X)),
    )


def test_adds_the_upsampled(rng):
    shortcut = rng.normal(size=(2, 3, 2, 3)).astype("float32")
    expected = X + shortcut.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_array_equal(array(AddUpsampled()(X, shortcut)), expected)
    with pytest.raises(ValueError, match="half the height and width"):
        AddUpsampled()(X, X)
