"""The names that other implementations give to the tensors of SAGAN."""

import dataclasses
import re
from collections.abc import Callable

from keras_sagan.convert import axes
from keras_sagan.sizes import size_of

_GENERATOR, _DISCRIMINATOR = "generator", "discriminator"


@dataclasses.dataclass(frozen=True)
class Layout:
    """How one implementation names and orders its tensors.

    Attributes:
        source: Name of the implementation.
        names: Their name for each of our layers, and for each part of a
            block, of the attention (`attention_query`), of a norm
            (`norm_gamma`) and of a class-conditional norm (`table_gamma`).
        stage: Function that returns their prefix of a block or attention. It
            takes the side, the number of the stage, the number of the block,
            and whether it is an attention.
        axes: The `Axes` of each kind of kernel.
        kernels: Their names of the kernel and the bias of each kind. None if
            the tensor has the name of the layer, or if there is no tensor.
        normalized: Their names of a normalized kernel, of its `u` and of its
            `v`. If the kernel's is None, it has its usual name. If `v`'s is
            None, it is not stored, but computed at every call, together with a
            new `u`.
        gamma_offset: Number that is added to the stored gammas, 1 or 0.
        separator: String between the parts of a name.
        defaults: Arguments of `build_generator` and `build_discriminator`
            that their networks correspond to.
    """

    source: str
    names: dict
    stage: Callable
    axes: dict
    kernels: dict
    normalized: tuple
    gamma_offset: float
    separator: str = "."
    defaults: dict = dataclasses.field(default_factory=dict)

    def join(self, *parts):
        return self.separator.join(parts)

    def base(self, side, layer_name, prefixes):
        """Returns their name for one of our layers, such as `up_8_conv_1`."""
        match = re.fullmatch(r"((?:up|block)_\d+)_(.+)", layer_name)
        if match:
            stage, part = match.groups()
            name = self.names.get(f"{side}_{part}", self.names.get(part))
            if stage in prefixes and name is not None:
                return self.join(prefixes[stage], name)
        if layer_name in prefixes:
            return prefixes[layer_name]
        if f"{side}_{layer_name}" not in self.names:
            raise ValueError(
                "`model` must have the layers of `build_generator` and "
                "`build_discriminator`, which have counterparts in the other "
                f"implementation. Received: '{layer_name}' in the {side}"
            )
        return self.names[f"{side}_{layer_name}"]

    def prefixes(self, side, stages):
        """Returns their prefix for each of our stages, given in order."""
        result, block = {}, -1
        for i, name in enumerate(stages):
            attends = name.startswith("attention")
            block += not attends
            result[name] = self.stage(side, i, block, attends)
        return result


def stages(side, resolution, attention_resolutions):
    """Returns the names of a network's blocks and attentions, in order."""
    size = size_of(resolution)
    if side == _GENERATOR:
        blocks = [(f"up_{height}", height) for height in size.generator_maps]
    else:
        # Attention follows the first block of each size, but not the blocks
        # after it that do not halve the size.
        maps = dict(enumerate(size.discriminator_maps))
        blocks = [
            (f"block_{i + 1}", maps.get(i))
            for i in range(len(size.discriminator_widths))
        ]
    result = []
    for name, height in blocks:
        result.append(name)
        if height in attention_resolutions:
            result.append(f"attention_{height}")
    return result


_TORCH_KERNELS = dict.fromkeys(
    ("convolution", "linear", "latents", "embedding", "table"),
    ("weight", "bias"),
)
_TORCH_AXES = {
    "convolution": axes.CONVOLUTION,
    "linear": axes.LINEAR,
    "latents": axes.LATENTS_TO_MAP,
    "embedding": axes.EMBEDDING,
    "table": axes.TABLE_AS_EMBEDDING,
}

# BigGAN-PyTorch stores only `u` and iterates at every call. Mmgeneration's
# attention may do so too.
BY_CALL = (None, "u0", None)
_TORCH_BATCH_NORM = {
    "norm_gamma": "weight",
    "norm_beta": "bias",
    "norm_moving_mean": "running_mean",
    "norm_moving_variance": "running_var",
}
_TORCH_NORMALIZED = ("weight_orig", "weight_u", "weight_v")

STUDIOGAN = Layout(
    source="studiogan",
    names={
        "generator_linear": "linear0",
        "generator_last_norm": "bn4",
        "generator_rgb": "conv2d5",
        "discriminator_linear": "linear1",
        "discriminator_embedding": "embedding",
        "conv_1": "conv2d1",
        "conv_2": "conv2d2",
        "shortcut": "conv2d0",
        "norm_1": "bn1",
        "norm_2": "bn2",
        "attention_query": "conv1x1_theta",
        "attention_key": "conv1x1_phi",
        "attention_value": "conv1x1_g",
        "attention_projection": "conv1x1_attn",
        "attention_gamma": "sigma",
        "table_gamma": "gain",
        "table_beta": "bias",
        "table_moving_mean": "bn.running_mean",
        "table_moving_variance": "bn.running_var",
        **_TORCH_BATCH_NORM,
    },
    stage=lambda side, i, block, attends: f"blocks.{i}.0",
    axes={**_TORCH_AXES, "table": axes.TABLE_AS_LINEAR},
    kernels=_TORCH_KERNELS,
    normalized=_TORCH_NORMALIZED,
    gamma_offset=1.0,
    defaults={
        "spectral_epsilon": 1e-6,
        "batch_norm_epsilon": 1e-4,
        "batch_norm_momentum": 0.9,
        "class_table_spectral_normalization": True,
        "shortcut_after_relu": True,
    },
)


