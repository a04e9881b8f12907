"""One update of a network, and the losses of `evaluate`."""

from keras import ops

from keras_sagan import backends
from keras_sagan import losses
from keras_sagan.layers import calls
from keras_sagan.layers.nested import layers_with
from keras_sagan.models import ema
from keras_sagan.models import step


def learn(model, inputs):
    """Updates D, then G, then the EMA of G.

    Args:
        model: The `SAGAN`.
        inputs: `StepInputs`.

    Returns:
        The logs of the step, and the list of dicts of which they are means.
    """
    a, logs = model.gradient_accumulation_steps, []
    for i in range(0, len(inputs.real), a):
        parts = [
            (real, model.fakes(draw), draw, inputs.penalties_due)
            for real, draw in zip(
                inputs.real[i : i + a], inputs.discriminator[i : i + a]
            )
        ]
        logs += update(model, "discriminator", parts)
    parts = list(zip(inputs.generator, inputs.real[-a:]))
    logs += update(model, "generator", parts)
    # In a comparison with a variable, Keras would move the number to the device
    # in each step. With a tensor, it does not.
    steps = ops.convert_to_tensor(model.steps_trained)
    started = ops.cast(steps >= model.ema_start_step, "float32")
    momentum = started * model.ema_momentum
    ema.move(model.ema_generator, model.generator, momentum)
    model.steps_trained.assign(steps + 1)
    others = model.meter.update(logs)
    results = {**model.meter.results(), **others, **layer_logs(model)}
    return results, logs


def update(model, name, parts):
    """Updates a network with its mean gradient over the parts of a batch.

    Args:
        model: The `SAGAN`.
        name: `"generator"` or `"discriminator"`.
        parts: For each part, the arguments of the model's loss method.

    Returns:
        A list of logs: a dict of scalars for each part, and one with the norm
        of the gradient.
    """
    loss_fn = getattr(model, f"{name}_loss")
    variables = getattr(model, name).trainable_variables
    results = []
    scale = model.loss_scale and model.loss_scale.of(name)
    for part in parts:

        def loss_and_logs(part=part):
            loss, logs = losses.with_logs(loss_fn(*part))
            logs = {f"{name}_loss": loss, **logs}
            if scale is not None:
                loss = scale * ops.cast(loss, "float32")
            return loss, logs

        (_, logs), gradients = model.value_and_gradients(
            loss_and_logs, variables
        )
        results.append((logs, gradients))
    logs, gradients = backends.mean_over_replicas(_mean_gradients(results))
    if scale is not None:
        gradients = [gradient / scale for gradient in gradients]
    norm = backends.global_norm(gradients)
    optimizer = getattr(model, f"{name}_optimizer")
    backends.apply_gradients(optimizer, gradients, variables)
    return [*logs, {f"{name}_gradient_norm": norm}]


def gradient_penalty(model, real, fake, interpolation, due):
    """Returns the sum of the model's gradient penalties that are due."""

    def discriminator(x, y):
        return calls.call(model.discriminator, x, y, training=False)

    arguments = (discriminator, real, fake, interpolation)
    return sum(
        backends.cond(
            is_due,
            lambda penalty=penalty: penalty(*arguments),
            lambda: ops.zeros((), real[0].dtype),
        )
        for penalty, is_due in zip(model.penalties, due)
    )


def layer_logs(model):
    """Returns the logs of the layers with a method `logs`.

    An example is the `gamma` of an attention layer. The names contain the
    network and the layer.
    """
    return {
        f"{name}_{layer.name}_{key}": ops.stop_gradient(value)
        for name in ("generator", "discriminator")
        for layer in layers_with(getattr(model, name), "logs()")
        for key, value in layer.logs().items()
    }


def evaluate_batch(model, data):
    """Computes the losses of one batch in inference; returns the logs."""
    real = step.unpack(data)
    draw = step.draw_inputs(
        ops.shape(real.images)[0],
        model.latent_dim,
        model.num_classes,
        model.evaluation_seed_generator,
    )
    if model.loss.needs_real_logits:
        (draw,) = step.with_classes_of([real], [draw])
    fake = model.fakes(draw, training=False)
    logs = {}
    for name, loss_fn, arguments in (
        ("discriminator_loss", model.discriminator_loss, (real, fake, draw)),
        ("generator_loss", model.generator_loss, (draw, real)),
    ):
        loss, extra = losses.with_logs(loss_fn(*arguments, training=False))
        logs |= {name: loss, **extra}
    others = model.meter.update([backends.mean_over_replicas(logs)])
    return {**model.meter.evaluation_results(), **others}


def _mean_gradients(results):
    """Returns the logs of every part, and the mean of their gradients."""
    logs, gradients = zip(*results)
    total = list(gradients[0])
    for others in gradients[1:]:
        total = [a + b for a, b in zip(total, others)]
    if len(results) > 1:
        total = [gradient / len(results) for gradient in total]
    return list(logs), total
