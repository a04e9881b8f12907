"""Checks of the arguments of `SAGAN`, with messages that help."""

import keras
from keras import ops

from keras_sagan import backends
from keras_sagan import losses
from keras_sagan.arguments import PRECISIONS
from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_number
from keras_sagan.arguments import check_strings
from keras_sagan.distribution.agreement import check_agreement
from keras_sagan.distribution.agreement import kind_and_length
from keras_sagan.models import saving
from keras_sagan.models.meter import Meter


def check_count(name, value, n):
    """Raises a `ValueError` if a count is given and is not `n`."""
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
    if precision not in (None, *PRECISIONS):
        raise ValueError(
            f"`precision` must be {', '.join(map(repr, PRECISIONS))} "
            f"or None. Received: precision={precision!r}"
        )


def check_processes(model, x, batch_size, epochs, arguments):
    """Raises an error unless all processes train in the same way.

    With another width, the exchange between the processes would fail; with
    other data, another model would be trained; and with another number of
    steps, the other processes would wait forever.
    """
    process = backends.process()
    if process[1] == 1:
        return
    shapes = [list(v.shape) for v in model.variables]
    facts = getattr(x, "facts", dict)()
    own = facts.pop("shard", None)
    check_agreement(
        networks=[shapes, model.generator.compute_dtype],
        model=[getattr(model, x) for x in saving.ARGUMENTS if x != "seed"],
        compile=saving.get_compile_config(model),
        batch_size=batch_size,
        epochs=epochs,
        steps_per_epoch=arguments.get("steps_per_epoch"),
        data=kind_and_length(x),
        **facts,
    )
    taken = backends.gather(own in (None, process))
    if not taken.all():
        raise ValueError(
            "`shard` of the dataset must be `devices.shard` of "
            "`devices = keras_sagan.distribution.start()`. "
            f"Received: shard={own} in the process {process}, and a wrong "
            f"shard in {taken.size - taken.sum()} of {taken.size} processes"
        )


def check_loss(loss):
    """Returns the names that a loss logs in addition to the losses.

    Raises:
        ValueError: If one of its methods does not return a scalar, or logs
            under a name that is already used.
    """
    zeros = ops.zeros((4, 1))
    real = zeros if loss.needs_real_logits else None
    names = []
    for method, arguments in (
        ("discriminator_loss", (zeros, zeros)),
        ("generator_loss", (zeros, real)),
    ):
        value, logs = losses.with_logs(getattr(loss, method)(*arguments))
        for name, scalar in {method: value, **logs}.items():
            if ops.shape(scalar) != ():
                raise ValueError(
                    f"`{method}` of the loss must return a scalar, or a pair "
                    "of a scalar and a dict of scalars. Received: a "
                    f"{name} of shape {tuple(ops.shape(scalar))}"
                )
        taken = [name for name in logs if name in (*names, *Meter.NAMES)]
        if taken:
            raise ValueError(
                f"`{method}` of the loss must log under names of its own. "
                f"Received: {', '.join(taken)}"
            )
        names += logs
    return names


def check_penalties(gradient_penalty):
    """Returns gradient penalties as a list.

    Raises:
        ValueError: If something else is among them.
    """
    penalties = [] if gradient_penalty is None else gradient_penalty
    if not isinstance(penalties, (list, tuple)):
        penalties = [penalties]
    for penalty in penalties:
        if not isinstance(penalty, losses.GradientPenalty):
            raise ValueError(
                "`gradient_penalty` must be a "
                "`keras_sagan.losses.GradientPenalty`, a list of them, or "
                f"None. Received: gradient_penalty={penalty!r}"
            )
    return list(penalties)
