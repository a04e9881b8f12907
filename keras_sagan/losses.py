"""Adversarial losses and gradient penalties, as objects with a config.

`SAGAN.compile(loss=..., gradient_penalty=...)` takes them, or their names. A
loss of your own is a subclass of `AdversarialLoss`:

    @keras.saving.register_keras_serializable(package="mine")
    class SquaredHinge(keras_sagan.losses.AdversarialLoss):
        def discriminator_loss(self, real_logits, fake_logits):
            real = ops.square(ops.relu(1.0 - real_logits))
            fake = ops.square(ops.relu(1.0 + fake_logits))
            return ops.mean(real) + ops.mean(fake)

        def generator_loss(self, fake_logits, real_logits=None):
            return -ops.mean(fake_logits)

    model.compile(loss=SquaredHinge())

In all of them `real_logits` are the logits D(x) of real images, and
`fake_logits` the logits D(G(z)) of generated ones.
"""

import re

import keras
from keras import ops

from keras_sagan import backends
from keras_sagan.backends.precision import mean

_PACKAGE = "keras_sagan"


class AdversarialLoss:
    """What the discriminator and the generator minimize: subclass this.

    Both methods get the logits as the discriminator gives them, one logit for
    each image `(batch, 1)` or a map of logits `(batch, height, width, 1)`, and
    return a scalar tensor: average over every axis. Either may return a pair
    `(loss, logs)` instead, with a dict of scalars that `fit` and `evaluate`
    then log by these names, averaged over the epoch. `compile` calls both
    methods once with zeros to check what they return.

    Arguments of a subclass that are in its `get_config` are saved with the
    model.

    Args:
        name: String, or None for the name of the class in snake case, without
            "loss".

    Attributes:
        needs_real_logits: Whether `generator_loss` uses `real_logits`. The
            generator's step then runs the discriminator on real images too.

    Example:
    >>> loss = keras_sagan.losses.HingeLoss()
    >>> real, fake = np.full((2, 1), 3.0), np.full((2, 1), -0.5)
    >>> float(loss.discriminator_loss(*map(keras.ops.array, (real, fake))))
    0.5
    """

    needs_real_logits = False

    def __init__(self, name=None):
        self.name = name or _snake_case(type(self).__name__)

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
    """The hinge loss, SAGAN's own.

    `L_D = E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]`,
    `L_G = -E[D(G(z))]`.

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
    """The logistic loss of the first GANs, whose generator does not saturate.

    With `softplus(t) = log(1 + exp(t))`:
    `L_D = E[softplus(-D(x))] + E[softplus(D(G(z)))]`,
    `L_G = E[softplus(-D(G(z)))]`.

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

    Reference: Jolicoeur-Martineau, "The relativistic discriminator", arXiv
    1807.00734; Huang et al., "The GAN is dead; long live the GAN!", arXiv
    2501.05441, Section 2.
    """

    needs_real_logits = True

    def discriminator_loss(self, real_logits, fake_logits):
        return mean_logit(ops.softplus(fake_logits - real_logits))

    def generator_loss(self, fake_logits, real_logits=None):
        return mean_logit(ops.softplus(real_logits - fake_logits))


class GradientPenalty:
    """A penalty on the gradient of the discriminator in its images.

    The penalty is added to the discriminator's loss. The gradient is that of
    each image's logit (of a map of logits, their mean), taken at the images
    as the discriminator sees them, augmented or not. That pass runs the
    discriminator in inference, on the spectral norms of this step, so that it
    changes no state.

    Subclasses say at which images (`points`), and what is penalized there
    (`value`).

    Args:
        weight: Positive float, by which the penalty is multiplied.
        every: Positive integer, the training steps from one penalty to the
            next. The penalty is multiplied by it, so that its mean over the
            steps stays the same.
        name: String, or None for the name of the class in snake case.

    Raises:
        ValueError: If `weight` or `every` is out of range.
    """

    needs_interpolation = False  # Whether `points` uses `interpolation`.

    def __init__(self, weight, every=1, name=None):
        if not isinstance(weight, (int, float)) or not weight > 0:
            raise ValueError(
                f"`weight` must be a positive float. Received: weight={weight}"
            )
        if not isinstance(every, int) or every < 1:
            raise ValueError(
                f"`every` must be a positive integer. Received: every={every}"
            )
        self.weight = weight
        self.every = every
        self.name = name or _snake_case(type(self).__name__)

    def points(self, real, fake, interpolation):
        """Returns the images and labels at which the gradient is taken.

        Args:
            real: Pair of real images and their labels, or None.
            fake: Pair of generated images and their labels, or None.
            interpolation: Floats `(batch, 1, 1, 1)`, uniform in [0, 1), or
                None unless `needs_interpolation` is True.

        Returns:
            A pair `(images, labels)`.
        """
        raise NotImplementedError

    def value(self, squared_norm):
        """Returns the penalty of each image, `(batch,)`.

        Args:
            squared_norm: Floats `(batch,)`, the squared length of the
                gradient of an image's logit.
        """
        raise NotImplementedError

    def __call__(self, discriminator, real, fake, interpolation=None):
        """Returns the weighted penalty, a scalar tensor.

        Args:
            discriminator: Function of images and labels that returns logits.
            real: As in `points`.
            fake: As in `points`.
            interpolation: As in `points`.
        """
        images, labels = self.points(real, fake, interpolation)

        def sum_of_logits(images):
            logits = discriminator(images, labels)  # (B, 1) or (B, h, w, 1)
            per_image = ops.reshape(logits, (ops.shape(images)[0], -1))
            return ops.sum(mean(per_image, (1,)))

        gradient = backends.input_gradient(sum_of_logits, images)
        squared_norm = ops.sum(ops.square(gradient), axis=(1, 2, 3))  # (B,)
        return self.weight * self.every * mean(self.value(squared_norm), (0,))

    def get_config(self):
        """Returns the arguments of the constructor, as plain data."""
        return {"weight": self.weight, "every": self.every, "name": self.name}

    @classmethod
    def from_config(cls, config):
        """Returns the penalty that `get_config` describes."""
        return cls(**config)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class R1(GradientPenalty):
    """Zero-centred gradient penalty on real images.

    `weight / 2 * E[|grad D(x)|^2]`. Arguments as in `GradientPenalty`.

    Example:
    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> model.compile(
    ...     loss="non_saturating",
    ...     gradient_penalty=keras_sagan.losses.R1(weight=1.0, every=4))

    Reference: Mescheder et al., "Which training methods for GANs do actually
    converge?", arXiv 1801.04406, eq. 9.
    """

    def points(self, real, fake, interpolation):
        return real

    def value(self, squared_norm):
        return 0.5 * squared_norm


@keras.saving.register_keras_serializable(package=_PACKAGE)
class R2(GradientPenalty):
    """Zero-centred gradient penalty on generated images.

    `weight / 2 * E[|grad D(G(z))|^2]`. Arguments as in `GradientPenalty`.

    Reference: Mescheder et al., arXiv 1801.04406, eq. 10.
    """

    def points(self, real, fake, interpolation):
        return fake

    def value(self, squared_norm):
        return 0.5 * squared_norm


@keras.saving.register_keras_serializable(package=_PACKAGE)
class WassersteinGradientPenalty(GradientPenalty):
    """Penalty on gradients that are not of length 1 (WGAN-GP).

    `weight * E[(|grad D(x')| - 1)^2]` at `x' = e x + (1 - e) G(z)`, where `e`
    is uniform in [0, 1); with classes, `x'` has the label of `x`. The paper's
    weight is 10. Arguments as in `GradientPenalty`.

    Reference: Gulrajani et al., "Improved Training of Wasserstein GANs",
    arXiv 1704.00028, eq. 3.
    """

    needs_interpolation = True

    def points(self, real, fake, interpolation):
        e = ops.cast(interpolation, real[0].dtype)
        return e * real[0] + (1.0 - e) * fake[0], real[1]

    def value(self, squared_norm):
        # The root has an infinite slope at 0.
        return ops.square(ops.sqrt(squared_norm + 1e-12) - 1.0)


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
    """Returns `(loss, logs)` of what a loss function returned."""
    return result if isinstance(result, tuple) else (result, {})


def mean_logit(logits):
    """Returns the mean of logits over every axis, a scalar tensor."""
    return mean(logits, tuple(range(len(logits.shape))))


def _snake_case(name):
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return name.removesuffix("_loss")
