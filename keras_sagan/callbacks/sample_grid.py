"""Grids of images during training."""

import numpy as np

from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_path
from keras_sagan.arguments import check_strings
from keras_sagan.callbacks.every_steps import EverySteps
from keras_sagan.files import step_file
from keras_sagan.visualization import image_grid
from keras_sagan.visualization.samples import grid_of_classes

# Steps of the first grids, because most changes are at the beginning.
_FIRST = (100, 200, 400, 800)
_LATER = 1000
_MOST_ROWS, _MOST_COLUMNS = 12, 32
_WIDTH = 2048  # Width in pixels of a picture with one column per class.


class SampleGrid(EverySteps):
    """Saves grids of images of fixed latents during training.

    They are images of the EMA generator, with the same latents each time, so
    that the files can be made into a video. Up to twelve classes have a row
    each, and more classes have a column each. If there are too many classes,
    only some are shown, evenly chosen.

    Args:
        directory: Folder for the files, `step_00001000.png` and so on.
        every: Positive integer, the number of steps between grids. If `None`,
            there is a grid at steps 100, 200, 400 and 800, and then at every
            thousandth step.
        columns: Positive integer, the number of images per class (or per row,
            without classes).
        classes: Integers, the classes to show. If `None`, defaults to all
            classes, or as many as fit.
        class_names: Strings, the names of all classes. If `None`, defaults to
            their numbers.
        seed: Integer, the seed of the latents.
        scale: As in `visualization.image_grid`.

    Raises:
        ValueError: If `every` or `columns` is not positive.

    Example:

    >>> callback = keras_sagan.callbacks.SampleGrid("outputs/samples")
    """

    def __init__(
        self,
        directory,
        every=None,
        columns=10,
        classes=None,
        seed=0,
        scale=None,
        class_names=None,
    ):
        super().__init__(_LATER if every is None else every)
        self.first = _FIRST if every is None else ()
        check_integer("columns", columns, 1)
        self.directory = check_path("directory", directory)
        self.columns = columns
        self.classes = classes
        check_strings("class_names", class_names, optional=True)
        self.class_names = class_names
        self.seed = seed
        self.scale = scale

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        if self._step == 0:
            self._save(0)  # The images at the start are noise.

    def is_due(self, previous, step):
        first = any(previous < x <= step for x in self.first)
        return first or super().is_due(previous, step)

    def act(self, step, logs):
        self._save(step)

    def path(self, step):
        """Returns the path of the grid of a step."""
        return step_file(self.directory, step, ".png")

    def _save(self, step):
        n = self.columns
        picture = {"scale": self.scale, "path": self.path(step)}
        if self.model.num_classes is None:
            images = self.model.generate(num_images=8 * n, seed=self.seed)
            image_grid(images, n, **picture)
            return
        classes = self._chosen() if self.classes is None else self.classes
        classes = list(classes)
        images = self.model.generate(
            labels=[label for label in classes for _ in range(n)],
            seed=self.seed,
        )
        in_columns = len(classes) > _MOST_ROWS
        grid_of_classes(
            images, classes, self.class_names, in_columns, **picture
        )

    def _chosen(self):
        """Returns evenly chosen classes, as many as fit on a picture."""
        classes = self.model.num_classes
        width = self.model.image_shape[1]
        most = min(_MOST_COLUMNS, max(_MOST_ROWS, _WIDTH // width))
        chosen = np.linspace(0, classes - 1, min(classes, most))
        return np.rint(chosen).astype(int).tolist()
