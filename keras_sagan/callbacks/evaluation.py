"""FID or other metrics during training, and the best model by one of them."""

import json

from keras_sagan import backends
from keras_sagan.arguments import check_choice
from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_path
from keras_sagan.callbacks.every_steps import EverySteps
from keras_sagan.files import replacing
from keras_sagan.files import write_json
from keras_sagan.metrics import Inception
from keras_sagan.metrics import evaluate
from keras_sagan.metrics import get_metrics
from keras_sagan.metrics import get_protocol
from keras_sagan.metrics import reference
from keras_sagan.metrics import report


class Evaluation(EverySteps):
    """Evaluates the EMA generator every `every` steps, and keeps the best.

    The features of the real images are computed once, when training begins.
    Each evaluation uses the same latents. Its values are added to the logs of
    every following epoch and to the list `history`. The values of the best
    model are also written to a `.json` file next to the model file, with their
    protocol. A resumed run reads this file, and replaces the model only by a
    better one.

    If several processes train together, each must have this callback: all of
    them evaluate together, and the first one prints and writes.

    Args:
        real: Real images, as in `metrics.evaluate`.
        every: Positive integer, the number of training steps between
            evaluations.
        metrics: Names of metrics or `metrics.Metric` objects, as in
            `metrics.evaluate`.
        monitor: Name of the value that decides which model is best, such as
            `"precision"`. If `None`, defaults to the first value of the first
            metric.
        path: `.keras` file for the best model. If `None`, no model is saved.
        num_images: Positive integer, the number of images to generate each
            time. Values for few images cannot be compared with those for
            50,000.
        verbose: Whether to print the values.
        **arguments: Other arguments of `metrics.evaluate`, such as
            `protocol`, `feature_extractor`, `cache`, `seed`, `truncation`.

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
        metrics=("fid",),
        monitor=None,
        path=None,
        num_images=10_000,
        verbose=True,
        **arguments,
    ):
        super().__init__(every)
        metrics = get_metrics(metrics)
        values = {v.name: v for metric in metrics for v in metric.values}
        monitor = next(iter(values)) if monitor is None else monitor
        check_integer("num_images", num_images, 2)
        check_choice("monitor", monitor, list(values))
        path = check_path("path", path, optional=True)
        if path is not None and path.suffix != ".keras":
            raise ValueError(
                f"`path` must end in .keras. Received: path={path}"
            )
        self.real = real
        self.metrics = metrics
        self.monitor = monitor
        self.higher_is_better = values[monitor].higher_is_better
        self.path = path
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
        protocol = get_protocol(
            self.arguments.get("protocol", "torch-fidelity")
        )
        # These are computed once for all evaluations.
        self._extractor = self.arguments.get("feature_extractor") or Inception(
            logits=protocol["logits"]
        )
        self._reference = None
        needing = [m for m in self.metrics if m.real_needs is not None]
        if needing:
            self._reference = reference(
                self.real,
                needing,
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
        results = evaluate(
            self.model,
            self._reference,
            self.metrics,
            self.num_images,
            feature_extractor=self._extractor,
            **arguments,
        )
        self.history.append({"step": self._step, **results})
        value, best = results[self.monitor], self.best
        higher = self.higher_is_better
        better = best is None or (value > best if higher else value < best)
        is_first = backends.process()[0] == 0
        if self.verbose and is_first:
            kept = "; the best so far" if better else ""
            text = report(results, self.metrics)
            print(f"\nstep {self._step:,}{kept}\n{text}")
        if better:
            self.best = value
            if self.path is not None and is_first:
                self._keep(self.history[-1])

    def _keep(self, results):
        with replacing(self.path) as temporary:
            self.model.save(temporary)
        write_json(self.path.with_suffix(".json"), results)


def _plain(results):
    return {k: v for k, v in results.items() if isinstance(v, float)}
