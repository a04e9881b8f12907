"""Pictures while training."""

from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_path
from keras_sagan.callbacks.every_steps import EverySteps
from keras_sagan.files import step_file
from keras_sagan.visualization import image_grid

# Steps of the first grids: most changes at the beginning.
_FIRST = (100, 200, 400, 800)
_LATER = 1000


class SampleGrid(EverySteps):
    """Saves a grid of images of fixed latents as training goes on.

    One row per class, the EMA generator's images; the same latents each
    time, so that the files make a video.

    Args:
        directory: Folder for the files, `step_00001000.png` and so on.
        every: Positive integer, steps between grids. None: a grid at steps
            100, 200, 400 and 800, and then at every thousandth step.
        columns: Positive integer, images per class (or per row, without
            classes).
        classes: Integers, the classes shown. None: the first ten.
        seed: Integer, seed of the latents.
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
    ):
        super().__init__(_LATER if every is None else every)
        self.first = _FIRST if every is None else ()
        check_integer("columns", columns, 1)
        self.directory = check_path("directory", directory)
        self.columns = columns
        self.classes = classes
        self.seed = seed
        self.scale = scale

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        if self._step == 0:
            self._save(0)  # What it starts from: noise.

    def is_due(self, previous, step):
        first = any(previous < x <= step for x in self.first)
        return first or super().is_due(previous, step)

    def act(self, step, logs):
        self._save(step)

    def path(self, step):
        """The file of the grid of a step."""
        return step_file(self.directory, step, ".png")

    def _save(self, step):
        rows, labels = 8, None
        if self.model.num_classes is not None:
            classes = self.classes or range(min(10, self.model.num_classes))
            labels = [c for c in classes for _ in range(self.columns)]
            rows = len(classes)
        images = self.model.generate(
            labels=labels, num_images=rows * self.columns, seed=self.seed
        )
        image_grid(
            images,
            self.columns,
            self.scale,
            path=self.path(step),
        )
