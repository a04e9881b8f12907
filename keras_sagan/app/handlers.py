"""The functions behind the page, independent of Gradio.

They check every value themselves, although the controls of the page have the
same bounds, because a request may not come from these controls.
"""

import base64
import functools
import pathlib
import tempfile

import numpy as np

from keras_sagan.visualization import AttentionMaps
from keras_sagan.visualization import attention_layers
from keras_sagan.visualization import attention_maps
from keras_sagan.visualization import save_video
from keras_sagan.visualization import spherical_interpolation
from keras_sagan.visualization.attention_figures import attention_figure
from keras_sagan.visualization.drawing import check_images

MAX_IMAGES, MAX_FRAMES, MAX_SEED = 16, 32, 2**31 - 1
MIN_TRUNCATION, MAX_TRUNCATION = 0.1, 4.0


class Handlers:
    """Answers the requests of a page for one model.

    Args:
        model: A `SAGAN`.
        class_names: A string for each class. Defaults to their numbers.
    """

    def __init__(self, model, class_names=None):
        self.model = model
        if model.num_classes is not None and class_names is None:
            class_names = [str(i) for i in range(model.num_classes)]
        self.class_names = list(class_names or ())
        self.layers = [x.name for x in attention_layers(model.ema_generator)]
        self._maps = functools.lru_cache(maxsize=8)(self._compute_maps)

    def warm_up(self):
        """Compiles the model, so that the first click need not wait for it."""
        latents, labels = self.draw([], 1, 0, 0)
        self.images(latents, labels)
        for layer in self.layers:
            self.attention(
                latents[0], None if labels is None else labels[0], 0, 0, layer
            )

    def draw(self, classes, count, seed, truncation):
        """Draws latents and labels as `SAGAN.generate` does.

        Args:
            classes: List of class names, which the images take in turn. If it
                is empty, the classes are drawn with the seed.
            count: Number of images, from 1 to 16.
            seed: Non-negative integer.
            truncation: Number from 0.1 to 4, or 0 for no truncation.

        Returns:
            The latents and the labels as lists, or None for no labels.
        """
        count = whole("count", count, 1, MAX_IMAGES)
        seed = whole("seed", seed, 0, MAX_SEED)
        labels = self._labels(classes, count)
        latents, labels = self.model.draw_inputs(
            labels, count, seed, truncation=_truncation(truncation)
        )
        return latents.tolist(), None if labels is None else labels.tolist()

    def call(self, classes, count, seed, truncation):
        """Returns the line of Python that generates the same images."""
        labels = self._labels(classes, count)
        return (
            f"model.generate(labels={labels}, num_images={count}, "
            f"seed={seed}, truncation={_truncation(truncation)})"
        )

    def images(self, latents, labels):
        """Returns uint8 images for latents and labels of `draw`."""
        # One image at a time, so that only one shape is compiled.
        return self.model.generate(
            labels, latents=np.array(latents), batch_size=1
        )

    def walk(self, name, seeds, frames, truncation):
        """Returns a video from one seed to another and back, as a data URL.

        Args:
            name: Name of the class; None for a model without classes.
            seeds: Two non-negative integers.
            frames: Number of frames from the first seed to the second, from 4
                to 32.
            truncation: As in `draw`.
        """
        frames = whole("frames", frames, 4, MAX_FRAMES)
        start, end = (
            np.array(self.draw([name], 1, seed, truncation)[0])
            for seed in seeds
        )
        latents = [
            spherical_interpolation(start[0], end[0], i / (frames - 1))
            for i in range(frames)
        ]
        labels = self._labels([name], frames)
        images = self.images(latents, labels)
        video = np.concatenate([images, images[-2:0:-1]])
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "walk.gif"
            save_video(video, path, scale=self.scale(256))
            content = base64.b64encode(path.read_bytes()).decode()
        return f"data:image/gif;base64,{content}"

    def attention(self, latents, label, x, y, layer):
        """Returns a figure of what the point (x, y) of an image attends to."""
        if layer not in self.layers:
            raise ValueError(f"Layer: must be one of {self.layers}")
        height, width, _ = self.model.image_shape
        x, y = whole("x", x, 0, width - 1), whole("y", y, 0, height - 1)
        # A model that is being trained has other maps after each step.
        step = self.model.count_steps()
        maps = self._maps(tuple(latents), label, layer, step)
        return attention_figure(
            maps.at([(x, y)]), panel=256, class_names=self.class_names
        )

    def pictures(self, images):
        """Returns images as RGB, as the page shows them."""
        return check_images("images", images)

    def enlarged(self, image, size=384):
        """Returns an image enlarged to about `size` by repeating its pixels."""
        scale = self.scale(size)
        (image,) = check_images("image", image[None])
        return image.repeat(scale, axis=0).repeat(scale, axis=1)

    def scale(self, size):
        """Returns the factor that enlarges images to about `size` pixels."""
        return max(1, size // max(self.model.image_shape[:2]))

    def _compute_maps(self, latents, label, layer, step) -> AttentionMaps:
        return attention_maps(
            self.model,
            labels=None if label is None else [label],
            latents=np.array([latents]),
            layer=layer,
            queries=[(0, 0)],
        )

    def _labels(self, names, count):
        if self.model.num_classes is None or not names:
            return None
        if not isinstance(names, list) or len(names) > MAX_IMAGES:
            raise ValueError(
                f"Classes: must be a list of at most {MAX_IMAGES} names"
            )
        for name in names:
            if name not in self.class_names:
                raise ValueError(
                    f"Classes: there is no class {str(name)[:40]!r}"
                )
        labels = [self.class_names.index(name) for name in names]
        return [labels[i % len(labels)] for i in range(count)]


def whole(name, value, low, high):
    """Returns a number from a request as an integer in [low, high]."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or value != value // 1
        or not low <= value <= high
    ):
        raise ValueError(
            f"{name.capitalize()}: must be a whole number from {low} to {high}"
        )
    return int(value)


def _truncation(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("Truncation: must be a number")
    if value == 0:
        return None
    if not MIN_TRUNCATION <= value <= MAX_TRUNCATION:
        raise ValueError(
            "Truncation: must be 0 for no truncation, or from "
            f"{MIN_TRUNCATION} to {MAX_TRUNCATION:g}"
        )
    return float(value)
