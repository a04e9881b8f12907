r"""The paper's ablations: attention (Table 1), and SN and TTUR (Figure 3).

    python examples/ablation.py                    # two CPU cores
    python examples/ablation.py --data=letters.npz --seeds=4 --steps=3000
    python examples/ablation.py --imagenet         # prints the commands

Each cell is trained from several seeds. While it trains, images of its EMA
generator are evaluated several times: the Frechet distance in the features of a
classifier that is trained on the same real images (not FID, and comparable only
within one data set), the share of images that the classifier assigns to their
class, and their precision, recall and coverage. They are compared with real
images that were held out. The gammas of the attention and the largest spectral
norm of a kernel are recorded, too. A cell that is done is not run again, so you
can stop and restart at any time. The script writes a grid per run to --workdir,
and what examples/ablation_report.py makes of the runs: a table of means and
standard errors, what a paired t-test over the seeds says about each claim of
the paper, and curves.

Hardware, time and results: see docs/ablation.md. KERAS_BACKEND chooses the
backend.
"""

import dataclasses
import itertools
import json
import pathlib
import time

import ablation_report
import keras
import numpy as np
from absl import app
from absl import flags

import keras_sagan
from keras_sagan import data
from keras_sagan import metrics
from keras_sagan import models
from keras_sagan import visualization
from keras_sagan.files import replacing

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "data",
    "photographs",
    "photographs, digits, or an .npz file with images, labels, and optionally "
    "held_out_images and held_out_labels.",
)
flags.DEFINE_integer("resolution", 32, "Side of the images.", 16)
flags.DEFINE_integer("width", 8, "Base channels.", 1)
flags.DEFINE_integer("batch", 32, "Images per step.", 1)
flags.DEFINE_integer("steps", 1500, "Training steps of each run.", 1)
flags.DEFINE_integer("points", 5, "Evaluations of each run.", 1)
flags.DEFINE_integer("seeds", 3, "Runs of each cell.", 1)
flags.DEFINE_integer("first_seed", 0, "Seed of the first run.", 0)
flags.DEFINE_list("cells", None, "Cells to run. Default: all.")
flags.DEFINE_integer("samples", 2600, "Images to generate and evaluate.", 100)
flags.DEFINE_integer(
    "classifier_steps", 1000, "Training steps of the classifier.", 1
)
flags.DEFINE_float(
    "learning_rate", 1e-4, "Learning rate of the generator under TTUR.", 0.0
)
flags.DEFINE_float("ema", 0.99, "Momentum of the EMA generator.", 0, 1)
flags.DEFINE_float("bn_momentum", 0.9, "Momentum of the batch norms.", 0, 1)
flags.DEFINE_string("loss", "hinge", "Name of the adversarial loss.")
flags.DEFINE_string("precision", "float32", "Or mixed_bfloat16.")
flags.DEFINE_string("workdir", "outputs/ablation", "Folder of the runs.")
flags.DEFINE_bool("imagenet", False, "Print the commands for ImageNet at 128.")

IMAGENET = (
    "python examples/ablation.py --data=IMAGENET_128.npz --resolution=128 "
    "--width=64 --batch=256 --steps=1000000 --samples=50000 --ema=0.9999 "
    "--seeds=1 --workdir=ablation_imagenet --cells={}"
)


@dataclasses.dataclass(frozen=True)
class Cell:
    """One setting of an ablation."""

    name: str
    attention_resolutions: tuple
    attention: object
    generator_sn: bool
    ttur: bool


@dataclasses.dataclass(frozen=True)
class Data:
    """Images and labels to train on, and others that were held out."""

    images: np.ndarray
    labels: np.ndarray
    held_out_images: np.ndarray
    held_out_labels: np.ndarray

    @property
    def num_classes(self):
        return int(self.labels.max()) + 1


