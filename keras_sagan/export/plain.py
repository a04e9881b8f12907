"""The generator without spectral norms, in float32, not trainable."""

from keras_sagan.models.cloning import clone_network
from keras_sagan.models.cloning import folded
from keras_sagan.models.cloning import in_float32
from keras_sagan.models.cloning import is_graph


def plain_generator(model, ema=True):
    """Returns the generator with the spectral norms folded into its kernels.

    The graph and the names of the layers stay. Each layer that can return
    itself without its norm (`folded()`, see `keras_sagan.layers`) is replaced
    by what it returns: a `SpectralNormalization`, for example, by the layer
    that it wraps, with `W / sigma` as its kernel. All other layers are
    copied. Weights and computation are float32, whatever the precision of the
    model.

    Keras does not know how a subclassed generator uses its layers, so such a
    generator is copied as it is, with its norms.

    Args:
        model: A `SAGAN`.
        ema: Whether to take the EMA generator.

    Returns:
        A `keras.Model` that takes `[latents, labels]`, or only latents, and
        returns images in [-1, 1]. In inference, its images are those of the
        original generator.

    Raises:
        ValueError: If the config of the generator does not describe it, so
            that Keras cannot copy it.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits", weights=True)
    >>> generator = keras_sagan.export.plain_generator(model)
    >>> kernel = generator.get_layer("linear").kernel  # W / sigma
    >>> kernel = keras.ops.convert_to_numpy(kernel)
    >>> round(float(np.linalg.norm(kernel, 2)), 2)
    1.0
    """
    model.sync_variables()
    generator = model.ema_generator if ema else model.generator
    plain = clone_network(generator, folded if is_graph(generator) else None)
    plain = in_float32(plain)
    plain.trainable = False
    return plain