def _mmgeneration_stage(side, i, block, attends):
    if side == _GENERATOR:
        return f"conv_blocks.{i}"
    return f"conv_blocks.{i - 1}" if i else "from_rgb"


MMGENERATION = Layout(
    source="mmgeneration",
    names={
        "generator_linear": "noise2feat",
        "generator_last_norm": "to_rgb.bn",
        "generator_rgb": "to_rgb.conv",
        "discriminator_linear": "decision",
        "discriminator_embedding": "proj_y",
        "conv_1": "conv_1.conv",
        "conv_2": "conv_2.conv",
        "shortcut": "shortcut.conv",
        "norm_1": "norm_1",
        "norm_2": "norm_2",
        "attention_query": "theta.conv",
        "attention_key": "phi.conv",
        "attention_value": "g.conv",
        "attention_projection": "o.conv",
        "attention_gamma": "gamma",
        "table_gamma": "weight_embedding",
        "table_beta": "bias_embedding",
        "table_moving_mean": "norm.running_mean",
        "table_moving_variance": "norm.running_var",
        **_TORCH_BATCH_NORM,
    },
    stage=_mmgeneration_stage,
    axes=_TORCH_AXES,
    kernels=_TORCH_KERNELS,
    normalized=_TORCH_NORMALIZED,
    gamma_offset=1.0,
    defaults={
        "spectral_epsilon": 1e-12,
        "batch_norm_epsilon": 1e-4,
        "batch_norm_momentum": 0.9,
    },
)

BIGGAN_PYTORCH = Layout(
    source="biggan_pytorch",
    names={
        "generator_linear": "linear",
        "generator_last_norm": "output_layer.0",
        "generator_rgb": "output_layer.2",
        "discriminator_linear": "linear",
        "discriminator_embedding": "embed",
        "conv_1": "conv1",
        "conv_2": "conv2",
        "shortcut": "conv_sc",
        "norm_1": "bn1",
        "norm_2": "bn2",
        "attention_query": "theta",
        "attention_key": "phi",
        "attention_value": "g",
        "attention_projection": "o",
        "attention_gamma": "gamma",
        "table_gamma": "gain",
        "table_beta": "bias",
        "table_moving_mean": "stored_mean",
        "table_moving_variance": "stored_var",
        "norm_gamma": "gain",
        "norm_beta": "bias",
        "norm_moving_mean": "stored_mean",
        "norm_moving_variance": "stored_var",
    },
    stage=lambda side, i, block, attends: f"blocks.{block}.{int(attends)}",
    axes=_TORCH_AXES,
    kernels=_TORCH_KERNELS,
    normalized=BY_CALL,
    gamma_offset=1.0,
    defaults={
        "spectral_epsilon": 1e-8,
        "batch_norm_epsilon": 1e-5,
        "batch_norm_momentum": 0.9,
    },
)


def _released_stage(side, i, block, attends):
    letter = side[0]
    if attends:
        return f"model/{letter}_non_local"
    if side == _DISCRIMINATOR and block == 0:
        return "model/d_optimized_block1"
    return f"model/{letter}_block{block + 1}"


RELEASED = Layout(
    source="released",
    names={
        "generator_linear": "model/g_snh0",
        "generator_last_norm": "model/g_bn",
        "generator_rgb": "model/g_snconv_last",
        "discriminator_linear": "model/d_sn_linear",
        "discriminator_embedding": "model/d_embedding",
        "conv_1": "snconv1",
        "conv_2": "snconv2",
        "shortcut": "snconv3",
        "discriminator_conv_1": "sn_conv1",
        "discriminator_conv_2": "sn_conv2",
        "discriminator_shortcut": "sn_conv3",
        "norm_1": "cbn_0",
        "norm_2": "cbn_1",
        "attention_query": "sn_conv_theta",
        "attention_key": "sn_conv_phi",
        "attention_value": "sn_conv_g",
        "attention_projection": "sn_conv_attn",
        "attention_gamma": "sigma_ratio",
        "table_gamma": "gamma",
        "table_beta": "beta",
        "table_moving_mean": "mean",
        "table_moving_variance": "var",
        "norm_gamma": "gamma",
        "norm_beta": "beta",
        "norm_moving_mean": "moving_mean",
        "norm_moving_variance": "moving_variance",
    },
    stage=_released_stage,
    axes={
        "convolution": axes.TENSORFLOW_CONVOLUTION,
        "linear": axes.TENSORFLOW_LINEAR,
        "latents": axes.TENSORFLOW_LINEAR,
        "embedding": axes.EMBEDDING,
        "table": axes.TENSORFLOW_TABLE,
    },
    kernels={
        "convolution": ("w", "biases"),
        "linear": ("Matrix", "bias"),
        "latents": ("Matrix", "bias"),
        "embedding": ("embedding_map", None),
        "table": (None, None),
    },
    normalized=(None, "u", None),
    gamma_offset=0.0,
    separator="/",
    defaults={"batch_norm_momentum": (0.999, 0.9999)},
)

LAYOUTS = {
    layout.source: layout
    for layout in (STUDIOGAN, MMGENERATION, BIGGAN_PYTORCH, RELEASED)
}
