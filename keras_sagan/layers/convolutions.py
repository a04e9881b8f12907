"""The convolutions of the networks, fused with resampling."""

import keras
from keras import ops

from keras_sagan import backends
from keras_sagan.arguments import check_bool
from keras_sagan.arguments import check_integer

_PACKAGE = "keras_sagan"
# Arguments of `keras.layers.Conv2D` that these convolutions do not have.
_FIXED = ("strides", "padding", "data_format", "dilation_rate", "groups")


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with stride 1 and "same" padding.

    It has the same variables and computes the same values. It uses the fastest
    method of each backend, which is not always that of `keras.ops.conv`.
    Gradients of every order are correct.

    Args:
        filters: Positive integer, the number of output channels.
        kernel_size: Positive integer, side of the kernel.
        **kwargs: Arguments of `keras.layers.Conv2D`, except strides,
            dilation, groups, padding and data format.

    Call arguments:
        inputs: Float tensor `(batch, height, width, channels)`.

    Returns:
        A tensor `(batch, height, width, filters)`.

    Example:

    >>> conv = keras_sagan.layers.convolutions.Conv2D(8, 3)
    >>> tuple(conv(np.ones((1, 4, 4, 3), "float32")).shape)
    (1, 4, 4, 8)
    """

    def __init__(self, filters, kernel_size, **kwargs):
        check_integer("filters", filters, 1)
        for name in _FIXED:
            if name in kwargs:
                raise ValueError(
                    f"`{name}` must not be given to {type(self).__name__}, "
                    "which has stride 1, 'same' padding and channels last. "
                    f"Received: {name}={kwargs[name]!r}"
                )
        super().__init__(
            filters,
            kernel_size,
            padding="same",
            data_format="channels_last",
            **kwargs,
        )

    def call(self, inputs):
        return self.call_with_kernel(self.kernel, inputs)

    def call_with_kernel(self, kernel, inputs):
        """Runs with another kernel; `SpectralNormalization` calls this.

        This saves the call of a layer, which is a fifth of the time of a small
        step on PyTorch.
        """
        inputs, kernel, bias = (
            x if x is None else ops.cast(x, self.compute_dtype)
            for x in (inputs, kernel, self.bias)
        )
        return self.activation(self._convolve(inputs, kernel, bias))

    def _convolve(self, inputs, kernel, bias):
        return backends.conv2d(inputs, kernel, bias)

    def get_config(self):
        config = super().get_config()
        for name in _FIXED:
            del config[name]
        return config


class _ResamplingConv2D(Conv2D):
    """A 3x3 convolution fused with a resampling by two.

    `fused=False` computes one after the other. This is the same function of
    the same kernel, with 36/16 times as many multiplications.
    """

    def __init__(self, filters, kernel_size=3, fused=True, **kwargs):
        super().__init__(filters, kernel_size, **kwargs)
        if self.kernel_size != (3, 3):
            raise ValueError(
                "`kernel_size` must be 3 in a resampling convolution. "
                f"Received: kernel_size={kernel_size}"
            )
        check_bool("fused", fused)
        self.fused = fused

    def get_config(self):
        return {**super().get_config(), "fused": self.fused}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class UpsampleConv2D(_ResamplingConv2D):
    """Nearest-neighbour upsampling by two, then a 3x3 convolution.

    Both are computed as one convolution of the small map: every output pixel
    depends on only 2x2 different input pixels, so 16 of the 36 multiplications
    remain. The kernel variable is the 3x3 kernel, and spectral normalization
    uses this one. Gradients of every order are correct.

    Args:
        filters: Positive integer, the number of output channels.
        kernel_size: Must be 3.
        fused: Whether to compute both as one convolution. If `False`, the
            layer upsamples first and then convolves.
        **kwargs: As in `keras.layers.Conv2D`, without the arguments that are
            fixed here.

    Call arguments:
        inputs: Float tensor `(batch, height, width, channels)`.

    Returns:
        A tensor `(batch, 2 * height, 2 * width, filters)`.

    Example:

    >>> conv = keras_sagan.layers.UpsampleConv2D(8)
    >>> tuple(conv(np.ones((1, 4, 4, 3), "float32")).shape)
    (1, 8, 8, 8)
    """

    def _convolve(self, inputs, kernel, bias):
        if self.fused:
            return backends.upsample_conv2d(inputs, kernel, bias)
        inputs = ops.repeat(ops.repeat(inputs, 2, axis=1), 2, axis=2)
        return backends.conv2d(inputs, kernel, bias)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return (
            batch,
            height and 2 * height,
            width and 2 * width,
            self.filters,
        )


@keras.saving.register_keras_serializable(package=_PACKAGE)
class DownsampleConv2D(_ResamplingConv2D):
    """A 3x3 convolution, then average pooling by two.

    Both are computed as one convolution with stride two and a 4x4 kernel,
    which is the mean of the 3x3 kernel at four shifts. The kernel variable is
    the 3x3 kernel. Gradients of every order are correct.

    Args:
        filters: Positive integer, the number of output channels.
        kernel_size: Must be 3.
        fused: Whether to compute both as one convolution. If `False`, the
            layer convolves first and then pools.
        **kwargs: As in `keras.layers.Conv2D`, without the arguments that are
            fixed here.

    Call arguments:
        inputs: Float tensor `(batch, height, width, channels)` with even
            height and width.

    Returns:
        A tensor `(batch, height / 2, width / 2, filters)`.

    Example:

    >>> conv = keras_sagan.layers.DownsampleConv2D(8)
    >>> tuple(conv(np.ones((1, 4, 4, 3), "float32")).shape)
    (1, 2, 2, 8)
    """

    def build(self, input_shape):
        if any(size is not None and size % 2 for size in input_shape[1:3]):
            raise ValueError(
                "`inputs` must have an even height and width. Received: inputs "
                f"of shape {tuple(input_shape)}"
            )
        super().build(input_shape)

    def _convolve(self, inputs, kernel, bias):
        if self.fused:
            return backends.conv2d_downsample(inputs, kernel, bias)
        outputs = backends.conv2d(inputs, kernel, bias)
        return ops.average_pool(
            outputs, 2, strides=2, data_format=self.data_format
        )

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return (
            batch,
            height and height // 2,
            width and width // 2,
            self.filters,
        )
