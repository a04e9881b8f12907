"""The exponential moving average (EMA) of a generator."""

from keras_sagan import backends
from keras_sagan.layers.together import after_averaging


def move(ema_generator, generator, momentum):
    """Moves the EMA generator to `momentum * EMA + (1 - momentum) * new`.

    This changes every floating-point variable, including the statistics of the
    batch norms. The seeds of random layers are not changed.

    Args:
        ema_generator: The average, a `keras.Model`.
        generator: A network with the same layers.
        momentum: Scalar tensor in [0, 1); 0 copies the generator.
    """
    pairs = [
        (average, variable)
        for average, variable in zip(
            ema_generator.variables, generator.variables
        )
        if "float" in variable.dtype
    ]
    backends.move_average(*zip(*pairs), momentum)
    after_averaging(ema_generator, momentum)
