"""The projection discriminator."""

import keras
from keras import layers
from keras import ops

from keras_sagan.layers.add import Add
from keras_sagan.layers.copies import assign
from keras_sagan.layers.copies import blend
from keras_sagan.layers.dense import Dense
from keras_sagan.models.blocks import Blocks
from keras_sagan.models.blocks import check_architecture
from keras_sagan.models.blocks import check_attention_resolutions
from keras_sagan.models.blocks import full_precision
from keras_sagan.sizes import size_of


def build_discriminator(
    resolution=128,
    num_classes=1000,
    base_channels=64,
    attention_resolutions=None,
    attention="released",
    spectral_normalization=True,
    spectral_epsilon=1e-12,
    shortcut_after_relu=False,
    fused_resampling=True,
    channels=3,
    name="discriminator",
):
    """Builds SAGAN's projection discriminator, a functional `keras.Model`.

    `image -> down blocks -> one block without downsampling (two up to 32
    pixels) -> ReLU -> h = sum over the map`, and then
    `logit = linear(h) + <h, embedding(label)>`. Self-attention follows the
    first block of each given output size. There is no batch norm.

    Args:
        resolution: Side of the images in pixels, or a pair `(height, width)`;
            see `build_generator`.
        num_classes: Positive integer, the number of classes, or None for a
            discriminator without labels and embedding.
        base_channels: Positive integer, the width `ch` of the first block for
            images of more than 32 pixels. The release uses 64.
        attention_resolutions: Heights of the feature maps with attention, from
            the height of the last map up to half the height of the image; `()`
            for none. If `None`, defaults to the map of `build_generator`.
        attention: `"released"`, `"paper"`, or a function; see
            `build_generator`.
        spectral_normalization: Whether every convolution, the linear layer
            and the embedding are spectrally normalized.
        spectral_epsilon: Epsilon of the spectral normalization.
        shortcut_after_relu: Whether the shortcut of a block gets the input of
            the block after the first ReLU, as in StudioGAN and other ports,
            whose ReLU overwrites its input. Use this only for their weights:
            the FID on CIFAR-10 is 10.78 with it and 9.43 without it
            (mmgeneration).
        fused_resampling: Whether a convolution and its pooling are computed
            as one. `False` computes the same function of the same weights,
            but is slower.
        channels: Number of channels of the images: 1, 3 or 4; see
            `build_generator`.
        name: Name of the model.

    Returns:
        A `keras.Model` with the inputs `[images, labels]`: floats in [-1, 1]
        of shape `(batch, height, width, channels)`, and integers `(batch,)`.
        Without classes, the only input is `images`. The output is logits
        `(batch, 1)`, in float32 whatever the precision inside.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> discriminator = keras_sagan.models.build_discriminator(
    ...     resolution=32, num_classes=10, base_channels=16)
    >>> images = np.zeros((4, 32, 32, 3), "float32")
    >>> tuple(discriminator([images, np.array([0, 1, 2, 3])]).shape)
    (4, 1)

    Reference: Zhang et al., arXiv 1805.08318; the release,
    `discriminator.py`; Miyato and Koyama, arXiv 1802.05637, for the
    projection.
    """
    size = size_of(resolution)
    num_classes, base_channels, channels = check_architecture(
        num_classes,
        base_channels,
        channels,
        attention,
        spectral_normalization=spectral_normalization,
        shortcut_after_relu=shortcut_after_relu,
        fused_resampling=fused_resampling,
    )
    widths = [base_channels * x for x in size.discriminator_widths]
    attention_resolutions = check_attention_resolutions(
        attention_resolutions, size.default_attention, size.discriminator_maps
    )
    blocks = Blocks(
        num_classes=num_classes,
        attention=attention,
        spectral_normalization=spectral_normalization,
        spectral_epsilon=spectral_epsilon,
        fused_resampling=fused_resampling,
        shortcut_after_relu=shortcut_after_relu,
    )

    shape = (size.height, size.width, channels)
    images = keras.Input(shape, name="images")
    x = images
    for i, width in enumerate(widths):
        block_name = f"block_{i + 1}"
        halves = i < size.halvings
        if i == 0:
            x = blocks.first_block(x, width, block_name)
        else:
            x = blocks.down_block(x, width, block_name, downsample=halves)
        if halves and size.discriminator_maps[i] in attention_resolutions:
            x = blocks.attend(x)
    x = layers.ReLU(name="last_relu")(x)
    # The rest computes in at least float32: the sum runs over the whole map,
    # and the loss is a function of the logits.
    head = {"dtype": full_precision()}
    h = SumOverMap(name="sum", **head)(x)  # (B, channels)
    logits = blocks.normalized(Dense(1, name="linear", **head))(h)
    if num_classes is None:
        return keras.Model(images, logits, name=name)
    labels = keras.Input((), dtype="int32", name="labels")
    logits = project(h, logits, labels, num_classes, blocks.normalized)
    return keras.Model([images, labels], logits, name=name)


def project(h, logits, labels, num_classes, normalized):
    """Adds the projection on classes, `<h, embedding(label)>`, to logits.

    Args:
        h: Symbolic sums over the map, `(B, C)`.
        logits: Symbolic logits `(B, 1)`.
        labels: Symbolic labels `(B,)`.
        num_classes: Positive integer, the number of classes.
        normalized: Function that wraps a layer in spectral normalization, or
            returns the layer unchanged.
    """
    head = {"dtype": full_precision()}
    embedding = ClassEmbedding(
        num_classes,
        h.shape[-1],
        embeddings_initializer="glorot_uniform",
        name="embedding",
        **head,
    )
    embedded = normalized(embedding)(labels)  # (B, C)
    projection = InnerProduct(name="projection", **head)(h, embedded)
    return Add(name="logits", **head)([logits, projection])


@keras.saving.register_keras_serializable(package="keras_sagan")
class ClassEmbedding(layers.Embedding):
    """`keras.layers.Embedding` with the number of classes as an attribute."""

    @property
    def num_classes(self):
        """The number of classes."""
        return self.input_dim

    def with_classes(self, rows):
        """Returns a copy with new classes, each a blend of the old ones.

        Args:
            rows: Floats `(new classes, num_classes)`.
        """
        copy = type(self).from_config(
            {**self.get_config(), "input_dim": len(rows)}
        )
        copy.build(())
        assign([copy.embeddings], [blend(rows, self.embeddings)])
        return copy


@keras.saving.register_keras_serializable(package="keras_sagan")
class SumOverMap(layers.Layer):
    """Sums a feature map over its locations, `(B, H, W, C)` to `(B, C)`."""

    def call(self, inputs):
        return ops.sum(inputs, axis=(1, 2))

    def compute_output_shape(self, input_shape):
        return input_shape[0], input_shape[-1]


@keras.saving.register_keras_serializable(package="keras_sagan")
class InnerProduct(layers.Layer):
    """Inner products of the rows of two `(B, C)` tensors, `(B, 1)`."""

    def call(self, a, b):
        return ops.sum(a * b, axis=-1, keepdims=True)

    def compute_output_shape(self, a_shape, b_shape):
        return (*a_shape[:-1], 1)
