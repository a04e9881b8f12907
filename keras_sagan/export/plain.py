"""The generator to give away: plain kernels, float32, nothing to train."""

import keras
from keras import ops

from keras_sagan.layers import ConditionalBatchNorm
from keras_sagan.layers import SelfAttention2D
from keras_sagan.layers import SpectralNormalization

_PROJECTIONS = ("query", "key", "value", "projection")


def plain_generator(model, ema=True):
    """Returns the generator with the spectral norms folded into its kernels.

    The same graph and layer names; each `SpectralNormalization` is replaced by
    the layer that it wraps, with `W / sigma` for its kernel, and class tables
    that are spectrally normalized by the tables that they amount to. Weights
    and computation are float32, whatever the precision of the model.

    Args:
        model: A `SAGAN` whose generator is of one level: no model in it.
        ema: Whether to take the EMA generator.

    Returns:
        A functional `keras.Model` from `[latents, labels]`, or latents alone,
        to images in [-1, 1]: in inference, that generator's.

    Raises:
        ValueError: If the generator has a model among its layers.

    Example:
        generator = keras_sagan.export.plain_generator(model)
        kernel = generator.get_layer("linear").kernel  # W / sigma
    """
    model.sync_variables()
    generator = model.ema_generator if ema else model.generator
    plain = _clone(generator, _without_spectral_norm)
    for layer in generator.layers:
        _fold(layer, plain.get_layer(layer.name))
    plain.trainable = False
    return plain


def in_float32(generator):
    """Returns the generator itself, or a copy that computes in float32."""
    if all(layer.compute_dtype == "float32" for layer in generator.layers):
        return generator
    copy = _clone(generator, _as_it_is)
    for variable, value in zip(copy.variables, generator.variables):
        variable.assign(ops.convert_to_numpy(value))
    return copy


def _clone(generator, clone_function):
    for layer in generator.layers:
        if isinstance(layer, keras.Model):
            raise ValueError(
                "`model` must have a generator whose layers are no models. "
                f"Received: the layer {layer.name}, {layer}"
            )
    return keras.models.clone_model(generator, clone_function=clone_function)


def _as_it_is(layer, **changes):
    config = layer.get_config()
    return type(layer).from_config({**config, "dtype": "float32", **changes})


def _without_spectral_norm(layer):
    if isinstance(layer, SpectralNormalization):
        return _as_it_is(layer.layer, name=layer.name)
    if isinstance(layer, (SelfAttention2D, ConditionalBatchNorm)):
        return _as_it_is(layer, spectral_normalization=False)
    return _as_it_is(layer)


def _fold(layer, plain):
    """Assigns what a layer runs on to its plain counterpart."""
    if isinstance(layer, SpectralNormalization):
        kernel = layer.normalized_kernel()
        for variable, twin in zip(layer.layer.variables, plain.variables):
            _assign(twin, kernel if variable is layer.kernel else variable)
    elif isinstance(layer, SelfAttention2D):
        _assign(plain.gamma, layer.gamma)
        for name in _PROJECTIONS:
            if hasattr(layer, name):
                _fold(getattr(layer, name), getattr(plain, name))
    elif isinstance(layer, ConditionalBatchNorm) and (
        layer.spectral_normalization
    ):
        _assign(plain.gamma, 1.0 + layer.gamma.normalized_kernel())
        _assign(plain.beta, layer.beta.normalized_kernel())
        _assign(plain.moving_mean, layer.moving_mean)
        _assign(plain.moving_variance, layer.moving_variance)
    else:
        for variable, twin in zip(layer.variables, plain.variables):
            _assign(twin, variable)


def _assign(variable, value):
    variable.assign(ops.convert_to_numpy(value))
