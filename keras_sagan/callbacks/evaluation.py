"""FID, or another figure, while training, and the best model by it."""

import json
import pathlib

from keras_sagan import backends
from keras_sagan import metrics
from keras_sagan.callbacks.every_steps import EverySteps
from keras_sagan.files import replacing
from keras_sagan.files import write_json
from keras_sagan.metrics.figures import check_metrics

# Of these, more is better.
_HIGHER = ("is", "precision", "recall", "density", "coverage")


class Evaluation(EverySteps):
    """Evaluates the EMA generator every N steps, and keeps the best.

    The real images are judged once, when training begins. Each evaluation
    uses the same latents. Its figures are in the logs of each epoch from then
    on, in `history` step by step, and beside the model file in a `.json`, with
    their protocol; a resumed run reads that, and replaces the file only by a
    better model.

    Of several processes each must be given it: all evaluate together, and the
    first one prints and writes.

    Args:
        real: Real images, as of `metrics.evaluate`.
        every: Positive integer, training steps between evaluations.
        figures: Names of metrics, as `metrics` of `metrics.evaluate`.
        monitor: The figure that decides which model is best; the first of
            `figures` if None.
        path: `.keras` file for the best model, or None to keep none.
        num_images: Positive integer, images to generate each time. A figure
            of few images is not comparable with one of 50,000.
        verbose: Whether to print the figures.
        **arguments: Others of `metrics.evaluate`: `protocol`,
            `feature_extractor`, `cache`, `seed`, `truncation`, ...

    Raises:
        ValueError: If an argument is out of range.

    Example:
    >>> images, _ = keras_sagan.data.load_digits()
    >>> callback = keras_sagan.callbacks.Evaluation(
    ...     images, every=1000, num_images=5000, path="best.keras")
    """

    def __init__(
        self,
        real,
        every=5000,
        figures=("fid",),
        monitor=None,
        path=None,
        num_images=10_000,
        verbose=True,
        **arguments,
    ):
        super().__init__(every)
        figures = check_metrics(figures)
        names = [n for name in figures for n in _names(name)]
        monitor = monitor or names[0]
        if num_images < 2:
            raise ValueError(
                "`num_images` must be at least 2. "
                f"Received: num_images={num_images}"
            )
        if monitor not in names:
            raise ValueError(
                f"`monitor` must be one of {', '.join(names)}. "
                f"Received: monitor={monitor!r}"
            )
        if path is not None and pathlib.Path(path).suffix != ".keras":
            raise ValueError(
                f"`path` must end in .keras. Received: path={path}"
            )
        self.real = real
        self.figures = figures
        self.monitor = monitor
        self.path = None if path is None else pathlib.Path(path)
        self.num_images = num_images
        self.verbose = verbose
        self.arguments = arguments
        self.history = []
        self.best = None

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        record = self.path and self.path.with_suffix(".json")
        if self.path and self.path.exists() and record.exists():
            self.best = json.loads(record.read_text()).get(self.monitor)
        protocol = metrics.get_protocol(
            self.arguments.get("protocol", "torch-fidelity")
        )
        # Once for all evaluations, the real images too.
        self._extractor = self.arguments.get(
            "feature_extractor"
        ) or metrics.Inception(logits=protocol["logits"])
        self._reference = None
        if self.figures != ["is"]:
            self._reference = metrics.reference(
                self.real,
                [name for name in self.figures if name != "is"],
                protocol,
                self._extractor,
                **{
                    name: self.arguments[name]
                    for name in ("batch_size", "seed", "cache")
                    if name in self.arguments
                },
            )

    def act(self, step, logs):
        self.evaluate()

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None and self.history:
            logs.update(_plain(self.history[-1]))

    def evaluate(self):
        """Evaluates now, and keeps the model if it is the best so far."""
        arguments = {
            k: v
            for k, v in self.arguments.items()
            if k not in ("feature_extractor", "cache")
        }
        results = metrics.evaluate(
            self.model,
            self._reference,
            self.figures,
            self.num_images,
            feature_extractor=self._extractor,
            **arguments,
        )
        self.history.append({"step": self._step, **results})
        value, best = results[self.monitor], self.best
        higher = self.monitor in _HIGHER
        better = best is None or (value > best if higher else value < best)
        is_first = backends.process()[0] == 0
        if self.verbose and is_first:
            kept = "; the best so far" if better else ""
            print(f"\nstep {self._step:,}{kept}\n{metrics.report(results)}")
        if better:
            self.best = value
            if self.path is not None and is_first:
                self._keep(self.history[-1])

    def _keep(self, results):
        with replacing(self.path) as temporary:
            self.model.save(temporary)
        write_json(self.path.with_suffix(".json"), results)


def _names(metric):
    """The figures of a metric that may be monitored."""
    pairs = {
        "precision_recall": ("precision", "recall"),
        "density_coverage": ("density", "coverage"),
    }
    return pairs.get(metric, (metric,))


def _plain(results):
    return {k: v for k, v in results.items() if isinstance(v, float)}
