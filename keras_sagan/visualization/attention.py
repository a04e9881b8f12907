"""Attention maps: where each location of an image looks."""

import contextlib
import dataclasses
import functools
import inspect
import threading

import numpy as np
from keras import ops

from keras_sagan.arguments import check_choice
from keras_sagan.layers.calls import call
from keras_sagan.layers.nested import flatten_layers
from keras_sagan.visualization.queries import check_queries
from keras_sagan.visualization.queries import representative_queries

_LOCK = threading.Lock()  # Held while the `call` of a layer is replaced.


@dataclasses.dataclass(frozen=True)
class AttentionMaps:
    """The attention maps of one layer for N images, with query points.

    `scores[n, i, j]` shows where location (row i, column j) of the layer's
    feature map looks in image n: `(h, w)` weights over the keys, which sum to
    1. If the layer pools its keys, their map is coarser: (h, w) is (H, W)
    divided by the layer's `pool_size`.

    Attributes:
        images: uint8 `(N, height, width, channels)`.
        labels: Integers `(N,)`, or None.
        scores: float32 `(N, H, W, h, w)`.
        queries: Integers `(N, Q, 2)`, points (x, y) in pixels of the images,
            with x to the right and y down.
        gamma: Float, the factor by which the layer multiplies the attention
            output before it adds it to its input.
        network: Name of the network.
        layer: Name of the layer.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> maps = keras_sagan.visualization.attention_maps(model, labels=3, seed=0)
    >>> maps.scores.shape, maps.queries.shape
    ((1, 8, 8, 4, 4), (1, 5, 2))
    >>> corner = maps.at([(15, 0)])
    >>> corner.locations.tolist(), round(float(corner.maps.sum()), 4)
    ([[[0, 7]]], 1.0)
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
        """The row and column of each query on the layer's map, `(N, Q, 2)`."""
        height, width = self.images.shape[1:3]
        rows = self.queries[..., 1] * self.scores.shape[1] // height
        columns = self.queries[..., 0] * self.scores.shape[2] // width
        return np.stack([rows, columns], axis=-1)

    @property
    def maps(self):
        """The attention maps of the queries, `(N, Q, h, w)`."""
        rows, columns = np.moveaxis(self.locations, -1, 0)
        return self.scores[np.arange(len(rows))[:, None], rows, columns]

    def at(self, queries):
        """Returns the same scores with other query points.

        Args:
            queries: Points (x, y) in pixels, `(Q, 2)` for all images or
                `(N, Q, 2)`. Or a positive integer, the number of points to
                choose for each image: they are chosen so that every other
                location is similar to one of them.

        Returns:
            An `AttentionMaps`.

        Raises:
            ValueError: If a point is outside the images.
        """
        if isinstance(queries, (int, np.integer)):
            queries = representative_queries(
                self.scores, queries, self.images.shape[1:3]
            )
        queries = check_queries(queries, self.images.shape[:3])
        return dataclasses.replace(self, queries=queries)


def attention_layers(network):
    """Returns the attention layers of a network, in order.

    An attention layer is a layer of any class that can return its attention
    scores, as `keras_sagan.layers.SelfAttention2D` does: it has a scalar weight
    `gamma`, and its `call` takes `return_attention_scores` and then returns the
    output and the scores `(batch, height * width, keys)`. Layers that are
    nested in other layers are found too.

    Args:
        network: A `keras.Model`, functional or subclassed.

    Returns:
        A list of layers.

    Example:

    >>> generator = keras_sagan.models.build_generator(
    ...     32, num_classes=None, base_channels=8)
    >>> [x.name for x in keras_sagan.visualization.attention_layers(generator)]
    ['attention_16']
    """
    return [x for x in flatten_layers(network) if _tells_scores(x)]


def _tells_scores(layer):
    arguments = inspect.signature(layer.call).parameters
    return "return_attention_scores" in arguments and hasattr(layer, "gamma")


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
    """Computes the attention maps `beta`: where locations of images look.

    The network is run, and the attention layer returns the scores that it uses
    on the way. The result also holds the images: those that are given, or those
    that `model.generate` makes from the same arguments. `attention_figure`
    draws the result.

    Args:
        model: A `SAGAN`. If `images` are given, it can also be any
            `keras.Model` that takes images in [-1, 1], with or without labels.
        images: uint8 `(N, height, width, channels)`, the images for which to
            show the attention of the discriminator. The network gets
            `images / 127.5 - 1`. If `None`, images are generated.
        labels: As in `SAGAN.generate`. For given images, integers `(N,)`, or
            `None` for class 0. The discriminator of `build_discriminator` uses
            the labels only after its attention layer, so they do not change its
            maps.
        num_images: As in `SAGAN.generate`.
        seed: As in `SAGAN.generate`.
        latents: As in `SAGAN.generate`.
        network: `"generator"` or `"discriminator"`. Defaults to the generator
            for generated images, and to the discriminator for given images.
        layer: The attention layer, or its name. If `None`, the network must
            have only one.
        ema: Whether to use the EMA generator for generated images and for the
            maps of the generator.
        queries: See `AttentionMaps.at`.

    Returns:
        An `AttentionMaps`. It holds all scores of the layer: 64 kB per image
        for a map of 16x16 with pooled keys, 16 MB for 64x64.

    Raises:
        ValueError: If the network has no attention layer, an argument is out of
            range, or two arguments do not fit together.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> maps = keras_sagan.visualization.attention_maps(
    ...     model, labels=[3, 7], seed=0, queries=[(8, 8), (2, 12)])
    >>> maps.images.shape, maps.maps.shape
    ((2, 16, 16, 3), (2, 2, 4, 4))

    Reference: Zhang et al., arXiv 1805.08318, eq. 1 and Figures 1 and 5.
    """
    is_sagan = hasattr(model, "ema_generator")
    _check_choice(is_sagan, images, network)
    if images is None:
        latents, labels = model.draw_inputs(labels, num_images, seed, latents)
        images = model.generate(labels, latents=latents, ema=ema)
        network = network or "generator"
    net = model
    if is_sagan and network == "generator":
        net = model.ema_generator if ema else model.generator
    elif is_sagan:
        net = model.discriminator
    attention = _find_layer(net, layer)
    if network == "generator":
        x = latents
    else:
        images = _check_images(images, _image_shape(model))
        x = images / 127.5 - 1
    y = None
    if _takes_labels(model, labels):
        y = np.zeros(len(images)) if labels is None else labels
        y = np.asarray(y, "int32")
    if is_sagan:
        model.sync_variables()
    return AttentionMaps(
        images=images,
        labels=None if labels is None else np.asarray(labels),
        scores=_scores(net, attention, x, y),
        queries=np.zeros((len(images), 0, 2), int),
        gamma=float(ops.convert_to_numpy(attention.gamma)),
        network=net.name,
        layer=attention.name,
    ).at(queries)


