"""The table of layers whose gradients of every order are tested.

A case is a layer, the inputs that gradients are taken in, its plain form, the
values of `training`, and the inputs that are constants.
"""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from keras_sagan import layers
from keras_sagan.layers import SpectralNormalization
from keras_sagan.layers.average_pooling import AveragePooling2D
from keras_sagan.layers.convolutions import Conv2D
from keras_sagan.layers.dense import Dense
from tests.helpers import values
from tests.layers import plain_layers as plain

_RNG = np.random.default_rng(8)
MAP = _RNG.normal(size=(3, 4, 8, 8))
LABELS = np.array([0, 2, 0], "int32")
DRAWS = _RNG.uniform(size=(3, 7))
BOTH = (False, True)


@dataclasses.dataclass
class Case:
    make_layer: Callable
    inputs: tuple
    plain: Callable
    trainings: tuple = (None,)
    constants: tuple = ()
    chunked: bool = False

    def layer(self):
        """A layer whose `u` and `v` are not quite the singular vectors."""
        rng = np.random.default_rng(9)
        layer = self.make_layer()
        inputs = *self.cast_inputs(), *self.constants
        layer(*(keras.ops.convert_to_tensor(x) for x in inputs))
        for variable in layer.trainable_variables:
            noise = np.asarray(rng.normal(size=variable.shape))
            if "kernel" in variable.path or "embeddings" in variable.path:
                noise = (1 + 0.2 * noise) * values([variable])[0]
            variable.assign(noise)
        for variable in layer.non_trainable_variables:
            if "moving" in variable.path:
                variable.assign(rng.uniform(0.5, 2, variable.shape))
        return layer

    def cast_inputs(self):
        return [x.astype(keras.config.floatx()) for x in self.inputs]


def _under_norm(
    make_layer, inputs, plain_layer, constants=(), transposed=False
):
    return Case(
        lambda: SpectralNormalization(make_layer()),
        inputs,
        plain.under_norm(plain_layer, transposed),
        BOTH,
        constants,
    )


def _attention(plain_kwargs=None, chunked=False, **kwargs):
    return Case(
        lambda: layers.SelfAttention2D(**kwargs),
        (MAP,),
        plain.self_attention(**plain_kwargs or {}),
        BOTH,
        chunked=chunked,
    )


CASES = {
    "dense": Case(lambda: Dense(5), (MAP[0, 0],), plain.dense),
    "conv": Case(lambda: Conv2D(3, 3), (MAP,), plain.conv2d),
    "conv_1x1": Case(
        lambda: Conv2D(3, 1, use_bias=False), (MAP,), plain.conv2d
    ),
    "upsample": Case(
        lambda: layers.UpsampleConv2D(3), (MAP,), plain.upsample_conv2d
    ),
    "upsample_unfused": Case(
        lambda: layers.UpsampleConv2D(3, fused=False),
        (MAP,),
        plain.upsample_conv2d,
    ),
    "downsample": Case(
        lambda: layers.DownsampleConv2D(3), (MAP,), plain.downsample_conv2d
    ),
    "downsample_unfused": Case(
        lambda: layers.DownsampleConv2D(3, fused=False),
        (MAP,),
        plain.downsample_conv2d,
    ),
    "normalized_dense": _under_norm(
        lambda: Dense(5), (MAP[0, 0],), plain.dense
    ),
    "normalized_conv": _under_norm(lambda: Conv2D(3, 3), (MAP,), plain.conv2d),
    "normalized_upsample": _under_norm(
        lambda: layers.UpsampleConv2D(3), (MAP,), plain.upsample_conv2d
    ),
    "normalized_downsample": _under_norm(
        lambda: layers.DownsampleConv2D(3), (MAP,), plain.downsample_conv2d
    ),
    "normalized_keras_conv": _under_norm(
        lambda: keras.layers.Conv2D(3, 3, padding="same"), (MAP,), plain.conv2d
    ),
    "normalized_transpose": _under_norm(
        lambda: keras.layers.Conv2DTranspose(3, 2, strides=2),
        (MAP,),
        plain.conv2d_transpose,
        transposed=True,
    ),
    "normalized_embedding": _under_norm(
        lambda: keras.layers.Embedding(3, 4),
        (),
        plain.embedding,
        (LABELS,),
        transposed=True,
    ),
    "batch_norm": Case(layers.BatchNorm, (MAP,), plain.batch_norm, BOTH),
    "batch_norm_of_vectors": Case(
        layers.BatchNorm, (MAP[0, 0],), plain.batch_norm, BOTH
    ),
    "conditional_batch_norm": Case(
        lambda: layers.ConditionalBatchNorm(3),
        (MAP,),
        plain.conditional_batch_norm,
        BOTH,
        (LABELS,),
    ),
    "conditional_batch_norm_normalized": Case(
        lambda: layers.ConditionalBatchNorm(3, spectral_normalization=True),
        (MAP,),
        plain.conditional_batch_norm,
        BOTH,
        (LABELS,),
    ),
    "attention": _attention(),
    "attention_chunked": _attention(chunked=True),
    "attention_paper": _attention({"pool_size": 1}, value_ratio=8, pool_size=1),
    "attention_self_attn": _attention(
        {"pool_size": 1, "has_projection": False, "bias": True},
        value_ratio=1,
        pool_size=1,
        output_projection=False,
        use_bias=True,
    ),
    "attention_plain": _attention(
        {"pool_size": 4, "has_norm": False},
        spectral_normalization=False,
        pool_size=4,
    ),
    "average_pooling": Case(
        lambda: AveragePooling2D(2), (MAP,), plain.average_pool
    ),
    "add_upsampled": Case(
        layers.AddUpsampled, (MAP, MAP[:, :2, :4]), plain.add_upsampled
    ),
    "diff_augment": Case(
        layers.DiffAugment, (MAP,), plain.augment, constants=(DRAWS,)
    ),
}
