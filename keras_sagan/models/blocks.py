"""The blocks of the generator and the discriminator."""

import dataclasses
import numbers
from collections.abc import Callable

import keras
from absl import logging
from keras import layers

from keras_sagan.arguments import check_bool
from keras_sagan.arguments import check_integer
from keras_sagan.arguments import plain_integer
from keras_sagan.backends.precision import at_least_float32
from keras_sagan.layers import AddUpsampled
from keras_sagan.layers import BatchNorm
from keras_sagan.layers import ConditionalBatchNorm
from keras_sagan.layers import DownsampleConv2D
from keras_sagan.layers import SelfAttention2D
from keras_sagan.layers import SpectralNormalization
from keras_sagan.layers import UpsampleConv2D
from keras_sagan.layers.add import Add
from keras_sagan.layers.average_pooling import AveragePooling2D
from keras_sagan.layers.convolutions import Conv2D
from keras_sagan.sizes import check_channels

_MOST = 10**6  # No memory would hold so many classes, or channels.
ATTENTION_FORMS = {
    "released": {},
    "paper": {"value_ratio": 8, "pool_size": 1},
}


@dataclasses.dataclass(frozen=True)
class Blocks:
    """Settings that the blocks of a network share, and methods to add blocks.

    In the methods, `x` is a symbolic feature map `(B, H, W, C)`, and `labels`
    is a symbolic tensor `(B,)` or None. `name` is the prefix of the names of
    the layers.
    """

    num_classes: int | None
    attention: str | Callable
    spectral_normalization: bool
    spectral_epsilon: float
    fused_resampling: bool
    batch_norm_momentum: tuple[float, float] = (0.999, 0.999)
    batch_norm_epsilon: float = 1e-5
    batch_norm_synchronized: bool = True
    class_table_spectral_normalization: bool = False
    shortcut_after_relu: bool = False

    def normalized(self, layer):
        """Wraps a layer in spectral normalization, if the network uses it."""
        if not self.spectral_normalization:
            return layer
        return SpectralNormalization(
            layer, epsilon=self.spectral_epsilon, name=layer.name
        )

    def conv(self, x, filters, kernel_size, name, use_bias=True):
        return self.normalized(
            Conv2D(filters, kernel_size, use_bias=use_bias, name=name)
        )(x)

    def up_block(self, x, labels, filters, name):
        """Doubles the map: cBN, ReLU, up, conv, cBN, ReLU, conv; shortcut."""
        # The 1x1 convolution and the upsampling commute: convolve first.
        shortcut = self.conv(x, filters, 1, f"{name}_shortcut")
        x = self.class_norm(x, labels, f"{name}_norm_1")
        x = layers.ReLU(name=f"{name}_relu_1")(x)
        x = self.normalized(
            UpsampleConv2D(
                filters, fused=self.fused_resampling, name=f"{name}_conv_1"
            )
        )(x)
        x = self.class_norm(x, labels, f"{name}_norm_2")
        x = layers.ReLU(name=f"{name}_relu_2")(x)
        x = self.conv(x, filters, 3, f"{name}_conv_2")
        return AddUpsampled(name=name)(x, shortcut)

    def first_block(self, x, filters, name):
        """Halves the image: conv, ReLU, conv, pool; shortcut pool, conv."""
        shortcut = self.pool(x, f"{name}_pool")
        shortcut = self.conv(shortcut, filters, 1, f"{name}_shortcut")
        x = self.conv(x, filters, 3, f"{name}_conv_1")
        x = layers.ReLU(name=f"{name}_relu")(x)
        x = self.down_conv(x, filters, f"{name}_conv_2")
        return Add(name=name)([x, shortcut])

    def down_block(self, x, filters, name, downsample=True):
        """ReLU, conv, ReLU, conv, pool; the shortcut gets x before the ReLU."""
        rectified = layers.ReLU(name=f"{name}_relu_1")(x)
        shortcut = rectified if self.shortcut_after_relu else x
        if downsample:
            # The 1x1 convolution and the average commute: pool first.
            shortcut = self.pool(shortcut, f"{name}_pool")
        if downsample or x.shape[-1] != filters:
            shortcut = self.conv(shortcut, filters, 1, f"{name}_shortcut")
        x = self.conv(rectified, filters, 3, f"{name}_conv_1")
        x = layers.ReLU(name=f"{name}_relu_2")(x)
        if downsample:
            x = self.down_conv(x, filters, f"{name}_conv_2")
        else:
            x = self.conv(x, filters, 3, f"{name}_conv_2")
        return Add(name=name)([x, shortcut])

    def pool(self, x, name):
        """Halves the map by the mean of each 2x2 locations."""
        return AveragePooling2D(2, data_format="channels_last", name=name)(x)

    def down_conv(self, x, filters, name):
        return self.normalized(
            DownsampleConv2D(filters, fused=self.fused_resampling, name=name)
        )(x)

    def attend(self, x):
        """Adds self-attention, or calls the user's function instead."""
        if callable(self.attention):
            return self.attention(x, self)
        return SelfAttention2D(
            **ATTENTION_FORMS[self.attention],
            spectral_normalization=self.spectral_normalization,
            spectral_epsilon=self.spectral_epsilon,
            name=f"attention_{x.shape[1]}",
        )(x)

    def class_norm(self, x, labels, name):
        """Adds a conditional batch norm, or a plain one without labels."""
        momentum = self.batch_norm_momentum[0]
        if labels is None:
            return self._norm(momentum, name)(x)
        return ConditionalBatchNorm(
            self.num_classes,
            momentum,
            self.batch_norm_epsilon,
            spectral_normalization=self.class_table_spectral_normalization,
            synchronized=self.batch_norm_synchronized,
            spectral_epsilon=self.spectral_epsilon,
            name=name,
        )(x, labels)

    def last_norm(self, x, name):
        momentum = self.batch_norm_momentum[1]
        return self._norm(momentum, name)(x)

    def _norm(self, momentum, name):
        return BatchNorm(
            momentum,
            self.batch_norm_epsilon,
            self.batch_norm_synchronized,
            name=name,
        )


