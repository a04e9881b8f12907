"""Draws inputs with NumPy, and runs a generator on them."""

import operator

import keras
import numpy as np
from keras import ops

from keras_sagan import backends
from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_number
from keras_sagan.arguments import check_seed
from keras_sagan.backends.padding import pad_rows
from keras_sagan.layers.calls import call
from keras_sagan.layers.calls import network_inputs
from keras_sagan.layers.nested import flatten_layers
from keras_sagan.layers.nested import layers_with
from keras_sagan.models import networks
from keras_sagan.models.cloning import clone_network
from keras_sagan.models.cloning import is_graph


def prepare_inputs(
    labels, num_images, seed, latents, truncation, latent_dim, num_classes
):
    """Checks or draws latents `(N, latent_dim)` and labels; see `generate`."""
    if latents is not None:
        latents = as_array("latents", latents).astype(keras.config.floatx())
        if latents.ndim != 2 or latents.shape[1] != latent_dim:
            raise ValueError(
                f"`latents` must have shape (N, {latent_dim}). "
                f"Received: latents of shape {latents.shape}"
            )
        if not np.all(np.isfinite(latents)):
            raise ValueError(
                "`latents` must be finite. Received: NaN or infinity in them"
            )
        if truncation is not None:
            raise ValueError(
                "`truncation` is for latents that are drawn here. Received: "
                f"truncation={truncation} and latents"
            )
    check_seed("seed", seed)
    n = _number_of_images(labels, num_images, latents)
    rng = np.random.default_rng(seed)
    if latents is None:
        latents = draw_latents(rng, n, latent_dim, truncation)
    return latents, _prepare_labels(labels, n, num_classes, rng)


def as_array(name, values):
    """Returns numbers as an array; raises a `ValueError` for other values."""
    try:
        array = np.asarray(values)
        if array.dtype.kind in "iuf":
            return array
        received = f"dtype {array.dtype}"
    except (TypeError, ValueError) as error:
        received = str(error)
    raise ValueError(f"`{name}` must be numbers. Received: {received}")


def _number_of_images(labels, num_images, latents):
    if num_images is not None:
        check_integer("num_images", num_images, 1)
    if labels is not None:
        labels = as_array("labels", labels)
    lengths = {
        "num_images": num_images,
        "labels": len(labels) if np.ndim(labels) else None,
        "latents": None if latents is None else len(latents),
    }
    lengths = {name: n for name, n in lengths.items() if n is not None}
    for name, n in lengths.items():
        if n == 0:
            raise ValueError(
                f"`{name}` must not be empty. Received: {name} of length 0"
            )
    if len(set(lengths.values())) > 1:
        raise ValueError(
            "`labels`, `latents` and `num_images` must agree on the number of "
            f"images. Received: {lengths}"
        )
    return next(iter(lengths.values()), 1)


def _prepare_labels(labels, n, num_classes, rng):
    if num_classes is None:
        if labels is not None:
            raise ValueError(
                "`labels` must be None: this SAGAN has no classes. "
                f"Received: labels={labels}"
            )
        return None
    if labels is None:
        return rng.integers(num_classes, size=n, dtype="int32")
    labels = as_array("labels", labels)
    if labels.ndim > 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            "`labels` must be an integer or integers of shape (N,); floats "
            "(N, num_classes) go to `class_weights`. Received: labels of "
            f"shape {labels.shape} and dtype {labels.dtype}"
        )
    outside = labels[(labels < 0) | (labels >= num_classes)]
    if outside.size:
        raise ValueError(
            f"`labels` must be in [0, {num_classes}), the classes of this "
            f"SAGAN. Received: labels with {outside.flat[0]}"
        )
    return np.broadcast_to(labels, (n,)).astype("int32")


def draw_latents(rng, n, latent_dim, truncation=None):
    """Draws from N(0, I), and draws entries beyond +-truncation again."""
    latents = rng.standard_normal((n, latent_dim))
    if truncation is not None:
        # With a smaller bound, drawing again would take forever.
        check_number("truncation", truncation, 0.01)
        while np.any(beyond := np.abs(latents) > truncation):
            latents[beyond] = rng.standard_normal(beyond.sum())
    return latents.astype(keras.config.floatx())


