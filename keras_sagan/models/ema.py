"""The exponential moving average (EMA) of a generator."""

from keras_sagan import backends
from keras_sagan.layers.together import after_averaging


def move(ema_generator, generator, momentum):
    """Moves the EMA generator to `momentum * EMA + (1 - momentum) * new`.

    It covers every floating-point variable, batch norm statistics included;
    the seeds of a generator's random layers are left alone.

    Args:
        ema_generator: The average, a `keras.Model`.
        generator: A network of the same layers.
        momentum: Scalar tensor in [0, 1); 0 copies.
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
