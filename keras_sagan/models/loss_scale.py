"""Training in float16, where gradients vanish unless the loss is scaled."""

from keras import ops

from keras_sagan import backends
from keras_sagan.layers.nested import layers_with
from keras_sagan.models import updates

NETWORKS = ("discriminator", "generator")
_FIRST = 2.0**10
_LARGEST = 2.0**24
_STEPS_TO_DOUBLE = 500


class LossScale:
    """A loss scale for each network, adapted to its gradients.

    The gradients of `scale * loss` are computed and divided by the scale
    (Micikevicius et al., arXiv 1710.03740). If a gradient is not finite, the
    step is skipped: it changes nothing except the count of steps, the seeds
    and the scale, which is halved. After 500 steps in a row with finite
    gradients, the scale is doubled.

    Args:
        model: The `SAGAN`, to which the variables are added.
    """

    def __init__(self, model):
        def add(name, shape, initializer, dtype):
            return model.add_weight(
                shape=shape,
                initializer=initializer,
                dtype=dtype,
                trainable=False,
                name=name,
                aggregation="only_first_replica",
            )

        self.scales = add(
            "loss_scales",
            (2,),
            lambda s, dtype: ops.full(s, _FIRST, dtype),
            "float32",
        )
        self.clean_steps = add("clean_steps", (2,), "zeros", "int32")
        self.skipped_steps = add("skipped_steps", (), "zeros", "int32")

    @property
    def variables(self):
        """The variables, by the name under which they are saved."""
        return {
            "loss_scales": self.scales,
            "clean_steps": self.clean_steps,
            "skipped_steps": self.skipped_steps,
        }

    def of(self, network):
        """Returns the scale of "generator" or "discriminator", a tensor."""
        scales = ops.convert_to_tensor(self.scales)
        return scales[NETWORKS.index(network)]

    def run(self, model, inputs):
        """Runs a step, and undoes it if a gradient was not finite.

        Args:
            model: The `SAGAN`.
            inputs: `StepInputs`.

        Returns:
            The logs of the step.
        """
        variables = [
            *model.generator.variables,
            *model.discriminator.variables,
            *model.ema_generator.variables,
            *model.optimizer.variables,
            *model.metrics_variables,
        ]
        before = backends.copies(variables)
        logs, parts = updates.learn(model, inputs)
        names = [f"{network}_gradient_norm" for network in NETWORKS]
        norms = [[x[name] for x in parts if name in x] for name in names]
        finite = [ops.all(ops.isfinite(ops.stack(x))) for x in norms]
        keep = ops.logical_and(*finite)
        backends.restore(variables, before, keep)
        self._adapt(ops.stack(finite), keep)
        skipped = ops.convert_to_tensor(self.skipped_steps)
        return {**logs, "skipped_steps": ops.cast(skipped, "float32")}

    def _adapt(self, finite, keep):
        # If the discriminator is not finite, the generator's gradients are not
        # either, and then they do not show whether its scale is too large.
        scales = ops.convert_to_tensor(self.scales)
        clean = ops.convert_to_tensor(self.clean_steps)
        is_known = ops.stack([ops.ones_like(finite[0]), finite[0]])
        too_large = ops.logical_and(is_known, ops.logical_not(finite))
        clean = (clean + 1) * ops.cast(finite, "int32")
        doubles = clean >= _STEPS_TO_DOUBLE
        factor = 1.0 + ops.cast(doubles, "float32")
        factor = factor - 0.5 * ops.cast(too_large, "float32")
        scales = scales * factor
        self.scales.assign(ops.clip(scales, 1.0, _LARGEST))
        self.clean_steps.assign(clean * (1 - ops.cast(doubles, "int32")))
        skipped = ops.convert_to_tensor(self.skipped_steps)
        self.skipped_steps.assign(skipped + 1 - ops.cast(keep, "int32"))


def computes_in_float16(*networks):
    """Returns whether a layer of a network computes in float16."""
    return any(
        layer.compute_dtype == "float16"
        for network in networks
        for layer in layers_with(network, "compute_dtype")
    )
