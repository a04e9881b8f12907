r"""The paper's ablations: attention (Table 1), and SN and TTUR (Figure 3).

    python examples/ablation.py                    # two CPU cores
    python examples/ablation.py --data=digits --resolution=16
    python examples/ablation.py --imagenet         # prints the commands

Each cell is trained from several seeds and judged by the EMA generator:
the Frechet distance in the features of a classifier that is trained on the
same real images (not FID, and comparable only within one run), the share of
its images that the classifier takes for their class, and their coverage of
the real ones. A cell that is done is not run again: stop and start as you
like. Writes a table, a plot, and a grid per cell to --workdir.

Hardware, time and what came out: docs/ablation.md. KERAS_BACKEND chooses the
backend.
"""

import dataclasses
import json
import pathlib
import time

import keras
import numpy as np
from absl import app
from absl import flags

import keras_sagan
from keras_sagan import callbacks
from keras_sagan import data
from keras_sagan import metrics
from keras_sagan import models
from keras_sagan import visualization
from keras_sagan.files import replacing

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "data",
    "photographs",
    "photographs, digits, or a folder with images.npy (uint8, N x H x W x 3) "
    "and labels.npy.",
)
flags.DEFINE_integer("resolution", 32, "Side of the images.", 16)
flags.DEFINE_integer("width", 8, "Base channels.", 1)
flags.DEFINE_integer("batch", 32, "Images per step.", 1)
flags.DEFINE_integer("steps", 1500, "Training steps of each run.", 1)
flags.DEFINE_integer("seeds", 3, "Runs of each cell.", 1)
flags.DEFINE_list("cells", None, "Only these. Default: all.")
flags.DEFINE_integer("samples", 4500, "Images that each run is judged by.", 100)
flags.DEFINE_float(
    "learning_rate", 1e-4, "Learning rate of the generator under TTUR.", 0.0
)
flags.DEFINE_float("ema", 0.99, "Momentum of the EMA generator.", 0, 1)
flags.DEFINE_float("bn_momentum", 0.9, "Momentum of the batch norms.", 0, 1)
flags.DEFINE_string("workdir", "outputs/ablation", "Folder; resumed from.")
flags.DEFINE_bool("imagenet", False, "Print the commands for ImageNet at 128.")

IMAGENET = (
    "python examples/ablation.py --data=IMAGENET_128 --resolution=128 "
    "--width=64 --batch=256 --steps=1000000 --samples=50000 --ema=0.9999 "
    "--seeds=1 --workdir=ablation_imagenet --cells={}"
)


@dataclasses.dataclass(frozen=True)
class Cell:
    """One setting of an ablation. The defaults are SAGAN's baseline."""

    name: str
    attention_resolutions: tuple = ()
    attention: object = "released"
    generator_sn: bool = True
    ttur: bool = True


def cells(resolution):
    """Figure 3's three cells, then Table 1's."""
    # Both networks attend at the same map: the generator's first is of 8.
    maps = [size for size in (8, 16, 32, 64) if size < resolution]
    return [
        Cell("SN in D", generator_sn=False, ttur=False),
        Cell("SN in both", ttur=False),
        Cell("SN in both + TTUR"),
        *(Cell(f"attention at {size}", (size,)) for size in maps),
        *(
            Cell(f"residual at {size}", (size,), models.residual_control)
            for size in maps
        ),
    ]


def main(_):
    chosen = [
        cell
        for cell in cells(FLAGS.resolution)
        if not FLAGS.cells or cell.name in FLAGS.cells
    ]
    if FLAGS.imagenet:
        for cell in cells(128):
            print(IMAGENET.format(f'"{cell.name}"'))
        return
    if not chosen:
        raise app.UsageError(
            f"--cells must be among "
            f"{[cell.name for cell in cells(FLAGS.resolution)]}"
        )
    workdir = pathlib.Path(FLAGS.workdir)
    check_settings(workdir)
    images, labels = load()
    print(f"{len(images):,} images of {labels.max() + 1} classes")
    classifier = make_classifier(images, labels, workdir / "classifier.keras")
    results = {cell.name: [] for cell in chosen}
    for seed in range(FLAGS.seeds):
        for cell in chosen:
            path = workdir / f"{cell.name.replace(' ', '_')}_{seed}.json"
            if not path.exists():
                result = run(cell, seed, images, labels, classifier, path)
                with replacing(path) as temporary:
                    temporary.write_text(json.dumps(result))
                print(
                    f"{cell.name}, seed {seed}: distance "
                    f"{result['distance']:.2f}, {result['minutes']:.1f} min",
                    flush=True,
                )
            results[cell.name].append(json.loads(path.read_text()))
    lines = table(results)
    with replacing(workdir / "table.md") as temporary:
        temporary.write_text(lines)
    print(lines)
    plot(results, workdir / "ablation.png")
    print(f"Look at {workdir}/ablation.png, table.md and the grids")


def check_settings(workdir):
    """A folder holds the runs of one setting."""
    names = ("data", "resolution", "width", "batch", "steps", "samples")
    names += ("learning_rate", "ema", "bn_momentum")
    settings = {name: FLAGS[name].value for name in names}
    path = workdir / "settings.json"
    if path.exists() and json.loads(path.read_text()) != settings:
        raise app.UsageError(
            f"{workdir} holds runs with other flags, {path.read_text()}: "
            "choose another --workdir, or those flags"
        )
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(settings))


