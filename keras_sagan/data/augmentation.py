"""Augmentation on the host, of uint8 batches, before the training sees them.

For augmentation that the generator's gradients go through, see
`keras_sagan.layers.DiffAugment`.
"""

import threading

import keras
import numpy as np

AUGMENTATIONS = ("none", "flip", "keras", "keras_cv")
# Shares of the side, of the range, and of the colour circle.
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
    """Returns a function that augments a batch, the same for the same step.

    Args:
        name: `"none"`; `"flip"`: left and right, in NumPy; `"keras"`: flip,
            translation by up to an eighth, a square of a quarter cut out, and
            colour, by the layers of Keras; `"keras_cv"`: the same by those of
            keras-cv, which need TensorFlow, on whatever backend.
        seed: Non-negative integer.

    Returns:
        A function of `(images, step)`, uint8 `(N, R, R, 3)` to the same, or
        None for `"none"`.

    Raises:
        ValueError: If there is no such augmentation.
        ImportError: If keras-cv or TensorFlow is missing.

    Example:
    >>> augment = keras_sagan.data.augmentation("flip")
    >>> augment(np.zeros((4, 16, 16, 3), "uint8"), step=7).shape
    (4, 16, 16, 3)
    """
    if name not in AUGMENTATIONS:
        raise ValueError(
            f"`name` must be one of {AUGMENTATIONS}. Received: name={name!r}"
        )
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
    # New layers each time: their randomness is then the step's alone,
    # whichever thread works on it and wherever the run began.
    layers = keras.layers
    flip, translation, cutout, color = _seeds(entropy)
    return _apply(
        [
            layers.RandomFlip("horizontal", seed=flip),
            layers.RandomTranslation(
                _TRANSLATION, _TRANSLATION, seed=translation
            ),
            layers.RandomErasing(
                factor=1.0,
                scale=(_CUTOUT**2, _CUTOUT**2),
                fill_value=127,
                seed=cutout,
            ),
            layers.RandomColorJitter(
                value_range=(0, 255), seed=color, **_COLOR
            ),
        ],
        images,
    )


def _by_keras_cv(images, entropy):
    import tensorflow

    layers = require_keras_cv().layers
    flip, translation, cutout, color = _seeds(entropy)
    share = (_CUTOUT, _CUTOUT)  # From and to.
    # Its factors come from TensorFlow's global seed, not from the layers'.
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
