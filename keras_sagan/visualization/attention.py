"""Where the locations of an image look: the maps of self-attention."""

import dataclasses

import keras
import numpy as np
from keras import ops

from keras_sagan.layers import SelfAttention2D
from keras_sagan.visualization.queries import check_queries
from keras_sagan.visualization.queries import representative_queries


@dataclasses.dataclass(frozen=True)
class AttentionMaps:
    """The attention of one layer for N images, and points to show it at.

    `scores[n, i, j]` is where location (row i, column j) of the layer's map
    looks in image n: `(h, w)` weights over the keys, summing to 1. Pooled
    keys live on a coarser map: (h, w) is (H, W) over the layer's
    `pool_size`.

    Attributes:
        images: uint8 `(N, height, width, 3)`.
        labels: Integers `(N,)`, or None.
        scores: float32 `(N, H, W, h, w)`.
        queries: Integers `(N, Q, 2)`, points (x, y) in pixels of the images,
            x to the right and y down.
        gamma: Float, the share with which the layer adds its output.
        network: Name of the network.
        layer: Name of the layer.
    """

    images: np.ndarray
    labels: np.ndarray | None
    scores: np.ndarray
    queries: np.ndarray
    gamma: float
    network: str
    layer: str

    @property
    def locations(self):
        """Rows and columns `(N, Q, 2)` of the layer's map at the queries."""
        height, width = self.images.shape[1:3]
        rows = self.queries[..., 1] * self.scores.shape[1] // height
        columns = self.queries[..., 0] * self.scores.shape[2] // width
        return np.stack([rows, columns], axis=-1)

    @property
    def maps(self):
        """Where the queries look, `(N, Q, h, w)`."""
        rows, columns = np.moveaxis(self.locations, -1, 0)
        return self.scores[np.arange(len(rows))[:, None], rows, columns]

    def at(self, queries):
        """Returns the same maps, to be shown at other points.

        Args:
            queries: Points (x, y) in pixels, `(Q, 2)` for all images or
                `(N, Q, 2)`; or a positive integer: as many points, chosen for
                each image so that the other locations look much like one of
                them.

        Returns:
            An `AttentionMaps`.

        Raises:
            ValueError: If a point is outside of the images.
        """
        if isinstance(queries, (int, np.integer)):
            queries = representative_queries(
                self.scores, queries, self.images.shape[1:3]
            )
        queries = check_queries(queries, self.images.shape[:3])
        return dataclasses.replace(self, queries=queries)


def attention_layers(network):
    """Returns the `SelfAttention2D` layers of a `keras.Model`, in order.

    Example:
    >>> generator = keras_sagan.models.build_generator(
    ...     32, num_classes=None, base_channels=8)
    >>> [x.name for x in keras_sagan.visualization.attention_layers(generator)]
    ['attention_16']
    """
    return [x for x in network.layers if isinstance(x, SelfAttention2D)]


