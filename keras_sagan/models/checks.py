"""Checks of what users give to `SAGAN`, each with a message that helps."""

import keras

from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_number
from keras_sagan.arguments import check_strings


def check_count(name, value, n):
    """Raises a ValueError if a count is given that is not `n`."""
    if value not in (None, n):
        raise ValueError(
            f"`{name}` must be {n}, as many as there are class weights. "
            f"Received: {name}={value}"
        )


def check_sagan_arguments(
    discriminator_steps,
    gradient_accumulation_steps,
    ema_momentum,
    ema_start_step,
    augmentation,
    seed,
):
    check_integer("discriminator_steps", discriminator_steps, 1)
    check_integer("gradient_accumulation_steps", gradient_accumulation_steps, 1)
    check_number("ema_momentum", ema_momentum, 0, 1, high_open=True)
    check_integer("ema_start_step", ema_start_step, 0)
    check_strings("augmentation", augmentation, optional=True)
    check_integer("seed", seed, 0, 2**31 - 1, optional=True)


def check_networks(generator, discriminator):
    networks = {"generator": generator, "discriminator": discriminator}
    for name, network in networks.items():
        if not isinstance(network, keras.Model):
            raise ValueError(
                f"`{name}` must be a `keras.Model`. "
                f"Received: {name}={network!r:.80}"
            )


def check_batch_size(batch_size, parts, devices=1):
    if batch_size is not None and batch_size % (parts * devices):
        several = f" on each of {devices} devices" if devices > 1 else ""
        raise ValueError(
            "The batch must divide into `discriminator_steps * "
            f"gradient_accumulation_steps` = {parts} equal parts{several}. "
            f"Received: a batch of {batch_size} images"
        )


def check_precision(precision):
    if precision not in (None, "float32", "mixed_bfloat16"):
        raise ValueError(
            "`precision` must be 'float32', 'mixed_bfloat16' or None. float16 "
            "would need two scaled losses. "
            f"Received: precision={precision!r}"
        )
