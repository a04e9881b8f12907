"""Measures what fine-tuning gains when there are few images.

    python benchmarks/fine_tune.py --data=glyphs_32.npz

A SAGAN learns the letters A to T of all typefaces. Then 20 images of each of
the letters U to Z are given, and the script trains on these 120 images: a new
SAGAN, the trained one with other classes (`SAGAN.with_classes`), and the same
with the first blocks of its discriminator frozen. All train for the same number
of steps. Their images are compared with 1,200 letters U to Z of the training
typefaces. The three models were trained on only 120 such letters. The script
prints means and standard errors over the seeds, and writes them and a grid of
each run to `--out`.
"""

import argparse
import json
import pathlib

import keras
import matplotlib.pyplot as plt
import numpy as np
from letters import Judge

import keras_sagan
from keras_sagan import data
from keras_sagan import visualization

KNOWN, NEW = list(range(20)), list(range(20, 26))
FEW = 20  # Images of each new class.
COLUMNS, SCALE = 16, 2  # of the grids
# The EMA of a short training must forget quickly.
FEW_IMAGES = {
    "augmentation": ("translation", "cutout"),
    "ema_momentum": 0.99,
    "ema_start_step": 0,
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", required=True, help="The .npz file.")
    parser.add_argument("--out", default="outputs/fine_tune", type=pathlib.Path)
    parser.add_argument("--base_steps", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--precision", default="float32")
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    letters = np.load(flags.data)
    judge = Judge(letters, flags.out.parent / "letters_classifier.keras", NEW)
    base = train_base(flags, letters)
    results = {}
    for seed in range(flags.seeds):
        images, labels = few_images(letters, seed)
        for name, make in {
            "from scratch": lambda seed=seed: recipe(flags, len(NEW), seed),
            "fine-tuned": lambda: base.with_classes(len(NEW), **FEW_IMAGES),
            "fine-tuned, 2 blocks frozen": lambda: base.with_classes(
                len(NEW), freeze_discriminator=2, **FEW_IMAGES
            ),
        }.items():
            keras.utils.set_random_seed(seed)
            model = make()
            fit(model, images, labels, seed, flags.steps)
            values = judge.model(model)
            results.setdefault(name, []).append(values)
            print(name, seed, json.dumps(values), flush=True)
            visualization.class_grid(
                model,
                class_names=list("UVWXYZ"),
                columns=COLUMNS,
                seed=0,
                scale=SCALE,
                path=grid_path(flags.out, name, seed),
            )
    results["held-out letters"] = [judge.held_out()]
    (flags.out / "results.json").write_text(json.dumps(results, indent=1))
    compare(flags.out, list(results)[:-1], flags.out / "fine_tune.png")
    print(table(results))


def recipe(flags, classes, seed):
    """Returns a new SAGAN of the preset `letters_32`, with other classes."""
    preset = keras_sagan.get_preset("letters_32")
    for network in ("generator", "discriminator"):
        preset[network]["num_classes"] = classes
    return keras_sagan.SAGAN.from_preset(
        preset,
        precision=flags.precision,
        seed=seed,
        **(FEW_IMAGES if classes == len(NEW) else {}),
    )


def train_base(flags, letters):
    """Returns a SAGAN that was trained on the known letters."""
    path = flags.out / "base.keras"
    if not path.exists():
        keras.utils.set_random_seed(0)
        model = recipe(flags, len(KNOWN), 0)
        known = np.isin(letters["labels"], KNOWN)
        fit(
            model,
            letters["images"][known],
            letters["labels"][known].astype("int32"),
            0,
            flags.base_steps,
        )
        model.save(path)
    return keras.saving.load_model(path)


def few_images(letters, seed):
    """Returns 20 training images of each new letter, and labels from 0 on."""
    rng = np.random.default_rng(seed)
    chosen = [
        rng.choice(np.flatnonzero(letters["labels"] == label), FEW, False)
        for label in NEW
    ]
    labels = np.repeat(np.arange(len(NEW), dtype="int32"), FEW)
    return letters["images"][np.concatenate(chosen)], labels


def fit(model, images, labels, seed, steps):
    batch = keras_sagan.get_preset("letters_32")["batch_size"]
    dataset = data.from_arrays(
        images, labels, batch, seed=seed, steps_per_epoch=steps
    )
    model.fit(dataset, verbose=2)


def grid_path(out, name, seed):
    """Returns the path of the grid of a run."""
    return out / f"{name.replace(',', '').replace(' ', '_')}_{seed}.png"


def compare(out, names, path, columns=8):
    """Draws the grids of the first seed side by side.

    Args:
        out: Folder with the grids.
        names: The names of the runs.
        path: The picture to write.
        columns: Number of images in each row.
    """
    figure, axes = plt.subplots(1, len(names), figsize=(10, 3.0), dpi=120)
    for axis, name in zip(axes, names):
        grid = plt.imread(grid_path(out, name, 0))
        cell = SCALE * 32 + 1  # Pixels, with the line between two images.
        axis.imshow(grid[:, : grid.shape[1] - (COLUMNS - columns) * cell])
        axis.set_title(name, fontsize=10)
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def table(results):
    """Returns means and standard errors over the seeds, as Markdown."""
    names = list(next(iter(results.values()))[0])
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for row, runs in results.items():
        cells = []
        for name in names:
            x = [run[name] for run in runs]
            cell = f"{np.mean(x):.3g}"
            if len(x) > 1:
                cell += f" ± {np.std(x, ddof=1) / len(x) ** 0.5:.2g}"
            cells.append(cell)
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
