"""Penalties on the gradient of the discriminator, as objects with a config."""

import keras
from keras import ops

from keras_sagan import backends
from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_number
from keras_sagan.backends.precision import mean
from keras_sagan.losses.adversarial import checked_name
from keras_sagan.losses.adversarial import snake_case

_PACKAGE = "keras_sagan"


class GradientPenalty:
    """A penalty on the discriminator's gradient with respect to its images.

    The penalty is added to the discriminator's loss. The gradient is that of
    each image's logit, or of the mean of its map of logits. It is taken at the
    images that the discriminator gets, after augmentation if there is any.
    This pass runs the discriminator in inference mode, with the spectral norms
    of this step, so that it changes no state.

    Subclasses define at which images the gradient is taken (`points`), and what
    the penalty is there (`value`).

    Args:
        weight: Positive float, by which the penalty is multiplied.
        every: Positive integer, the number of training steps from one penalty
            to the next. The penalty is multiplied by it, so that its mean over
            the steps stays the same.
        name: String. If `None`, defaults to the name of the class in snake
            case.

    Raises:
        ValueError: If `weight` or `every` is out of range.

    Example:

    >>> class Slope(keras_sagan.losses.GradientPenalty):
    ...     def points(self, real, fake, interpolation):
    ...         return real
    ...
    ...     def value(self, squared_norm):
    ...         return keras.ops.sqrt(squared_norm)
    >>> images = keras.ops.ones((2, 4, 4, 1))
    >>> discriminator = lambda x, labels: 0.5 * keras.ops.sum(x, (1, 2, 3))
    >>> float(Slope(weight=3.0)(discriminator, (images, None), None))
    6.0
    """

    needs_interpolation = False  # Whether `points` uses `interpolation`.

    def __init__(self, weight, every=1, name=None):
        check_number("weight", weight, 0, low_open=True)
        check_integer("every", every, 1)
        self.weight = weight
        self.every = every
        self.name = checked_name(name) or snake_case(type(self).__name__)

    def points(self, real, fake, interpolation):
        """Returns the images and labels at which the gradient is taken.

        Args:
            real: Pair of real images and their labels; labels may be None.
            fake: Pair of generated images and their labels, which may be None.
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

    `weight / 2 * E[|grad D(x)|^2]`. The arguments are those of
    `GradientPenalty`.

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

    `weight / 2 * E[|grad D(G(z))|^2]`. The arguments are those of
    `GradientPenalty`.

    Example:

    >>> images = keras.ops.ones((2, 4, 4, 1))
    >>> discriminator = lambda x, labels: 0.5 * keras.ops.sum(x, (1, 2, 3))
    >>> penalty = keras_sagan.losses.R2(weight=10.0)
    >>> float(penalty(discriminator, real=None, fake=(images, None)))
    20.0

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
    weight is 10. The arguments are those of `GradientPenalty`.

    Example:

    >>> x, e = keras.ops.ones((2, 4, 4, 1)), keras.ops.zeros((2, 1, 1, 1))
    >>> discriminator = lambda x, labels: keras.ops.sum(x, (1, 2, 3))
    >>> penalty = keras_sagan.losses.WassersteinGradientPenalty(weight=10.0)
    >>> round(float(penalty(discriminator, (x, None), (x, None), e)), 4)
    90.0

    Reference: Gulrajani et al., "Improved Training of Wasserstein GANs",
    arXiv 1704.00028, eq. 3.
    """

    needs_interpolation = True

    def points(self, real, fake, interpolation):
        e = ops.cast(interpolation, real[0].dtype)
        return e * real[0] + (1.0 - e) * fake[0], real[1]

    def value(self, squared_norm):
        # The square root has an infinite slope at 0.
        return ops.square(ops.sqrt(squared_norm + 1e-12) - 1.0)
