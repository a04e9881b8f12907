"""Differentiable augmentation of real and generated images."""

import keras
from keras import ops

from keras_sagan.arguments import check_integer
from keras_sagan.backends.precision import at_least_float32
from keras_sagan.backends.precision import mean

_POLICIES = ("color", "translation", "cutout")


@keras.saving.register_keras_serializable(package="keras_sagan")
class DiffAugment(keras.layers.Layer):
    """Augments the discriminator's real and generated images (DiffAugment).

    A discriminator that is trained on few images memorizes them. With
    this layer it gets the images `T(x)` instead, in both updates. The
    gradients of the generator go through `T`, so that the generated images
    themselves do not look augmented.

    - `color`: The brightness is moved by up to 0.5. The saturation, which is
      the distance from the gray of each pixel, is multiplied by 0 to 2. The
      contrast, which is the distance from the mean of the image, is multiplied
      by 0.5 to 1.5.
    - `translation`: The image is moved by up to an eighth of its side, and
      zeros fill the space.
    - `cutout`: A square of half the side is set to zero. Its centre can be
      anywhere.

    In images with alpha, `color` changes only the colours, and the space that
    `translation` fills or `cutout` clears is transparent. Gray images have no
    saturation to change.

    Each image is augmented in its own way. `SAGAN(augmentation=...)` uses this
    layer. With given random numbers, the layer is a pure function. Gradients
    with respect to the images are correct in every order.

    Args:
        policy: Tuple of some of `"color"`, `"translation"`, `"cutout"`, in
            the order in which they are applied.
        seed: Integer or `keras.random.SeedGenerator`, for calls without
            `draws`.
        **kwargs: Base layer arguments.

    Call arguments:
        images: Floats in [-1, 1], `(B, H, W, C)`; with alpha if C is 4.
        draws: Floats in [0, 1), `(B, 7)`, from `draw`. If `None`, the layer
            draws them.

    Returns:
        Images of the same shape. With `color`, values may be outside [-1, 1].

    Raises:
        ValueError: If `policy` names something else.

    Example:

    >>> layer = keras_sagan.layers.DiffAugment(("translation",))
    >>> tuple(layer(np.zeros((4, 16, 16, 3), "float32")).shape)
    (4, 16, 16, 3)

    Reference: Zhao et al., "Differentiable Augmentation for Data-Efficient
    GAN Training", arXiv 2006.10738, Section 3.2 and Appendix A.
    """

    def __init__(self, policy=_POLICIES, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(policy, (tuple, list)) or not all(
            isinstance(x, str) and x in _POLICIES for x in policy
        ):
            raise ValueError(
                f"`policy` must be a tuple of some of {_POLICIES}. "
                f"Received: policy={policy!r}"
            )
        self.policy = tuple(policy)
        self.seed = seed
        if isinstance(seed, keras.random.SeedGenerator):
            self.seed_generator = seed
        else:
            check_integer("seed", seed, 0, 2**31 - 1, optional=True)
            self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images, draws=None):
        if draws is None:
            draws = self.draw(ops.shape(images)[0])
        # In bfloat16, positions above 256 would be rounded.
        x, u = images, ops.cast(draws, at_least_float32(images.dtype))
        augment = self._augment if x.shape[-1] != 4 else self._augment_rgba
        for name in self.policy:
            x = augment(name, x, u)
        return x

    def _augment(self, name, x, u):
        return getattr(self, f"_{name}")(x, u)

    def _augment_rgba(self, name, x, u):
        if name == "color":
            colors = self._color(x[..., :3], u)
            return ops.concatenate([colors, x[..., 3:]], axis=-1)
        return self._augment(name, x + 1, u) - 1  # Black and transparent.

    def draw(self, n, seed=None):
        """Draws the random numbers that augment `n` images, `(n, 7)`."""
        if seed is None:
            seed = self.seed_generator
        return keras.random.uniform((n, 7), seed=seed)

    def _color(self, x, u):
        brightness, saturation, contrast = (
            ops.cast(u[:, i, None, None, None], x.dtype) for i in range(3)
        )
        x = x + (brightness - 0.5)
        gray = mean(x, (3,))[..., None]
        x = gray + (x - gray) * (2 * saturation)
        level = mean(x, (1, 2, 3))[:, None, None, None]
        return level + (x - level) * (contrast + 0.5)

    def _translation(self, x, u):
        # Each row of the result is the row of `x` that is `shift` above it.
        # A product with a matrix of zeros and ones, one for each axis, does
        # this on all backends.
        _, h, w, _ = x.shape
        down, across = (
            _shift_matrix(u[:, 3 + axis], n, x.dtype)
            for axis, n in enumerate((h, w))
        )
        x = ops.einsum("bij,bjwc->biwc", down, x)
        return ops.einsum("bij,bhjc->bhic", across, x)

    def _cutout(self, x, u):
        _, h, w, _ = x.shape
        inside = _inside(u[:, 5], h)[:, :, None] & _inside(u[:, 6], w)[:, None]
        keep = 1 - ops.cast(inside, x.dtype)
        return x * keep[..., None]

    def compute_output_shape(self, images_shape, draws_shape=None):
        return images_shape

    @classmethod
    def from_config(cls, config):
        if isinstance(config.get("seed"), dict):
            seed = keras.saving.deserialize_keras_object(config["seed"])
            config = {**config, "seed": seed}
        return cls(**config)

    def get_config(self):
        return {
            **super().get_config(),
            "policy": self.policy,
            "seed": self.seed
            if not isinstance(self.seed, keras.random.SeedGenerator)
            else keras.saving.serialize_keras_object(self.seed),
        }


def _shift_matrix(u, n, dtype):
    """Returns matrices `(B, n, n)`: row i has a one in column `i - shift`."""
    most = round(n / 8)
    shift = ops.floor(u * (2 * most + 1)) - most
    i = ops.arange(n, dtype=u.dtype)
    matrix = i[:, None] - i[None, :] == shift[:, None, None]
    return ops.cast(matrix, dtype)


def _inside(u, n):
    """Returns whether locations are in the window around `u * n`, `(B, n)`."""
    size = n // 2
    begin = ops.floor(u * n)[:, None] - size // 2
    i = ops.arange(n, dtype=u.dtype)
    return (i >= begin) & (i < begin + size)