def generate(generator, latents, labels, batch_size, quantize=True):
    """Runs a generator in inference, and returns uint8 images, or floats."""
    devices = backends.devices()
    # The last batch is padded, so that only one shape is compiled, and cut
    # afterwards.
    size = min(-(-len(latents) // devices), batch_size) * devices
    inputs = network_inputs(generator, latents, labels)
    inputs, n = pad_rows(inputs, size)
    images = []
    for i in range(0, len(latents), size):
        rows = slice(i, i + size)
        batch = keras.tree.map_structure(operator.itemgetter(rows), inputs)
        # `predict` is slower: TensorFlow may need seconds to free its dataset.
        batch = backends.predict(generator, batch)
        images.append(to_uint8(batch) if quantize else np.asarray(batch))
    return np.concatenate(images)[:n]


def to_uint8(images):
    """Maps [-1, 1] to 0..255, rounded to the nearest."""
    return np.clip(np.rint((images + 1.0) * 127.5), 0, 255).astype("uint8")


def with_standing_statistics(
    generator, num_batches, batch_size, latent_dim, num_classes
):
    """Returns a copy whose batch norms have mean statistics of fresh batches.

    The latents and labels are always the same, so that the result depends only
    on the weights. The network runs in training mode, but only the statistics
    change.

    Args:
        generator: A network from latents, or latents and labels, to images.
        num_batches: Positive integer, the number of batches.
        batch_size: Positive integer, the number of images per batch.
        latent_dim: Positive integer, the number of entries of a latent vector.
        num_classes: Positive integer, or None for a generator without labels.

    Raises:
        ValueError: If the generator has no batch norm, or has one without the
            attributes that are set here.
    """
    copy = networks.copy_of(generator, latent_dim, num_classes)
    # Keras' own batch norm uses moving statistics if it is not trainable. Set
    # this on each layer: the copy of a frozen network says that it is trainable
    # although its layers are not, and on TensorFlow, Keras does nothing if an
    # attribute already has the assigned value.
    for layer in flatten_layers(copy):
        layer.trainable = True
    norms = _batch_norms(copy)
    statistics = {
        id(v) for x in norms for v in (x.moving_mean, x.moving_variance)
    }
    # The vectors of spectral norms, for example.
    others = [
        (v, ops.convert_to_numpy(v))
        for v in copy.non_trainable_weights
        if id(v) not in statistics
    ]
    rng = np.random.default_rng(0)
    for i in range(num_batches):
        for norm in norms:  # A running mean: i of i + 1 parts are kept.
            norm.momentum = i / (i + 1)
        latents, labels = draw_latents(rng, batch_size, latent_dim), None
        if num_classes is not None:
            labels = rng.integers(num_classes, size=batch_size, dtype="int32")
        call(copy, latents, labels, training=True)
        for variable, value in others:
            variable.assign(value)
    return copy


def _batch_norms(network):
    """Returns the layers whose moving statistics depend on a momentum."""
    norms = layers_with(network, "moving_mean")
    needed = ("moving_variance", "momentum")
    others = [x for x in norms if not all(hasattr(x, n) for n in needed)]
    if others or not norms:
        received = f"the generator '{network.name}' without such a layer"
        if others:
            received = f"the layer {others[0].name}, {others[0]}"
        raise ValueError(
            "`standing_statistics` needs a generator whose batch norms have "
            "`moving_mean`, `moving_variance` and `momentum`, as in "
            f"`keras.layers.BatchNormalization`. Received: {received}"
        )
    return norms


def with_blended_classes(generator, class_weights):
    """Returns a copy whose class i is a blend of the generator's classes.

    Every layer that knows the classes (`ConditionalBatchNorm`, or another
    with `class_tables` and `with_class_tables`) gets the rows `class_weights
    @ table`. One-hot weights give exactly that class, to the bit.

    Args:
        generator: A functional model from latents and labels to images.
        class_weights: Floats `(rows, classes)`.

    Raises:
        ValueError: If another layer gets the labels, because it would take
            them as the generator's own classes.
    """
    if not is_graph(generator):
        raise _not_blendable(class_weights, generator)
    calls = []

    def replace(layer):
        if not hasattr(layer, "with_class_tables"):
            return None
        tables = map(ops.convert_to_numpy, layer.class_tables())
        return layer.with_class_tables(*(class_weights @ x for x in tables))

    def call(layer, *args, **kwargs):
        calls.append((layer, keras.tree.flatten((args, kwargs))))
        return layer(*args, **kwargs)

    copy = clone_network(generator, replace, call)
    labels = copy.inputs[1:]
    for label in labels:  # The list grows by the labels of models inside.
        for layer, inputs in calls:
            places = [i for i, x in enumerate(inputs) if x is label]
            if not places or hasattr(layer, "with_class_tables"):
                continue
            if not is_graph(layer):
                raise _not_blendable(class_weights, layer)
            labels += [layer.inputs[i] for i in places]
    return copy


def _not_blendable(class_weights, layer):
    return ValueError(
        "`class_weights` needs a functional generator in which only "
        "`ConditionalBatchNorm` uses the labels. Received: class_weights of "
        f"shape {class_weights.shape}, for labels that go to '{layer.name}' of "
        f"class {type(layer).__name__}"
    )
