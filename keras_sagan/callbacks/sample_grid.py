"""Pictures while training."""

import pathlib

import keras

from keras_sagan.visualization import image_grid


class SampleGrid(keras.callbacks.Callback):
    """Saves a grid of images of fixed latents as training goes on.

    One row per class, the averaged generator's images; the same latents each
    time, so that the files make a film.

    Args:
        directory: Folder for the files, `step_00001000.png` and so on.
        every: Positive integer, epochs between grids.
        columns: Positive integer, images per class (or per row, without
            classes).
        classes: Integers, the classes shown. None: the first ten.
        seed: Integer, seed of the latents.
        scale: Positive integer, enlargement of each pixel.

    Raises:
        ValueError: If `every` or `columns` is not positive.

    Example:
    >>> callback = keras_sagan.callbacks.SampleGrid("outputs/samples")
    """

    def __init__(
        self, directory, every=1, columns=10, classes=None, seed=0, scale=1
    ):
        super().__init__()
        if every < 1 or columns < 1:
            raise ValueError(
                "`every` and `columns` must be positive integers. "
                f"Received: every={every}, columns={columns}"
            )
        self.directory = pathlib.Path(directory)
        self.every = every
        self.columns = columns
        self.classes = classes
        self.seed = seed
        self.scale = scale

    def on_train_begin(self, logs=None):
        self._save()  # What it starts from: noise, in a new run.

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0:
            self._save()

    def _save(self):
        rows, labels = 8, None
        if self.model.num_classes is not None:
            classes = self.classes or range(min(10, self.model.num_classes))
            labels = [c for c in classes for _ in range(self.columns)]
            rows = len(classes)
        images = self.model.generate(
            labels=labels, num_images=rows * self.columns, seed=self.seed
        )
        step = int(self.model.steps_trained)
        image_grid(
            images,
            self.columns,
            self.scale,
            path=self.directory / f"step_{step:08d}.png",
        )