def load():
    if FLAGS.data == "digits":
        return data.load_digits(FLAGS.resolution)
    if FLAGS.data == "photographs":
        return data.load_photographs(FLAGS.resolution)
    folder = pathlib.Path(FLAGS.data)
    images, labels = (
        np.load(folder / f"{name}.npy", mmap_mode="r")
        for name in ("images", "labels")
    )
    return images, np.asarray(labels).astype("int32")


def make_classifier(images, labels, path):
    """Returns a model from images to `(features, probabilities)`."""
    if not path.exists():
        keras.utils.set_random_seed(0)
        inputs = keras.Input(images.shape[1:])
        x = inputs
        for width in (32, 64, 64):
            x = keras.layers.Conv2D(width, 3, padding="same")(x)
            x = keras.layers.ReLU()(x)
            x = keras.layers.MaxPooling2D(2, strides=2)(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        features = keras.layers.Dense(64, activation="relu")(x)
        classes = int(labels.max()) + 1
        y = keras.layers.Dense(classes, activation="softmax")(features)
        classifier = keras.Model(inputs, [features, y])
        training = keras.Model(inputs, y)
        training.compile(
            "adam", "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        order = np.random.default_rng(0).permutation(len(images))
        n = len(images) // 5
        held_out, train = np.sort(order[:n]), np.sort(order[n:])
        training.fit(
            data.from_arrays(data.normalize(images[train]), labels[train]),
            epochs=15,
            verbose=0,
        )
        accuracy = training.evaluate(
            data.from_arrays(
                data.normalize(images[held_out]), labels[held_out]
            ),
            verbose=0,
        )[1]
        print(f"The classifier recognises {accuracy:.1%} of held-out images")
        path.parent.mkdir(parents=True, exist_ok=True)
        classifier.save(path)
    return keras.saving.load_model(path)


def judge(classifier, images):
    """Features and classes of uint8 images, in batches."""
    results = [
        classifier.predict_on_batch(data.normalize(images[i : i + 500]))
        for i in range(0, len(images), 500)
    ]
    features, probabilities = (np.concatenate(x) for x in zip(*results))
    return features, probabilities.argmax(-1)


def run(cell, seed, images, labels, classifier, path):
    """Trains one cell from one seed and judges it."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    common = {
        "resolution": FLAGS.resolution,
        "num_classes": int(labels.max()) + 1,
        "base_channels": FLAGS.width,
        "attention_resolutions": cell.attention_resolutions,
        "attention": cell.attention,
    }
    model = keras_sagan.SAGAN(
        models.build_generator(
            spectral_normalization=cell.generator_sn,
            batch_norm_momentum=FLAGS.bn_momentum,
            **common,
        ),
        models.build_discriminator(**common),
        ema_momentum=FLAGS.ema,
        ema_start_step=min(2000, FLAGS.steps // 10),
        seed=seed,
    )
    # TTUR: 1 to 4. Without it, their geometric mean for both.
    rate = FLAGS.learning_rate
    rates = (rate, 4 * rate) if cell.ttur else (2 * rate, 2 * rate)
    model.compile(
        *(keras.optimizers.Adam(r, 0.0, 0.999, epsilon=1e-8) for r in rates)
    )
    dataset = data.from_arrays(images, labels, FLAGS.batch, seed)
    epochs = -(-FLAGS.steps // len(dataset))
    begin = time.perf_counter()
    model.fit(
        dataset,
        epochs=epochs,
        verbose=0,
        callbacks=[callbacks.ProgressBar()],
    )
    minutes = (time.perf_counter() - begin) / 60
    fake_labels = np.arange(FLAGS.samples, dtype="int32") % (labels.max() + 1)
    fakes = model.generate(labels=fake_labels, seed=seed, batch_size=500)
    columns = int(labels.max()) + 1
    visualization.image_grid(
        fakes[: 8 * columns], columns, path=path.with_suffix(".png")
    )
    real = np.random.default_rng(0).permutation(len(images))[: FLAGS.samples]
    real_features, _ = judge(classifier, images[np.sort(real)])
    features, classes = judge(classifier, fakes)
    return {
        "cell": cell.name,
        "seed": seed,
        "distance": metrics.frechet_distance(real_features, features),
        "recognised": float(np.mean(classes == fake_labels)),
        "coverage": metrics.coverage(real_features, features),
        "steps": epochs * len(dataset),
        "minutes": minutes,
    }


def table(results):
    """The results as Markdown: means, and standard deviations over seeds."""
    lines = [
        "| cell | seeds | Frechet distance | recognised | coverage |",
        "|---|---|---|---|---|",
    ]
    for name, runs in results.items():
        columns = [
            f"{np.mean(x):.{digits}f} ± {np.std(x, ddof=len(x) > 1):.{digits}f}"
            for key, digits in (
                ("distance", 2),
                ("recognised", 3),
                ("coverage", 3),
            )
            for x in [[run[key] for run in runs]]
        ]
        lines.append(f"| {name} | {len(runs)} | {' | '.join(columns)} |")
    return "\n".join(lines) + "\n"


def plot(results, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.5 * len(results) + 1.2))
    axes = figure.add_subplot()
    for i, runs in enumerate(results.values()):
        distances = [run["distance"] for run in runs]
        axes.barh(i, np.mean(distances), color="tab:blue", alpha=0.5)
        axes.plot(distances, [i] * len(distances), "k.")
    axes.set_yticks(range(len(results)), list(results))
    axes.invert_yaxis()
    axes.set_xlabel(
        "Frechet distance in the classifier's features; a dot a run"
    )
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


if __name__ == "__main__":
    app.run(main)