def _takes_labels(model, labels):
    if hasattr(model, "num_classes"):
        return model.num_classes is not None
    inputs = getattr(model, "inputs", None)
    return labels is not None if inputs is None else len(inputs) > 1


def _image_shape(model):
    """Returns the image shape that a model takes, with None for any size."""
    if hasattr(model, "discriminator"):
        return model.image_shape
    inputs = getattr(model, "inputs", None)
    return (None,) * 3 if inputs is None else tuple(inputs[0].shape[1:])


def _check_choice(is_sagan, images, network):
    if not is_sagan and images is None:
        raise ValueError(
            "`images` must be given for a model that is not a SAGAN. Received: "
            "images=None"
        )
    choices = (None, "generator", "discriminator") if is_sagan else (None,)
    check_choice("network", network, choices)
    if images is not None and network == "generator":
        raise ValueError(
            "`images` must be None for the generator, whose maps are those of "
            "the images that it makes. Received: network='generator' and images"
        )


def _find_layer(network, layer):
    layers = attention_layers(network)
    if not layers:
        raise ValueError(
            "`model` must have an attention layer to show, such as "
            f"`SelfAttention2D`. Received: '{network.name}' without one"
        )
    if layer is not None and not isinstance(layer, str):
        found = [x for x in layers if layer is x]
    else:
        found = [x for x in layers if layer in (None, x.name)]
    if len(found) != 1:
        raise ValueError(
            f"`layer` must be an attention layer of '{network.name}' or its "
            f"name, one of {[x.name for x in layers]}. "
            f"Received: layer={layer!r}"
        )
    return found[0]


def _scores(network, attention, x, labels):
    """Runs the network, and returns the scores `(N, H, W, h, w)`."""
    scores = []
    begin, size = 0, 1  # The first image alone, to find the size.
    while begin < len(x):
        rows = slice(begin, begin + size)
        y = None if labels is None else labels[rows]
        with _telling_scores(attention) as told:
            call(network, x[rows], y, training=False)
        scores.append(told[0])
        begin += size
        # Each batch has at most 2^25 scores, 128 MB.
        size = max(1, 2**25 // told[0][0].size)
    return np.concatenate(scores).astype("float32")


@contextlib.contextmanager
def _telling_scores(attention):
    """Yields a list to which the layer adds its scores when it is called.

    The layer's `call` is replaced for this thread only: other threads, such as
    those of the app, may run the same network at the same time.
    """
    told, this_thread = [], threading.get_ident()
    own_call = type(attention).call.__get__(attention)

    @functools.wraps(own_call)
    def telling(inputs, *args, **kwargs):
        if threading.get_ident() != this_thread:
            return own_call(inputs, *args, **kwargs)
        kwargs["return_attention_scores"] = True
        outputs, beta = own_call(inputs, *args, **kwargs)  # (B, H * W, h * w)
        _, height, width, _ = inputs.shape
        # Pooling divides both sides of the map of keys by `pool`.
        pool = round((height * width / beta.shape[-1]) ** 0.5)
        shape = (-1, height, width, height // pool, width // pool)
        told.append(ops.convert_to_numpy(beta).reshape(shape))
        return outputs

    with _LOCK:
        attention.call = telling
        try:
            yield told
        finally:
            del attention.call  # Uncovers the method of the class.


def _check_images(images, shape):
    images = np.asarray(images)
    if (
        images.dtype != np.uint8
        or images.ndim != 4
        or not len(images)
        or any(a not in (b, None) for a, b in zip(shape, images.shape[1:]))
    ):
        raise ValueError(
            "`images` must be uint8 of shape "
            f"(N, {', '.join(map(str, shape))}), as the network takes them. "
            f"Received: images of shape {images.shape} and dtype "
            f"{images.dtype}"
        )
    return images
