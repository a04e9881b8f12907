"""Drawing inputs with NumPy and running a generator on them."""

import operator

import keras
import numpy as np
from keras import ops

from keras_sagan import backends
from keras_sagan.backends.padding import pad_rows
from keras_sagan.layers import BatchNorm
from keras_sagan.layers import ConditionalBatchNorm
from keras_sagan.layers import SpectralNormalization
from keras_sagan.layers.nested import flatten_layers
from keras_sagan.models import checks
from keras_sagan.models import networks


def prepare_inputs(
    labels, num_images, seed, latents, truncation, latent_dim, num_classes
):
    """Checks or draws latents `(N, latent_dim)` and labels, see `generate`."""
    if latents is not None:
        latents = np.asarray(latents, dtype=keras.config.floatx())
        if latents.ndim != 2 or latents.shape[1] != latent_dim:
            raise ValueError(
                f"`latents` must have shape (N, {latent_dim}). "
                f"Received: latents of shape {latents.shape}"
            )
        if truncation is not None:
            raise ValueError(
                "`truncation` is for latents that are drawn. Received: "
                f"truncation={truncation} and latents"
            )
    n = _number_of_images(labels, num_images, latents)
    rng = np.random.default_rng(seed)
    if latents is None:
        latents = draw_latents(rng, n, latent_dim, truncation)
    return latents, _prepare_labels(labels, n, num_classes, rng)


def _number_of_images(labels, num_images, latents):
    if num_images is not None:
        checks.check_positive_integer("num_images", num_images)
    lengths = {
        "num_images": num_images,
        "labels": len(labels) if np.ndim(labels) else None,
        "latents": None if latents is None else len(latents),
    }
    lengths = {name: n for name, n in lengths.items() if n is not None}
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
    labels = np.asarray(labels)
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
    """Draws from N(0, I), entries beyond +-truncation again."""
    latents = rng.standard_normal((n, latent_dim))
    if truncation is not None:
        if not truncation > 0:
            raise ValueError(
                "`truncation` must be a positive float or None. "
                f"Received: truncation={truncation}"
            )
        while np.any(beyond := np.abs(latents) > truncation):
            latents[beyond] = rng.standard_normal(beyond.sum())
    return latents.astype(keras.config.floatx())


def generate(generator, latents, labels, batch_size, quantize=True):
    """Runs a generator in inference, and returns uint8 images, or floats."""
    devices = backends.devices()
    # One shape is compiled: the last batch is filled up, and cut afterwards.
    size = min(-(-len(latents) // devices), batch_size) * devices
    inputs = networks.network_inputs(generator, latents, labels)
    inputs, n = pad_rows(inputs, size)
    images = []
    for i in range(0, len(latents), size):
        rows = slice(i, i + size)
        batch = keras.tree.map_structure(operator.itemgetter(rows), inputs)
        # Not `predict`: its dataset may take TensorFlow seconds to let go of.
        batch = backends.predict(generator, batch)
        images.append(to_uint8(batch) if quantize else np.asarray(batch))
    return np.concatenate(images)[:n]


def to_uint8(images):
    """Maps [-1, 1] to 0..255, to the nearest."""
    return np.clip(np.rint((images + 1.0) * 127.5), 0, 255).astype("uint8")


def with_standing_statistics(
    generator, num_batches, batch_size, latent_dim, num_classes
):
    """Returns a copy whose batch norms hold mean statistics of fresh batches.

    The latents and labels are always the same ones, so that the result is a
    function of the weights.
    """
    copy = networks.copy_of(generator, latent_dim, num_classes)
    norms, normalizations = (
        [x for x in flatten_layers(copy) if isinstance(x, kind)]
        for kind in (BatchNorm, SpectralNormalization)
    )
    vectors = [
        (v, ops.convert_to_numpy(v)) for x in normalizations for v in (x.u, x.v)
    ]
    rng = np.random.default_rng(0)
    for i in range(num_batches):
        for norm in norms:  # A running mean: i of i + 1 parts are kept.
            norm.momentum = i / (i + 1)
        latents, labels = draw_latents(rng, batch_size, latent_dim), None
        if num_classes is not None:
            labels = rng.integers(num_classes, size=batch_size, dtype="int32")
        networks.call(copy, latents, labels, training=True)
        for variable, value in vectors:
            variable.assign(value)
    return copy


def with_blended_classes(generator, shares):
    """Returns a copy whose class i is a blend of the generator's classes.

    The batch norms' tables get the rows `shares @ table`, of `(rows, classes)
    @ (classes, channels)`: a row of `shares` that is one class is that class,
    to the bit. Tables under spectral normalization are taken as normalized.
    """

    def clone(layer):
        config = layer.get_config()
        if isinstance(layer, ConditionalBatchNorm):
            config["num_classes"] = len(shares)
            config["spectral_normalization"] = False
        return type(layer).from_config(config)

    if not any(isinstance(x, ConditionalBatchNorm) for x in generator.layers):
        raise ValueError(
            "`labels` can be shares of classes only where the generator knows "
            "its classes by `ConditionalBatchNorm`. Received: labels of shape "
            f"{shares.shape} for the generator '{generator.name}'"
        )
    copy = keras.models.clone_model(generator, clone_function=clone)
    for source in generator.layers:
        target = copy.get_layer(source.name)
        if not isinstance(source, ConditionalBatchNorm):
            networks.copy_values(source, target)
            continue
        gain, offset = (ops.convert_to_numpy(x) for x in class_tables(source))
        target.gamma.assign(shares @ gain)
        target.beta.assign(shares @ offset)
        for name in ("moving_mean", "moving_variance"):
            getattr(target, name).assign(ops.copy(getattr(source, name)))
    return copy


def class_tables(norm):
    """Returns the gains and offsets of all classes, `(classes, channels)`."""
    if not norm.spectral_normalization:
        return norm.gamma, norm.beta
    classes = np.arange(norm.num_classes)
    return 1.0 + norm.gamma(classes), norm.beta(classes)
