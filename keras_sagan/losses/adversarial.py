"""Adversarial losses, as objects with a config."""

import re

import keras
from keras import ops

from keras_sagan.backends.precision import mean

_PACKAGE = "keras_sagan"


class AdversarialLoss:
    """Base class of the losses of the discriminator and the generator.

    Both methods get the logits that the discriminator returns: one logit for
    each image `(batch, 1)`, or a map of logits `(batch, height, width, 1)`.
    They return a scalar tensor, so average over every axis. Either method may
    return a pair `(loss, logs)` instead, where `logs` is a dict of scalars:
    `fit` and `evaluate` log them under these names, averaged over the epoch.
    `compile` calls both methods once with zeros to check what they return.

    Arguments of a subclass that are in its `get_config` are saved with the
    model.

    Args:
        name: String. If `None`, defaults to the name of the class in snake
            case, without "loss".

    Attributes:
        needs_real_logits: Whether `generator_loss` uses `real_logits`. The
            generator's step then runs the discriminator on real images too,
            and each generated image has the class of the real image that it
            is compared with.

    Example:

    >>> loss = keras_sagan.losses.HingeLoss()
    >>> real, fake = np.full((2, 1), 3.0), np.full((2, 1), -0.5)
    >>> float(loss.discriminator_loss(*map(keras.ops.array, (real, fake))))
    0.5
    """

    needs_real_logits = False

    def __init__(self, name=None):
        self.name = checked_name(name) or snake_case(type(self).__name__)

    def discriminator_loss(self, real_logits, fake_logits):
        """Returns what the discriminator minimizes, a scalar tensor."""
        raise NotImplementedError

    def generator_loss(self, fake_logits, real_logits=None):
        """Returns what the generator minimizes, a scalar tensor.

        `real_logits` is None unless `needs_real_logits` is True.
        """
        raise NotImplementedError

    def get_config(self):
        """Returns the arguments of the constructor, as plain data."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config):
        """Returns the loss that `get_config` describes."""
        return cls(**config)

    def __repr__(self):
        return f"{type(self).__name__}(name={self.name!r})"


@keras.saving.register_keras_serializable(package=_PACKAGE)
class HingeLoss(AdversarialLoss):
    """The hinge loss, the loss of SAGAN.

    `L_D = E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]`,
    `L_G = -E[D(G(z))]`.

    Example:

    >>> loss = keras_sagan.losses.HingeLoss()
    >>> real, fake = keras.ops.array([[3.0]]), keras.ops.array([[-0.5]])
    >>> float(loss.discriminator_loss(real, fake))
    0.5
    >>> float(loss.generator_loss(fake))
    0.5

    Reference: Zhang et al., arXiv 1805.08318, eq. 4; Lim and Ye, "Geometric
    GAN", arXiv 1705.02894.
    """

    def discriminator_loss(self, real_logits, fake_logits):
        return mean_logit(ops.relu(1.0 - real_logits)) + mean_logit(
            ops.relu(1.0 + fake_logits)
        )

    def generator_loss(self, fake_logits, real_logits=None):
        return -mean_logit(fake_logits)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class NonSaturatingLoss(AdversarialLoss):
    """The non-saturating logistic loss of the first GANs.

    With `softplus(t) = log(1 + exp(t))`:
    `L_D = E[softplus(-D(x))] + E[softplus(D(G(z)))]`,
    `L_G = E[softplus(-D(G(z)))]`.

    Example:

    >>> loss = keras_sagan.losses.NonSaturatingLoss()
    >>> real, fake = keras.ops.array([[3.0]]), keras.ops.array([[-0.5]])
    >>> round(float(loss.discriminator_loss(real, fake)), 4)
    0.5227
    >>> round(float(loss.generator_loss(fake)), 4)
    0.9741

    Reference: Goodfellow et al., "Generative Adversarial Networks", arXiv
    1406.2661, eq. 1 and the end of Section 3.
    """

    def discriminator_loss(self, real_logits, fake_logits):
        return mean_logit(ops.softplus(-real_logits)) + mean_logit(
            ops.softplus(fake_logits)
        )

    def generator_loss(self, fake_logits, real_logits=None):
        return mean_logit(ops.softplus(-fake_logits))


@keras.saving.register_keras_serializable(package=_PACKAGE)
class LeastSquaresLoss(AdversarialLoss):
    """The least squares loss, with targets 1 for real and 0 for fake.

    `L_D = E[(D(x) - 1)^2] / 2 + E[D(G(z))^2] / 2`,
    `L_G = E[(D(G(z)) - 1)^2] / 2`.

    Example:

    >>> loss = keras_sagan.losses.LeastSquaresLoss()
    >>> real, fake = keras.ops.array([[3.0]]), keras.ops.array([[-0.5]])
    >>> float(loss.discriminator_loss(real, fake))
    2.125
    >>> float(loss.generator_loss(fake))
    1.125

    Reference: Mao et al., "Least Squares Generative Adversarial Networks",
    arXiv 1611.04076, eq. 9.
    """

    def discriminator_loss(self, real_logits, fake_logits):
        return 0.5 * (
            mean_logit(ops.square(real_logits - 1.0))
            + mean_logit(ops.square(fake_logits))
        )

    def generator_loss(self, fake_logits, real_logits=None):
        return 0.5 * mean_logit(ops.square(fake_logits - 1.0))


@keras.saving.register_keras_serializable(package=_PACKAGE)
class WassersteinLoss(AdversarialLoss):
    """The Wasserstein loss; the discriminator must be Lipschitz.

    Spectral normalization bounds its slope; a plain network needs
    `WassersteinGradientPenalty`.

    `L_D = E[D(G(z))] - E[D(x)]`, `L_G = -E[D(G(z))]`.

    Example:

    >>> loss = keras_sagan.losses.WassersteinLoss()
    >>> real, fake = keras.ops.array([[3.0]]), keras.ops.array([[-0.5]])
    >>> float(loss.discriminator_loss(real, fake))
    -3.5
    >>> float(loss.generator_loss(fake))
    0.5

    Reference: Arjovsky et al., "Wasserstein GAN", arXiv 1701.07875, eq. 2
    and 3.
    """

    def discriminator_loss(self, real_logits, fake_logits):
        return mean_logit(fake_logits) - mean_logit(real_logits)

    def generator_loss(self, fake_logits, real_logits=None):
        return -mean_logit(fake_logits)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class RelativisticLoss(AdversarialLoss):
    """The relativistic pairing loss, as in R3GAN.

    Each generated image is compared with a real one:
    `L_D = E[softplus(D(G(z)) - D(x))]`, `L_G = E[softplus(D(x) - D(G(z)))]`.
    R3GAN uses it together with `R1` and `R2`.

    Example:

    >>> loss = keras_sagan.losses.RelativisticLoss()
    >>> real, fake = keras.ops.array([[3.0]]), keras.ops.array([[-0.5]])
    >>> round(float(loss.discriminator_loss(real, fake)), 4)
    0.0298
    >>> round(float(loss.generator_loss(fake, real)), 4)
    3.5298

    Reference: Jolicoeur-Martineau, "The relativistic discriminator", arXiv
    1807.00734; Huang et al., "The GAN is dead; long live the GAN!", arXiv
    2501.05441, Section 2.
    """

    needs_real_logits = True

    def discriminator_loss(self, real_logits, fake_logits):
        return mean_logit(ops.softplus(fake_logits - real_logits))

    def generator_loss(self, fake_logits, real_logits=None):
        return mean_logit(ops.softplus(real_logits - fake_logits))


_LOSSES = {
    "hinge": HingeLoss,
    "non_saturating": NonSaturatingLoss,
    "least_squares": LeastSquaresLoss,
    "wasserstein": WassersteinLoss,
    "relativistic": RelativisticLoss,
}


def get(loss):
    """Returns an adversarial loss by its name, or the loss itself.

    Args:
        loss: `"hinge"`, `"non_saturating"`, `"least_squares"`,
            `"wasserstein"`, `"relativistic"`, or an `AdversarialLoss`.

    Raises:
        ValueError: If it is neither.

    Example:

    >>> keras_sagan.losses.get("hinge")
    HingeLoss(name='hinge')
    """
    if isinstance(loss, str) and loss in _LOSSES:
        return _LOSSES[loss]()
    if isinstance(loss, AdversarialLoss):
        return loss
    raise ValueError(
        f"`loss` must be one of {list(_LOSSES)} or a "
        f"`keras_sagan.losses.AdversarialLoss`. Received: loss={loss!r}"
    )


def with_logs(result):
    """Returns the result of a loss function as a pair `(loss, logs)`.

    Example:

    >>> keras_sagan.losses.with_logs(0.5)
    (0.5, {})
    >>> keras_sagan.losses.with_logs((0.5, {"margin": 0.1}))
    (0.5, {'margin': 0.1})
    """
    return result if isinstance(result, tuple) else (result, {})


def mean_logit(logits):
    """Returns the mean of logits over every axis, a scalar tensor.

    Example:

    >>> logits = keras.ops.array([[1.0], [2.0]])
    >>> float(keras_sagan.losses.mean_logit(logits))
    1.5
    """
    return mean(logits, tuple(range(len(logits.shape))))


def checked_name(name):
    """Returns a name or None; raises a `ValueError` for anything else."""
    if name is not None and not (isinstance(name, str) and name):
        raise ValueError(
            f"`name` must be a string or None. Received: name={name!r}"
        )
    return name


def snake_case(name):
    """Returns the name of a class in snake case, without "loss"."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return name.removesuffix("_loss")
