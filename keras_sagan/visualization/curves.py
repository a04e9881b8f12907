"""Curves of a training run."""

import json
import math
import os

import numpy as np

from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_path
from keras_sagan.files import replacing
from keras_sagan.visualization.drawing import Picture

_DPI = 120
# A curve goes to the first panel that lists an ending of its name.
_PANELS = (
    ("loss", ("discriminator_loss", "generator_loss")),
    ("mean logit", ("real_logits", "fake_logits")),
    ("attention gamma", ("_gamma",)),
    ("gradient norm", ("_gradient_norm",)),
    ("largest sigma", ("largest_sigma",)),
    ("images per second", ("images_per_second",)),
)
# Entries of a log that are not measurements.
_NOT_MEASURED = {"step", "epoch", "time", "seconds"}


def training_curves(history, path=None, steps_per_epoch=None):
    """Plots losses, logits, gammas, sigma, speed, and all else in the log.

    Args:
        history: A `keras.callbacks.History`; a dict of lists of floats, with
            the names that `SAGAN.fit` logs; or the path of a log with one JSON
            object per line, as `read_log` reads it. Other numbers in it, such
            as an FID, get panels of their own.
        path: File to save to. The suffix decides the format. If `None`, the
            picture is only returned.
        steps_per_epoch: Positive integer, training steps per entry of a
            history. If given, the horizontal axis shows steps, otherwise
            epochs. A log has its own steps.

    Returns:
        uint8 `(height, width, 3)`, a picture that notebooks show.

    Raises:
        ValueError: If there is nothing to plot.
        ImportError: If matplotlib is missing.

    Example:

    >>> history = {
    ...     "discriminator_loss": [1.9, 1.2, 0.8],
    ...     "generator_loss": [-0.1, 0.6, 0.9]}
    >>> picture = keras_sagan.visualization.training_curves(
    ...     history, "curves.png", steps_per_epoch=100)
    >>> picture.shape
    (312, 1200, 3)
    """
    path = check_path("path", path, optional=True)
    if isinstance(history, (str, os.PathLike)):
        curves, unit = read_log(history), "step"
    else:
        check_integer("steps_per_epoch", steps_per_epoch, 1, optional=True)
        curves, unit = _of_history(history, steps_per_epoch)
    panels = _panels(curves)
    if not panels:
        raise ValueError(
            "`history` must hold what `SAGAN.fit` logs, such as "
            f"'generator_loss'. Received: history of {sorted(curves)}"
        )
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "Plots need matplotlib: pip install 'keras_sagan[plots]'"
        ) from error
    known = Figure().canvas.get_supported_filetypes()
    if path and path.suffix.lower().removeprefix(".") not in known:
        raise ValueError(
            "`path` must end in the suffix of a picture, such as .png. "
            f"Received: path={path}"
        )
    figure = Figure(figsize=(10, 2.6 * ((len(panels) + 1) // 2)))
    for i, (title, names) in enumerate(panels):
        axes = figure.add_subplot((len(panels) + 1) // 2, 2, i + 1)
        for name in names:
            marker = "o" if len(curves[name][0]) == 1 else None
            label = name.removesuffix("_gamma")
            axes.plot(*curves[name], label=label, marker=marker)
        axes.set_title(title)
        axes.set_xlabel(unit)
        axes.grid(alpha=0.3)
        if len(names) > 1:
            axes.legend(fontsize="small")
    figure.tight_layout()
    if path:
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=_DPI)
    figure.set_dpi(_DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy().view(Picture)


def read_log(path):
    r"""Reads a training log: one JSON object per line, each with a "step".

    Where the step goes back, a run was resumed from that step, and the entries
    above with a larger step are dropped. An incomplete last line is ignored,
    because a run may still be writing it.

    Args:
        path: File, such as `log.jsonl`.

    Returns:
        A dict from names to `(steps, values)`, two lists of numbers.

    Raises:
        ValueError: If a line is not such an object.

    Example:

    >>> text = '{"step": 10, "fid": 90.0}\n{"step": 20, "fid": 70.0}\n'
    >>> with open("log.jsonl", "w") as file:
    ...     _ = file.write(text)
    >>> keras_sagan.visualization.read_log("log.jsonl")
    {'fid': ([10, 20], [90.0, 70.0])}
    """
    entries = []
    lines = check_path("path", path).read_text().splitlines(keepends=True)
    for i, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            step = entry["step"]
        except (ValueError, KeyError, TypeError) as error:
            cut_off = i == len(lines) - 1 and not line.endswith("\n")
            if entries and cut_off:
                break
            raise ValueError(
                '`path` must hold a JSON object with a "step" on each line. '
                f"Received: line {i + 1} of {path}: {line.strip()[:60]}"
            ) from error
        # Epochs and evaluations may log at the same step.
        while entries and entries[-1]["step"] > step:
            entries.pop()
        entries.append(entry)
    curves = {}
    for entry in entries:
        for name, value in entry.items():
            if name not in _NOT_MEASURED and _is_number(value):
                steps, values = curves.setdefault(name, ([], []))
                steps.append(entry["step"])
                values.append(value)
    return curves


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _of_history(history, steps_per_epoch):
    history = getattr(history, "history", history)
    if not isinstance(history, dict) or not all(
        isinstance(values, (list, tuple)) for values in history.values()
    ):
        raise ValueError(
            "`history` must be what `SAGAN.fit` returns, a dict of lists, or "
            f"the path of a log. Received: history={history!r:.80}"
        )
    curves = {}
    for name, values in history.items():
        steps = [(i + 1) * (steps_per_epoch or 1) for i in range(len(values))]
        curves[name] = steps, values
    return curves, "step" if steps_per_epoch else "epoch"


def _panels(curves):
    """Returns a list of `(title, names)`, one for each panel."""
    names = [
        name
        for name, (_, values) in curves.items()
        if any(_is_number(x) and math.isfinite(x) for x in values)
    ]
    panels = []
    for title, endings in _PANELS:
        chosen = [n for n in names if any(n.endswith(e) for e in endings)]
        names = [name for name in names if name not in chosen]
        if chosen:
            panels.append((title, chosen))
    return panels + [(name, [name]) for name in names]