def make_cell(name):
    """Returns a cell by its name, such as "attention at 8"."""
    kind, _, size = name.partition(" at ")
    residual = kind == "residual"
    return Cell(
        name,
        attention_resolutions=(int(size),) if size else (),
        attention=models.residual_control if residual else "released",
        generator_sn=name != "SN in D",
        ttur=name not in ("SN in D", "SN in both"),
    )


def main(_):
    if FLAGS.imagenet:
        for name in ablation_report.cell_names(128):
            print(IMAGENET.format(f'"{name}"'))
        return
    every = ablation_report.cell_names(FLAGS.resolution)
    chosen = FLAGS.cells or every
    if not set(chosen) <= set(every):
        raise app.UsageError(f"--cells must be among {every}, not {chosen}")
    workdir = pathlib.Path(FLAGS.workdir)
    check_settings(workdir)
    loaded = load()
    print(
        f"{len(loaded.images):,} images of {loaded.num_classes} classes, and "
        f"{len(loaded.held_out_images):,} held out"
    )
    classifier = make_classifier(loaded, workdir / "classifier.keras")
    seeds = range(FLAGS.first_seed, FLAGS.first_seed + FLAGS.seeds)
    for seed, name in itertools.product(seeds, chosen):
        path = workdir / f"{name.replace(' ', '_')}_{seed}.json"
        if path.exists():
            continue
        result = run(make_cell(name), seed, loaded, classifier, path)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(result) + "\n")
        print(
            f"{name}, seed {seed}: distance {result['distance'][-1]:.2f}, "
            f"{result['minutes']:.1f} min",
            flush=True,
        )
    ablation_report.write(workdir)


def check_settings(workdir):
    """Raises an error if the folder holds runs with other flags."""
    names = ("data", "resolution", "width", "batch", "steps", "points")
    names += ("samples", "classifier_steps", "learning_rate", "ema")
    names += ("bn_momentum", "loss", "precision")
    settings = {name: FLAGS[name].value for name in names}
    path = workdir / "settings.json"
    if path.exists() and json.loads(path.read_text()) != settings:
        raise app.UsageError(
            f"{workdir} holds runs with other flags, {path.read_text()}: "
            "choose another --workdir, or those flags"
        )
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(settings) + "\n")


def load():
    """Returns the `Data`; a fifth is held out if the file holds out nothing."""
    if FLAGS.data in ("digits", "photographs"):
        open_data = getattr(data, f"load_{FLAGS.data}")
        arrays = dict(zip(("images", "labels"), open_data(FLAGS.resolution)))
    else:
        arrays = dict(np.load(FLAGS.data))
    images = data.ArrayImages(arrays["images"]).images
    labels = arrays["labels"].astype("int32")
    if "held_out_images" in arrays:
        others = data.ArrayImages(arrays["held_out_images"]).images
        return Data(
            images, labels, others, arrays["held_out_labels"].astype("int32")
        )
    order = np.random.default_rng(0).permutation(len(images))
    n = len(images) // 5
    held_out, train = np.sort(order[:n]), np.sort(order[n:])
    return Data(
        images[train], labels[train], images[held_out], labels[held_out]
    )


def make_classifier(loaded, path):
    """Returns a model from images to `(features, probabilities)`."""
    if not path.exists():
        keras.utils.set_random_seed(0)
        inputs = keras.Input(loaded.images.shape[1:])
        x = inputs
        for width in (32, 64, 64):
            x = keras.layers.Conv2D(width, 3, padding="same")(x)
            x = keras.layers.BatchNormalization(momentum=0.9)(x)
            x = keras.layers.ReLU()(x)
            x = keras.layers.MaxPooling2D(2, strides=2)(x)
        x = keras.layers.Flatten()(x)
        features = keras.layers.Dense(64, activation="relu")(x)
        y = keras.layers.Dense(loaded.num_classes, activation="softmax")
        classifier = keras.Model(inputs, [features, y(features)])
        training = keras.Model(inputs, classifier.outputs[1])
        training.compile(
            "adam", "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        # The same number of steps for large and for small sets.
        images = data.normalize(loaded.images)
        dataset = data.from_arrays(
            images,
            loaded.labels,
            min(64, len(images)),
            steps_per_epoch=FLAGS.classifier_steps,
        )
        training.fit(dataset, verbose=0)
        _, probabilities = judge(classifier, loaded.held_out_images)
        right = probabilities == loaded.held_out_labels
        print(
            f"The classifier recognises {right.mean():.1%} of held-out images"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        classifier.save(path)
    return keras.saving.load_model(path)


def judge(classifier, images):
    """Returns features and classes of uint8 images, computed in batches."""
    results = [
        classifier.predict_on_batch(data.normalize(images[i : i + 500]))
        for i in range(0, len(images), 500)
    ]
    features, probabilities = (np.concatenate(x) for x in zip(*results))
    return features, probabilities.argmax(-1)


def run(cell, seed, loaded, classifier, path):
    """Trains one cell from one seed, and evaluates it several times."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = make_model(cell, seed, loaded)
    every = -(-FLAGS.steps // FLAGS.points)
    dataset = data.from_arrays(
        loaded.images,
        loaded.labels,
        FLAGS.batch,
        seed=seed,
        steps_per_epoch=every,
    )
    real, _ = judge(classifier, loaded.held_out_images[: FLAGS.samples])
    labels = np.arange(FLAGS.samples, dtype="int32") % loaded.num_classes
    result = {"cell": cell.name, "seed": seed, "steps": [], "gammas": {}}
    result |= {name: [] for name in (*ablation_report.FIGURES, "largest_sigma")}
    begin = time.perf_counter()
    while model.count_steps() < FLAGS.steps:
        logs = model.fit(dataset, verbose=0).history
        fakes = model.generate(labels=labels, seed=seed, batch_size=500)
        features, classes = judge(classifier, fakes)
        precision, recall = metrics.precision_recall(real, features)
        result["steps"].append(model.count_steps())
        for name, value in {
            "distance": metrics.frechet_distance(real, features),
            "recognised": np.mean(classes == labels),
            "precision": precision,
            "recall": recall,
            "coverage": metrics.coverage(real, features),
            "largest_sigma": model.largest_sigma(),
        }.items():
            result[name].append(float(value))
        for name, values in logs.items():
            if name.endswith("_gamma"):
                gammas = result["gammas"].setdefault(name.split("_")[0], [])
                gammas.append(float(values[-1]))
    columns = loaded.num_classes
    visualization.image_grid(
        fakes[: 8 * columns], columns, path=path.with_suffix(".png")
    )
    return {**result, "minutes": (time.perf_counter() - begin) / 60}


def make_model(cell, seed, loaded):
    common = {
        "resolution": FLAGS.resolution,
        "num_classes": loaded.num_classes,
        "base_channels": FLAGS.width,
        "attention_resolutions": cell.attention_resolutions,
        "attention": cell.attention,
        "channels": loaded.images.shape[-1],
    }
    # With TTUR, 1 to 4. Without it, the geometric mean for both.
    rate = FLAGS.learning_rate
    rates = (rate, 4 * rate) if cell.ttur else (2 * rate, 2 * rate)
    adams = [
        {"learning_rate": x, "beta_1": 0.0, "beta_2": 0.999, "epsilon": 1e-8}
        for x in rates
    ]
    recipe = {
        "generator": {
            "spectral_normalization": cell.generator_sn,
            "batch_norm_momentum": FLAGS.bn_momentum,
            **common,
        },
        "discriminator": common,
        "model": {
            "ema_momentum": FLAGS.ema,
            "ema_start_step": min(2000, FLAGS.steps // 10),
        },
        "generator_optimizer": adams[0],
        "discriminator_optimizer": adams[1],
        "loss": FLAGS.loss,
    }
    return keras_sagan.SAGAN.from_preset(
        recipe, precision=FLAGS.precision, seed=seed
    )


if __name__ == "__main__":
    app.run(main)