def residual_control(x, blocks):
    """Adds the control of the paper's Table 1 in place of the attention.

    It is "a residual block with the same number of parameters": two 3x3
    convolutions, `x + conv(relu(conv(relu(x))))`, with an inner width that
    gives as many parameters as in the attention. For an ablation, give it to
    both builders: `build_generator(attention=residual_control)`.

    Args:
        x: Symbolic feature map `(batch, height, width, channels)`.
        blocks: The `Blocks` of the network.

    Returns:
        A symbolic feature map of the same shape.

    Example:

    >>> generator = keras_sagan.models.build_generator(
    ...     32, num_classes=None, base_channels=8,
    ...     attention=keras_sagan.models.residual_control)
    >>> generator.get_layer("residual_16").output.shape
    (None, 16, 16, 32)
    """
    channels, name = x.shape[-1], f"residual_{x.shape[1]}"
    width, counts = residual_control_size(channels)
    logging.info(
        "%s: the attention has %d parameters, the control %d", name, *counts
    )
    y = layers.ReLU(name=f"{name}_relu_1")(x)
    y = blocks.conv(y, width, 3, f"{name}_conv_1", use_bias=False)
    y = layers.ReLU(name=f"{name}_relu_2")(y)
    y = blocks.conv(y, channels, 3, f"{name}_conv_2", use_bias=False)
    return Add(name=name)([x, y])


def residual_control_size(channels):
    """Returns the width of the residual control and both parameter counts.

    Args:
        channels: Number C of channels of the feature map.

    Returns:
        `(m, (attention, control))`: the width `m = max(1, round(P / (18 C)))`,
        the number P of parameters of the released attention, and the number
        `18 C m` of parameters of the control.
    """
    query, value = max(1, channels // 8), max(1, channels // 2)
    attention = 2 * channels * query + 2 * channels * value + 1
    width = max(1, round(attention / (18 * channels)))
    return width, (attention, 18 * channels * width)


def check_architecture(
    num_classes, base_channels, channels, attention, **flags
):
    """Raises a `ValueError` unless the arguments describe a network.

    `flags` are further arguments that must be True or False. Returns the first
    three arguments, as integers of Python.
    """
    for name, value in flags.items():
        check_bool(name, value)
    check_channels("channels", channels)
    check_integer("num_classes", num_classes, 1, _MOST, optional=True)
    check_integer("base_channels", base_channels, 1, _MOST)
    named = isinstance(attention, str) and attention in ATTENTION_FORMS
    if not callable(attention) and not named:
        raise ValueError(
            "`attention` must be 'released', 'paper' or a function. "
            f"Received: attention={attention!r}"
        )
    return map(plain_integer, (num_classes, base_channels, channels))


def check_attention_resolutions(attention_resolutions, default, valid):
    """Returns the heights of the maps for attention; None is the default."""
    if attention_resolutions is None:
        return (default,)
    if not isinstance(attention_resolutions, (tuple, list)):
        attention_resolutions = (attention_resolutions,)  # Refused below.
    attention_resolutions = tuple(attention_resolutions)
    for size in attention_resolutions:
        if not isinstance(size, numbers.Integral) or size not in valid:
            raise ValueError(
                "`attention_resolutions` must be sizes of this network's "
                f"feature maps: any of {tuple(valid)}, or () for none. "
                f"Received: attention_resolutions={attention_resolutions}"
            )
    return attention_resolutions


def full_precision():
    """Returns the dtype for what must not be rounded: at least float32."""
    return at_least_float32(keras.config.dtype_policy().compute_dtype)
