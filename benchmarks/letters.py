"""Trains a SAGAN on the letters of many typefaces, and measures the result.

    python benchmarks/letters.py --data=glyphs_32.npz
    python benchmarks/letters.py --data=glyphs_32.npz \
        --set=model.ema_momentum=0.99 --set=batch_size=32 --out=outputs/b32
    python benchmarks/letters.py --data=glyphs_32.npz --evaluate=letters_32

The data is an .npz file with `images` (N, 32, 32), `labels`, `held_out_images`
and `held_out_labels`: the letters A to Z, and letters of other typefaces,
which are not used for training. The recipe is the preset `letters_32`. `--set`
changes one of its entries, and can be given several times. Every `--every`
steps, the script prints how 5,200 generated letters compare with 5,200 training
letters, and writes a grid, a model and a line of log.jsonl to `--out`. It
continues from the last model that it finds there. With `--evaluate`, the script
does not train. It prints the metrics of a preset with weights or of a .keras
file. It always prints those of the held-out letters as well.
"""

import argparse
import json
import pathlib
import string
import time

import keras
import numpy as np

import keras_sagan
from keras_sagan import callbacks
from keras_sagan import data
from keras_sagan import metrics
from keras_sagan import visualization
from keras_sagan.cli.models import load_model

CLASSES = 26
SAMPLES = 200  # Of each class.


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", required=True, help="The .npz file.")
    parser.add_argument(
        "--out", default="outputs/letters_32", type=pathlib.Path
    )
    parser.add_argument("--set", action="append", default=[], metavar="K=V")
    parser.add_argument("--every", type=int, default=1000)
    parser.add_argument(
        "--finish",
        type=int,
        default=6000,
        help="Step, a multiple of --every, at which the learning rates are\n"
        "halved and the penalties are divided by five.",
    )
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluate", metavar="MODEL")
    flags = parser.parse_args()
    letters = np.load(flags.data)
    judge = Judge(letters, flags.out.parent / "letters_classifier.keras")
    show("held-out letters", judge.held_out())
    if flags.evaluate:
        model, _ = load_model(flags.evaluate)
        show(flags.evaluate, judge.model(model))
    else:
        train(flags, letters, judge)


def train(flags, letters, judge):
    """Trains the preset with the changes of the flags, and evaluates it."""
    flags.out.mkdir(parents=True, exist_ok=True)
    recipe = keras_sagan.get_preset("letters_32")
    for change in flags.set:
        change_entry(recipe, change)
    (flags.out / "recipe.json").write_text(json.dumps(recipe, indent=1))
    keras.utils.set_random_seed(flags.seed)
    checkpoint = callbacks.Checkpoint(
        flags.out / "checkpoints", flags.every, keep=1
    )
    model = checkpoint.load_latest() or keras_sagan.SAGAN.from_preset(
        recipe, precision=flags.precision, seed=flags.seed
    )
    start = time.perf_counter()
    while (done := model.count_steps()) < recipe["steps"]:
        if done == flags.finish:
            refine(model)
        dataset = data.from_arrays(
            letters["images"],
            letters["labels"].astype("int32"),
            recipe["batch_size"],
            seed=flags.seed,
            start_step=done,
            steps_per_epoch=min(flags.every, recipe["steps"] - done),
        )
        history = model.fit(
            dataset, callbacks=[checkpoint, callbacks.ProgressBar()], verbose=0
        ).history
        values = {
            "step": model.count_steps(),
            "minutes": (time.perf_counter() - start) / 60,
            **judge.model(model),
            **{
                name: history[name][-1]
                for name in history
                if name.endswith(("_loss", "_gamma", "largest_sigma"))
            },
        }
        with open(flags.out / "log.jsonl", "a") as file:
            file.write(json.dumps(values) + "\n")
        show(f"step {values['step']:,}", values)
        path = flags.out / f"grid_{values['step']:06d}.png"
        visualization.class_grid(
            model,
            range(CLASSES),
            columns=8,
            class_names=list(string.ascii_uppercase),
            in_columns=True,
            share_latents=True,
            path=path,
        )


def refine(model):
    """Halves the learning rates, and divides the penalties by five."""
    optimizers = model.generator_optimizer, model.discriminator_optimizer
    penalties = [
        type(penalty)(penalty.weight / 5, every=penalty.every)
        for penalty in model.penalties
    ]
    model.compile(*optimizers, loss=model.loss, gradient_penalty=penalties)
    for optimizer in optimizers:
        optimizer.learning_rate = float(optimizer.learning_rate) / 2