def attention_maps(
    model,
    images=None,
    labels=None,
    num_images=None,
    seed=None,
    latents=None,
    network=None,
    layer=None,
    ema=True,
    queries=5,
):
    """Computes where the locations of images look: the maps of `beta`.

    These are the maps the network uses: it is run up to the attention, which
    is then called on what it is given there, for its scores. With them come
    the images: those given, or those that `model.generate` makes of the same
    arguments. `attention_figure` draws them.

    Args:
        model: A `SAGAN`; or a functional `keras.Model` of images in [-1, 1],
            for `images`.
        images: uint8 `(N, height, width, 3)`, of which to show the
            discriminator's attention, or None for generated ones. The network
            sees `images / 127.5 - 1`.
        labels: As in `SAGAN.generate`. For given images, integers `(N,)` or
            None: a discriminator built here attends before it looks at them.
        num_images: As in `SAGAN.generate`.
        seed: As in `SAGAN.generate`.
        latents: As in `SAGAN.generate`.
        network: `"generator"` or `"discriminator"`. None: the generator for
            generated images, the discriminator for given ones.
        layer: Name of the attention layer. None: the only one.
        ema: Whether generated images and the generator's maps are those of
            the EMA generator.
        queries: See `AttentionMaps.at`.

    Returns:
        An `AttentionMaps`. It holds all scores of the layer: 64 kB an image
        for a map of 16x16 with pooled keys, 16 MB for 64x64.

    Raises:
        ValueError: If the network has no attention, an argument is out of
            range, or two do not fit.

    Example:
    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> maps = keras_sagan.visualization.attention_maps(
    ...     model, labels=[3, 7], seed=0, queries=[(8, 8), (2, 12)])
    >>> maps.images.shape, maps.maps.shape
    ((2, 16, 16, 3), (2, 2, 4, 4))

    Reference: Zhang et al., arXiv 1805.08318, eq. 1 and Figures 1 and 5.
    """
    sagan = hasattr(model, "ema_generator")
    _check_choice(sagan, images, network)
    if images is None:
        latents, labels = model.draw_inputs(labels, num_images, seed, latents)
        images = model.generate(labels, latents=latents, ema=ema)
        network = network or "generator"
    net = model
    if sagan and network == "generator":
        net = model.ema_generator if ema else model.generator
    elif sagan:
        net = model.discriminator
    attention = _find_layer(net, layer)
    if network == "generator":
        inputs = [latents]
    else:
        images = _check_images(images, net.inputs[0].shape[1:3])
        inputs = [images / 127.5 - 1]
    if len(net.inputs) > 1:
        given = np.zeros(len(images)) if labels is None else labels
        inputs.append(np.asarray(given, "int32"))
    if sagan:
        model.sync_variables()
    return AttentionMaps(
        images=images,
        labels=None if labels is None else np.asarray(labels),
        scores=_scores(net, attention, inputs),
        queries=np.zeros((len(images), 0, 2), int),
        gamma=float(ops.convert_to_numpy(attention.gamma)),
        network=net.name,
        layer=attention.name,
    ).at(queries)


def _check_choice(sagan, images, network):
    if not sagan and images is None:
        raise ValueError(
            "`images` must be given for a model that is no SAGAN. Received: "
            "images=None"
        )
    choices = (None, "generator", "discriminator") if sagan else (None,)
    if network not in choices:
        raise ValueError(
            "`network` must be 'generator' or 'discriminator' of a SAGAN, or "
            f"None. Received: network={network!r}"
        )
    if images is not None and network == "generator":
        raise ValueError(
            "`images` must be None for the generator: its maps are those of "
            "the images it makes. Received: network='generator' and images"
        )


def _find_layer(network, name):
    layers = {layer.name: layer for layer in attention_layers(network)}
    if not layers:
        raise ValueError(
            "`model` must have a `SelfAttention2D` layer to show the attention "
            f"of. Received: '{network.name}' without one"
        )
    if name is None and len(layers) == 1:
        return next(iter(layers.values()))
    if name not in layers:
        raise ValueError(
            f"`layer` must be one of {list(layers)}, the attention layers of "
            f"'{network.name}'. Received: layer={name!r}"
        )
    return layers[name]


def _scores(network, attention, inputs):
    """Runs the network up to the attention, and that for its scores."""
    features = keras.Model(network.inputs, attention.input)
    _, height, width, _ = attention.input.shape
    pool = attention.pool_size
    shape = height, width, height // pool, width // pool
    # B images at once have at most 2^25 scores, 128 MB.
    size = max(1, 2**25 // int(np.prod(shape)))
    scores = []
    for i in range(0, len(inputs[0]), size):
        batch = [x[i : i + size] for x in inputs]
        x = features(batch, training=False)
        _, beta = attention(x, return_attention_scores=True, training=False)
        beta = ops.convert_to_numpy(beta)  # (B, H * W, h * w)
        scores.append(beta.reshape(-1, *shape))
    return np.concatenate(scores).astype("float32")


def _check_images(images, size):
    images = np.asarray(images)
    if (
        images.dtype != np.uint8
        or images.shape[1:] != (*size, 3)
        or not len(images)
    ):
        raise ValueError(
            f"`images` must be uint8 of shape (N, {size[0]}, {size[1]}, 3), as "
            "the network takes them. Received: images of shape "
            f"{images.shape} and dtype {images.dtype}"
        )
    return images
