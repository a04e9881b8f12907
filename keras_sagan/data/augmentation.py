"""Augmentation of uint8 batches on the host, before training sees them.

`keras_sagan.layers.DiffAugment` is the augmentation through which the gradients
of the generator flow.
"""

import threading

import keras
import numpy as np

from keras_sagan.arguments import check_choice
from keras_sagan.arguments import check_integer

AUGMENTATIONS = ("none", "flip", "keras", "keras_cv")
# Fractions of the side, of the value range, and of the colour circle.
_TRANSLATION = 0.125
_CUTOUT = 0.25
_COLOR = {
    "brightness_factor": 0.2,
    "contrast_factor": 0.2,
    "saturation_factor": (0.4, 0.6),  # 0.5 changes nothing.
    "hue_factor": 0.02,
}
_LOCK = threading.Lock()


def augmentation(name, seed=0):
    """Returns a function that augments the batch of a given step.

    Args:
        name: `"none"`; `"flip"`, which mirrors half of the images in NumPy;
            `"keras"`, which uses layers of Keras to flip images, to translate
            them by up to an eighth of the side, to cut out a square of a
            quarter of the side, and to change colours; or `"keras_cv"`, which
            does the same with layers of keras-cv and needs TensorFlow on
            every backend.
        seed: Non-negative integer.

    Returns:
        A function of `(images, step)` that takes and returns uint8
        `(N, R, R, 3)`; or None for `"none"`.

    Raises:
        ValueError: If there is no such augmentation.
        ImportError: If keras-cv or TensorFlow is missing.

    Example:

    >>> augment = keras_sagan.data.augmentation("flip")
    >>> augment(np.zeros((4, 16, 16, 3), "uint8"), step=7).shape
    (4, 16, 16, 3)
    """
    check_choice("name", name, AUGMENTATIONS)
    check_integer("seed", seed, 0)
    if name == "none":
        return None
    if name == "flip":
        return lambda images, step: _flip(images, [seed, step])
    if name == "keras":
        return lambda images, step: _by_keras(images, [seed, step])
    require_keras_cv()
    return lambda images, step: _by_keras_cv(images, [seed, step])


def require_keras_cv():
    """Returns `keras_cv`, or says what is missing."""
    try:
        import keras_cv
    except ImportError as error:
        raise ImportError(
            "keras-cv and the TensorFlow that it runs on are not installed: "
            "pip install 'keras_sagan[keras-cv]', or choose "
            "augmentation('keras'), which does the same without them"
        ) from error
    return keras_cv


def _flip(images, entropy):
    chosen = np.random.default_rng(entropy).random(len(images)) < 0.5
    return np.where(chosen[:, None, None, None], images[:, :, ::-1], images)


def _by_keras(images, entropy):
    # New layers each time, so that the result depends only on the step and
    # not on the thread or on where the run began.
    layers = keras.layers
    # Do not depend on the user's global settings.
    images_like = {"data_format": "channels_last", "dtype": "float32"}
    flip, translation, cutout, color = _seeds(entropy)
    return _apply(
        [
            layers.RandomFlip("horizontal", seed=flip, **images_like),
            layers.RandomTranslation(
                _TRANSLATION, _TRANSLATION, seed=translation, **images_like
            ),
            layers.RandomErasing(
                factor=1.0,
                scale=(_CUTOUT**2, _CUTOUT**2),
                fill_value=127,
                seed=cutout,
                **images_like,
            ),
            layers.RandomColorJitter(
                value_range=(0, 255), seed=color, **_COLOR, **images_like
            ),
        ],
        images,
    )


def _by_keras_cv(images, entropy):
    import tensorflow

    layers = require_keras_cv().layers
    flip, translation, cutout, color = _seeds(entropy)
    share = (_CUTOUT, _CUTOUT)  # Smallest and largest.
    # The colour factors depend on TensorFlow's global seed, not the layer's.
    with _LOCK:
        tensorflow.random.set_seed(color)
        return _apply(
            [
                layers.RandomFlip("horizontal", seed=flip),
                layers.RandomTranslation(
                    _TRANSLATION, _TRANSLATION, seed=translation
                ),
                layers.RandomCutout(share, share, seed=cutout),
                layers.RandomColorJitter(
                    value_range=(0, 255), seed=color, **_COLOR
                ),
            ],
            images,
        )


def _seeds(entropy):
    rng = np.random.default_rng(entropy)
    return [int(seed) for seed in rng.integers(1, 2**31, size=4)]


def _apply(layers, images):
    x = images.astype("float32")
    for layer in layers:
        x = layer(x, training=True)
    x = keras.ops.convert_to_numpy(x)
    return np.rint(np.clip(x, 0, 255)).astype("uint8")
