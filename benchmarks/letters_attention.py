"""Measures what the attention of the generator of letters does.

    python benchmarks/letters_attention.py --data=glyphs_32.npz

The model is the preset `letters_32` with its weights, or `--model`. The script
prints

- the metrics of `benchmarks/letters.py` for the generator as it is, and for the
  same generator with gamma = 0, which takes its attention away;
- for points on strokes, how much of their attention lies on strokes, and how
  much on strokes of the other half of the image (left and right), each divided
  by what it would be if they attended equally to all locations.

It writes a figure to `--out` that shows, for some letters, where points on
their strokes attend.
"""

import argparse
import json
import pathlib
import string

import numpy as np
from letters import Judge
from letters import show

from keras_sagan import visualization
from keras_sagan.cli.models import load_model

LETTERS = string.ascii_uppercase
TWO_LEGS = "AHKMNRUVWXY"
INK = 128  # Pixels above this are on a stroke.


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", required=True, help="The .npz file.")
    parser.add_argument(
        "--model", default="letters_32", help="A preset or a .keras file."
    )
    parser.add_argument(
        "--out", default="outputs/letters_attention", type=pathlib.Path
    )
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    model, _ = load_model(flags.model)
    results = {"looks": looks(model)}
    show("points on strokes", results["looks"])
    draw(model, flags.out / "letters_attention.png")
    judge = Judge(
        np.load(flags.data), flags.out.parent / "letters_classifier.keras"
    )
    results["held_out"] = judge.held_out()
    results["as_trained"] = judge.model(model)
    for layer in visualization.attention_layers(model.ema_generator):
        layer.gamma.assign(0.0)
    results["gamma_0"] = judge.model(model)
    for name in ("held_out", "as_trained", "gamma_0"):
        show(name, results[name])
    (flags.out / "results.json").write_text(json.dumps(results, indent=1))


def looks(model, count=8):
    """Returns how much more than chance points on strokes attend to strokes.

    The keys are a coarser map than the image: a key counts by the share of its
    pixels that are on strokes.
    """
    labels = np.repeat([LETTERS.index(x) for x in TWO_LEGS], count)
    maps = visualization.attention_maps(model, labels=labels, seed=0)
    ink = (maps.images[..., 0] > INK).astype("float64")
    rows, columns, *keys = maps.scores.shape[1:]
    of_points, of_keys = (
        _pooled(ink, shape) for shape in ((rows, columns), tuple(keys))
    )
    left = np.arange(columns) < columns // 2
    left_keys = np.arange(keys[1]) < keys[1] // 2
    on_ink, across, distance = [], [], []
    for scores, points, stroke in zip(maps.scores, of_points, of_keys):
        for row, column in np.argwhere(points > 0.5):
            weights = scores[row, column]
            on_ink.append((weights * stroke).sum() / stroke.mean())
            other = stroke * (left_keys != left[column])
            across.append((weights * other).sum() / other.mean())
            distance.append(_distance(weights, row / rows, column / columns))
    everywhere = np.full(keys, 1 / np.prod(keys))
    by_chance = [
        _distance(everywhere, row / rows, column / columns)
        for points in of_points
        for row, column in np.argwhere(points > 0.5)
    ]
    return {
        "gamma": float(maps.gamma),
        "points": len(on_ink),
        "on_strokes": float(np.mean(on_ink)),
        "on_strokes_of_the_other_half": float(np.mean(across)),
        "distance": float(np.mean(distance)),
        "distance_by_chance": float(np.mean(by_chance)),
    }


def _pooled(ink, shape):
    """Returns the means of the pixels of each location of a map."""
    n, height, width = ink.shape
    rows, columns = shape
    blocks = ink.reshape(n, rows, height // rows, columns, width // columns)
    return blocks.mean(axis=(2, 4))


def _distance(weights, row, column):
    """Returns the mean distance of keys from a point, in image sides."""
    i = (np.arange(weights.shape[0]) + 0.5) / weights.shape[0]
    j = (np.arange(weights.shape[1]) + 0.5) / weights.shape[1]
    return float((weights * np.hypot(i[:, None] - row, j - column)).sum())


def draw(model, path, letters="AHMRO"):
    """Draws where points on the strokes of some letters look."""
    labels = [LETTERS.index(letter) for letter in letters]
    maps = visualization.attention_maps(model, labels=labels, seed=3)
    points = [_on_strokes(image[..., 0] > INK) for image in maps.images]
    visualization.attention_sheet(maps.at(np.array(points)), path=path)


def _on_strokes(ink):
    """Returns five points (x, y) on strokes, far from one another."""
    candidates = np.argwhere(ink)[:, ::-1]
    points = [candidates[candidates.sum(axis=1).argmin()]]
    while len(points) < 5:
        away = [
            np.hypot(*(candidates - point).T.astype(float)) for point in points
        ]
        points.append(candidates[np.min(away, axis=0).argmax()])
    return np.array(points)


if __name__ == "__main__":
    main()