def change_entry(recipe, change):
    """Changes an entry of a preset, such as `model.ema_momentum=0.99`."""
    name, _, value = change.partition("=")
    *path, last = name.split(".")
    for key in path:
        recipe = recipe[key]
    recipe[last] = json.loads(value)


def show(name, values):
    numbers = ", ".join(f"{k} {v:.4g}" for k, v in values.items())
    print(f"{name}: {numbers}", flush=True)


class Judge:
    """Compares letters with training letters, in the features of a classifier.

    Args:
        letters: The arrays of the file.
        path: The classifier, a `.keras` file. If there is none, it is trained.
        classes: Integers, the letters to compare. Class i of a model is the
            letter `classes[i]`.
    """

    def __init__(self, letters, path, classes=range(CLASSES)):
        self.classes = np.array(classes)
        self.images = data.ArrayImages(letters["images"]).images
        if not path.exists():
            train_classifier(letters, path)
        self.classifier = keras.saving.load_model(path)
        rng = np.random.default_rng(0)
        chosen = [
            rng.choice(
                np.flatnonzero(letters["labels"] == label),
                SAMPLES,
                replace=False,
            )
            for label in self.classes
        ]
        self.reference, _ = self.look(self.images[np.concatenate(chosen)])
        held_out = np.isin(letters["held_out_labels"], self.classes)
        self._held_out = (
            data.ArrayImages(letters["held_out_images"][held_out]).images,
            letters["held_out_labels"][held_out],
        )

    def look(self, images):
        """Returns the features of images, and the classes they look like."""
        parts = [
            self.classifier.predict_on_batch(
                data.normalize(images[i : i + 500])
            )
            for i in range(0, len(images), 500)
        ]
        features, logits = (np.concatenate(part) for part in zip(*parts))
        return features, logits.argmax(-1)

    def model(self, model):
        """Returns the metrics of a model's EMA generator."""
        count = len(self.classes)
        labels = np.arange(count * SAMPLES, dtype="int32") % count
        images = model.generate(labels=labels, seed=1, batch_size=200)
        return self.metrics(images, self.classes[labels])

    def held_out(self):
        """Returns the metrics of the letters that were held out."""
        return self.metrics(*self._held_out)

    def metrics(self, images, labels):
        """Returns the metrics of images of the letters `labels`."""
        real = self.reference
        features, classes = self.look(images)
        precision, recall = metrics.precision_recall(real, features)
        density, coverage = metrics.density_coverage(real, features)
        some = np.linspace(0, len(images) - 1, 520).astype(int)
        _, to_nearest = metrics.nearest_neighbors(images[some], self.images, 1)
        return {
            "recognised": float(np.mean(classes == labels)),
            "distance": metrics.frechet_distance(real, features),
            "precision": precision,
            "recall": recall,
            "density": density,
            "coverage": coverage,
            "within_class": metrics.mean_class_distance(features, labels),
            "to_nearest": float(to_nearest.mean()),
        }


def train_classifier(letters, path):
    """Trains a model from images to `(features, logits)`, and saves it."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 32, 1))
    x = keras.layers.RandomTranslation(
        0.06, 0.06, fill_mode="constant", fill_value=-1.0
    )(inputs)
    for width in (32, 64, 128):
        for _ in range(2):
            x = keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
            x = keras.layers.BatchNormalization(momentum=0.9)(x)
            x = keras.layers.ReLU()(x)
        x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Dropout(0.3)(keras.layers.Flatten()(x))
    features = keras.layers.Dense(128, activation="relu")(x)
    logits = keras.layers.Dense(CLASSES)(keras.layers.Dropout(0.3)(features))
    images, held_out = (
        data.normalize(data.ArrayImages(letters[name]).images)
        for name in ("images", "held_out_images")
    )
    epochs, batch = 8, 128
    steps = epochs * -(-len(images) // batch)
    model = keras.Model(inputs, logits)
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(2e-3, steps)
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        images,
        letters["labels"],
        batch,
        epochs,
        verbose=2,
        validation_data=(held_out, letters["held_out_labels"]),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    keras.Model(inputs, [features, logits]).save(path)


if __name__ == "__main__":
    main()
