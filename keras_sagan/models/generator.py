"""The generator."""

import keras
from keras import layers

from keras_sagan import backends
from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_number
from keras_sagan.layers.dense import Dense
from keras_sagan.models.blocks import Blocks
from keras_sagan.models.blocks import check_architecture
from keras_sagan.models.blocks import check_attention_resolutions
from keras_sagan.models.blocks import full_precision
from keras_sagan.sizes import size_of


def build_generator(
    resolution=128,
    num_classes=1000,
    latent_dim=128,
    base_channels=64,
    attention_resolutions=None,
    attention="released",
    spectral_normalization=True,
    spectral_epsilon=1e-12,
    batch_norm_momentum=0.999,
    batch_norm_epsilon=1e-5,
    class_table_spectral_normalization=False,
    batch_norm_synchronized=True,
    fused_resampling=True,
    channels=3,
    name="generator",
):
    """Builds SAGAN's generator, a functional `keras.Model`.

    `z -> linear to the first map -> up blocks, one per doubling -> batch norm,
    ReLU, 3x3 convolution to the image, tanh`. The up blocks have
    class-conditional batch norms, and self-attention follows the blocks of the
    given output sizes. Training calls use batch statistics and run the power
    iterations. Inference calls use the stored values and change nothing.

    Args:
        resolution: Side of the images in pixels, or a pair `(height, width)`.
            A side is `b * 2**k`, with b from 3 to 7 and k of at least 2, such
            as 28, 64, 96 or 256, which is the largest. Both sides have the
            same k. The side of the first map is b pixels, or 4 for powers of
            two. The widths of the layers are those for the next power of two.
        num_classes: Positive integer, the number of classes, or None for a
            generator without labels.
        latent_dim: Positive integer, the number of entries of a latent vector.
        base_channels: Positive integer, the width `ch` of the last block for
            images of more than 32 pixels. The release uses 64.
        attention_resolutions: Heights of the feature maps with attention, from
            twice the height of the first map up to the height of the image;
            `()` for none. If `None`, defaults to the map nearest to 32x32
            locations, among those of at most half the resolution. This is 32
            for 64, 128 and 256 pixels.
        attention: The form of the attention, `"released"` or `"paper"`; see
            `SelfAttention2D`. Or a function `(x, blocks)` that is called
            instead, such as `keras_sagan.models.residual_control`. It gets a
            symbolic feature map and the `Blocks` of the network, and returns a
            feature map of the same shape.
        spectral_normalization: Whether every convolution and the linear layer
            are spectrally normalized.
        spectral_epsilon: Epsilon of the spectral normalization.
        batch_norm_momentum: Share that the moving moments keep per step: one
            float, or a pair for the blocks and the last batch norm. The
            release uses `(0.999, 0.9999)`; short runs need 0.9 to 0.99.
        batch_norm_epsilon: Epsilon of the batch norms. StudioGAN uses 1e-4.
        class_table_spectral_normalization: Whether the class tables are
            spectrally normalized, as in StudioGAN; see
            `ConditionalBatchNorm`.
        batch_norm_synchronized: Whether several devices normalize by the
            statistics of the whole batch; see `BatchNorm`.
        fused_resampling: Whether upsampling and its convolution are computed
            as one. `False` computes the same function of the same weights,
            but is slower.
        channels: Number of channels of the images: 1 for gray, 3 for RGB, or
            4 for RGB and alpha.
        name: Name of the model.

    Returns:
        A `keras.Model` with the inputs `[latents, labels]`: floats `(batch,
        latent_dim)` and integers `(batch,)`. Without classes, the only input
        is `latents`. The output is images `(batch, height, width, channels)`
        in [-1, 1], in float32 whatever the precision inside.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> generator = keras_sagan.models.build_generator(
    ...     resolution=32, num_classes=10, base_channels=16)
    >>> latents = np.random.normal(size=(4, 128)).astype("float32")
    >>> tuple(generator([latents, np.array([0, 1, 2, 3])]).shape)
    (4, 32, 32, 3)

    Reference: Zhang et al., arXiv 1805.08318; the release, `generator.py`.
    """
    size = size_of(resolution)
    num_classes, base_channels, channels = check_architecture(
        num_classes,
        base_channels,
        channels,
        attention,
        spectral_normalization=spectral_normalization,
        class_table_spectral_normalization=class_table_spectral_normalization,
        batch_norm_synchronized=batch_norm_synchronized,
        fused_resampling=fused_resampling,
    )
    check_integer("latent_dim", latent_dim, 1)
    latent_dim = int(latent_dim)
    first, *widths = [base_channels * x for x in size.generator_widths]
    attention_resolutions = check_attention_resolutions(
        attention_resolutions, size.default_attention, size.generator_maps
    )
    blocks = Blocks(
        num_classes=num_classes,
        attention=attention,
        spectral_normalization=spectral_normalization,
        spectral_epsilon=spectral_epsilon,
        fused_resampling=fused_resampling,
        batch_norm_momentum=_as_pair(batch_norm_momentum),
        batch_norm_epsilon=batch_norm_epsilon,
        batch_norm_synchronized=batch_norm_synchronized,
        class_table_spectral_normalization=class_table_spectral_normalization,
    )

    latents = keras.Input((latent_dim,), name="latents")
    labels = None
    if num_classes is not None:
        labels = keras.Input((), dtype="int32", name="labels")
    rows, columns = size.first_map
    units = rows * columns * first
    x = blocks.normalized(Dense(units, name="linear"))(latents)
    x = layers.Reshape((rows, columns, first), name="reshape")(x)
    for height, width in zip(size.generator_maps, widths):
        x = blocks.up_block(x, labels, width, name=f"up_{height}")
        if height in attention_resolutions:
            x = blocks.attend(x)
    x = blocks.last_norm(x, "last_norm")
    x = layers.ReLU(name="last_relu")(x)
    x = blocks.conv(x, channels, 3, "rgb")
    # Images must not be rounded: bfloat16 has 8 bits of mantissa for 256
    # levels.
    images = Tanh(dtype=full_precision(), name="images")(x)
    inputs = latents if labels is None else [latents, labels]
    return keras.Model(inputs, images, name=name)


def _as_pair(momentum):
    pair = momentum if isinstance(momentum, (tuple, list)) else [momentum] * 2
    if len(pair) != 2:
        raise ValueError(
            "`batch_norm_momentum` must be a float in [0, 1] or a pair of "
            f"them. Received: batch_norm_momentum={momentum}"
        )
    for value in pair:
        check_number("batch_norm_momentum", value, 0, 1)
    return tuple(pair)


@keras.saving.register_keras_serializable(package="keras_sagan")
class Tanh(layers.Layer):
    """Hyperbolic tangent; `keras.ops.tanh` rounds float64 on JAX."""

    def call(self, inputs):
        return backends.tanh(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape
