"""Adversarial losses and gradient penalties, as objects with a config.

`SAGAN.compile(loss=..., gradient_penalty=...)` takes them, or their names. Your
own loss is a subclass of `AdversarialLoss`::

    @keras.saving.register_keras_serializable(package="mine")
    class SquaredHinge(keras_sagan.losses.AdversarialLoss):
        def discriminator_loss(self, real_logits, fake_logits):
            real = ops.square(ops.relu(1.0 - real_logits))
            fake = ops.square(ops.relu(1.0 + fake_logits))
            return ops.mean(real) + ops.mean(fake)

        def generator_loss(self, fake_logits, real_logits=None):
            return -ops.mean(fake_logits)

    model.compile(loss=SquaredHinge())

In all losses, `real_logits` are the logits D(x) of real images, and
`fake_logits` are the logits D(G(z)) of generated images.
"""

from keras_sagan.losses.adversarial import AdversarialLoss
from keras_sagan.losses.adversarial import HingeLoss
from keras_sagan.losses.adversarial import LeastSquaresLoss
from keras_sagan.losses.adversarial import NonSaturatingLoss
from keras_sagan.losses.adversarial import RelativisticLoss
from keras_sagan.losses.adversarial import WassersteinLoss
from keras_sagan.losses.adversarial import get
from keras_sagan.losses.adversarial import mean_logit
from keras_sagan.losses.adversarial import with_logs
from keras_sagan.losses.gradient_penalties import R1
from keras_sagan.losses.gradient_penalties import R2
from keras_sagan.losses.gradient_penalties import GradientPenalty
from keras_sagan.losses.gradient_penalties import WassersteinGradientPenalty

__all__ = [
    "R1",
    "R2",
    "AdversarialLoss",
    "GradientPenalty",
    "HingeLoss",
    "LeastSquaresLoss",
    "NonSaturatingLoss",
    "RelativisticLoss",
    "WassersteinGradientPenalty",
    "WassersteinLoss",
    "get",
    "mean_logit",
    "with_logs",
]
