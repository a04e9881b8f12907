"""A recipe for images that nobody has a recipe for."""

from keras_sagan import backends
from keras_sagan.models.blocks import check_architecture
from keras_sagan.models.presets import get_preset

_SIZES = (32, 64, 128)
# Below, a discriminator learns the images by heart.
_FEW_IMAGES = 20_000
_FEWEST_IMAGES = 16


def choose_recipe(
    source, accelerated=None, resolution=None, base_channels=None
):
    """Chooses what to train on a folder of images.

    The resolution is the largest of 32, 64 and 128 that most images have; 128
    only on an accelerator. Below 20,000 images the discriminator's images are
    augmented (DiffAugment). The rates are those of the preset `digits`, batch
    norm and the spectral norm those of `imagenet_128`.

    Args:
        source: `keras_sagan.data.ImageFolder`, or another source, whose own
            resolution is then taken for that of the images.
        accelerated: Whether there is a GPU or TPU. None: as the
            backend says.
        resolution: Side of the images, 16, 32, 64, 128 or 256. None: chosen.
        base_channels: Positive integer, width of the networks. None: chosen.

    Returns:
        A dict like those of `keras_sagan.get_preset`.

    Raises:
        ValueError: If there are fewer than 16 images, or networks have no
            such resolution.

    Example:
    >>> pixels = np.zeros((40, 64, 64, 3), "uint8")
    >>> source = keras_sagan.data.ArrayImages(pixels)
    >>> recipe = keras_sagan.choose_recipe(source, accelerated=False)
    >>> recipe["generator"]["resolution"], recipe["batch_size"]
    (64, 32)
    """
    if len(source) < _FEWEST_IMAGES:
        raise ValueError(
            f"There must be at least {_FEWEST_IMAGES} images that can be used, "
            f"better thousands. Received: {len(source)}"
        )
    if accelerated is None:
        accelerated = backends.has_accelerator()
    sizes = _SIZES if accelerated else _SIZES[:-1]
    side = source.native_resolution or _SIZES[-1]
    resolution = resolution or max(
        (size for size in sizes if size <= side),
        default=_SIZES[0],
    )
    few = len(source) < _FEW_IMAGES
    batch_size = 64 if accelerated else 32
    while batch_size > len(source):
        batch_size //= 2
    names = source.class_names
    num_classes = None if names is None else len(names)
    base_channels = base_channels or (64 if accelerated else 16)
    check_architecture(resolution, num_classes, base_channels, "released")
    large, small = get_preset("imagenet_128"), get_preset("digits")
    network = {
        "resolution": resolution,
        "num_classes": num_classes,
        "base_channels": base_channels,
        "spectral_epsilon": large["generator"]["spectral_epsilon"],
    }
    momentum = large["generator"]["batch_norm_momentum"]
    return {
        "description": (
            f"{len(source):,} images of "
            f"{'no' if names is None else len(names)} classes at {resolution} "
            f"pixels" + (", augmented for the discriminator" if few else "")
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
