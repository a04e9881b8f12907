"""Chooses a recipe for images that have none."""

from keras_sagan import backends
from keras_sagan import sizes
from keras_sagan.arguments import check_bool
from keras_sagan.arguments import check_has
from keras_sagan.arguments import check_integer
from keras_sagan.models.blocks import check_architecture
from keras_sagan.models.presets import get_preset

_LARGEST, _LARGEST_ON_CPU = 128, 64
# If there are fewer images than this, a discriminator tends to memorize them.
_FEW_IMAGES = 20_000
_FEWEST_IMAGES = 16
# Words for descriptions; there is none for RGB, as in version 0.1.
_KINDS = {1: "gray ", 3: "", 4: "RGBA "}


def choose_recipe(
    source,
    accelerated=None,
    resolution=None,
    base_channels=None,
    channels=None,
):
    """Chooses a recipe to train on images.

    The resolution is that of `choose_resolution`. With fewer than 20,000
    images, the images for the discriminator are augmented (DiffAugment). The
    learning rates are those of the preset `digits`; batch norm and spectral
    norm are those of `imagenet_128`.

    Args:
        source: A `keras_sagan.data.Source`.
        accelerated: Whether there is a GPU or TPU. If `None`, the backend is
            asked.
        resolution: Side of the images in pixels, or `(height, width)`; see
            `build_generator`. If `None`, it is chosen.
        base_channels: Positive integer, the width of the networks. If `None`,
            it is chosen.
        channels: 1, 3 or 4. If `None`, defaults to the channels of the images.

    Returns:
        A dict like those of `keras_sagan.get_preset`.

    Raises:
        ValueError: If there are fewer than 16 images, or if the networks do
            not support the resolution or width.

    Example:

    >>> pixels = np.zeros((40, 64, 64, 3), "uint8")
    >>> source = keras_sagan.data.ArrayImages(pixels)
    >>> recipe = keras_sagan.choose_recipe(source, accelerated=False)
    >>> recipe["generator"]["resolution"], recipe["batch_size"]
    (64, 32)
    """
    _check_source(source)
    check_integer("base_channels", base_channels, 1, optional=True)
    if accelerated is not None:
        check_bool("accelerated", accelerated)
    if len(source) < _FEWEST_IMAGES:
        raise ValueError(
            f"`source` must have at least {_FEWEST_IMAGES} images; thousands "
            f"are better. Received: {len(source)} images"
        )
    sizes.check_channels("channels", channels, optional=True)
    if resolution is not None:
        sizes.size_of(resolution)
    return recipe_for(source, accelerated, resolution, base_channels, channels)


def recipe_for(source, accelerated, resolution, base_channels, channels):
    """Does the same as `choose_recipe`, for networks of any size."""
    if accelerated is None:
        accelerated = backends.has_accelerator()
    if resolution is None:
        resolution = choose_resolution(source, accelerated)
    resolution = sizes.plain(*sizes.as_pair(resolution))
    channels = channels or source.channels
    few = len(source) < _FEW_IMAGES
    batch_size = 64 if accelerated else 32
    while batch_size > len(source):
        batch_size //= 2
    names = source.class_names
    num_classes = None if names is None else len(names)
    base_channels = base_channels or (64 if accelerated else 16)
    check_architecture(num_classes, base_channels, channels, "released")
    large, small = get_preset("imagenet_128"), get_preset("digits")
    network = {
        "resolution": resolution,
        "num_classes": num_classes,
        "base_channels": base_channels,
        "spectral_epsilon": large["generator"]["spectral_epsilon"],
    }
    if channels != 3:  # Recipes for RGB have no entry, as in version 0.1.
        network["channels"] = channels
    momentum = large["generator"]["batch_norm_momentum"]
    return {
        "description": (
            f"{len(source):,} {_KINDS[channels]}images of "
            f"{'no' if names is None else len(names)} classes at "
            f"{sizes.text(resolution)}"
            + (", augmented for the discriminator" if few else "")
        ),
        "source": "keras_sagan.choose_recipe",
        "generator": {**network, "batch_norm_momentum": momentum},
        "discriminator": network,
        "model": {
            "ema_momentum": 0.999,
            "ema_start_step": 1000,
            "augmentation": ("color", "translation", "cutout") if few else None,
        },
        "generator_optimizer": small["generator_optimizer"],
        "discriminator_optimizer": small["discriminator_optimizer"],
        "batch_size": batch_size,
        "steps": 100_000 if accelerated else 10_000,
    }


def choose_resolution(source, accelerated=None):
    """Chooses the resolution at which to train on images.

    This is the native resolution of the images, or a half, a quarter and so on
    of it, if the networks support it; see `build_generator`. Otherwise, it is
    the largest possible side below it; images of fewer than 12 pixels are
    enlarged to 16. If images have several sizes, or an unknown size, the
    result is at most 128. Without an accelerator, the shorter side is at most
    64, because larger networks would take weeks.

    Args:
        source: A `keras_sagan.data.Source`.
        accelerated: Whether there is a GPU or TPU. If `None`, the backend is
            asked.

    Returns:
        The side in pixels, or `(height, width)` if the images are not square.

    Example:

    >>> pixels = np.zeros((40, 100, 100, 3), "uint8")
    >>> source = keras_sagan.data.ArrayImages(pixels)
    >>> keras_sagan.training.choose_resolution(source, accelerated=True)
    96
    """
    _check_source(source)
    if accelerated is None:
        accelerated = backends.has_accelerator()
    limit = None if accelerated else _LARGEST_ON_CPU
    native = sizes.as_pair(source.native_resolution or _LARGEST)
    if source.one_size:
        exact = _halved(native, limit or max(native))
        if exact is not None:
            return sizes.plain(*exact)
    side = min(*native, limit or _LARGEST)
    return max((x for x in sizes.SIDES if x <= side), default=16)


def _halved(sides, limit):
    """Returns the sides, halved until networks support them, or None."""
    while min(sides) >= sizes.SIDES[0]:
        if min(sides) <= limit and sizes.is_possible(sides):
            return sides
        if any(side % 2 for side in sides):
            return None
        sides = tuple(side // 2 for side in sides)
    return None


def _check_source(source):
    check_has("source", source, "a `Source`", "native_resolution", "__len__")
