"""Trains a SAGAN on real handwritten digits, and measures what it learned.

    python examples/digits.py
    python examples/digits.py --loss=relativistic --r1=0.1 --r2=0.1
    python examples/digits.py --weights     # evaluates those of the package

Hardware: two CPU cores. The README says how many minutes it takes there, and
on other machines the progress bar says how long is left. Data: scikit-learn's
digits, which are bundled; 1,347 of them are for training, and 450 are held
out. The script writes sample grids while it trains. At the end it writes the
model, a grid of all classes, what the attention looks at, samples beside the
digits nearest to them, the training curves, a video of the training, and
samples from the saved model in a new process. KERAS_BACKEND chooses the
backend.
"""

import pathlib
import subprocess
import sys
import time

import keras
import numpy as np
from absl import app
from absl import flags

import keras_sagan
from keras_sagan import callbacks
from keras_sagan import data
from keras_sagan import losses
from keras_sagan import metrics
from keras_sagan import visualization

PRESET = keras_sagan.get_preset("digits")
FLAGS = flags.FLAGS
flags.DEFINE_integer("steps", PRESET["steps"], "Training steps.", lower_bound=1)
flags.DEFINE_string("out", "outputs/digits", "Folder for the output.")
flags.DEFINE_integer("seed", 0, "Seed of the weights, latents and order.")
flags.DEFINE_string("loss", "hinge", "Name of the adversarial loss.")
flags.DEFINE_float("r1", 0.0, "Weight of the R1 penalty.", lower_bound=0)
flags.DEFINE_float("r2", 0.0, "Weight of the R2 penalty.", lower_bound=0)
flags.DEFINE_enum(
    "precision",
    "float32",
    ["float32", "mixed_bfloat16", "mixed_float16"],
    "What the networks compute in.",
)
flags.DEFINE_bool(
    "weights", False, "Evaluate the weights that come with the package."
)


def main(_):
    out = pathlib.Path(FLAGS.out)
    keras.utils.set_random_seed(FLAGS.seed)
    images, labels = data.load_digits(resolution=16)
    order = np.random.default_rng(0).permutation(len(images))
    train, held_out = order[:1347], order[1347:]

    model = keras_sagan.SAGAN.from_preset(
        "digits",
        seed=FLAGS.seed,
        weights=FLAGS.weights,
        precision=FLAGS.precision,
    )
    sets = {f"{len(held_out)} held-out": (images[held_out], labels[held_out])}
    if FLAGS.weights:
        report(images[train], labels[train], {**generated(model), **sets})
        return
    model.compile(
        model.generator_optimizer,
        model.discriminator_optimizer,
        loss=FLAGS.loss,
        gradient_penalty=penalties(),
    )
    dataset = data.from_arrays(
        images[train],
        labels[train],
        batch_size=PRESET["batch_size"],
        seed=FLAGS.seed,
        steps_per_epoch=min(105, FLAGS.steps),  # Five passes.
    )
    epochs = -(-FLAGS.steps // len(dataset))
    print(
        f"Training for {epochs * len(dataset):,} steps on "
        f"{keras.backend.backend()}; watch {out}/samples"
    )
    start = time.perf_counter()
    history = model.fit(
        dataset,
        epochs=epochs,
        verbose=0,
        callbacks=[
            callbacks.ProgressBar(),
            callbacks.SampleGrid(out / "samples", scale=3),
        ],
    )
    minutes = (time.perf_counter() - start) / 60

    model.save(out / "digits.keras")
    fakes = generated(model)
    ((drawn, _),) = fakes.values()
    draw(model, history, len(dataset), drawn, images[train], out)
    report(images[train], labels[train], {**fakes, **sets})
    last = {name: values[-1] for name, values in history.history.items()}
    print(
        f"\n{minutes:.1f} minutes, {last['images_per_second']:.0f} images/s; "
        "gamma of the attention layer: "
        f"{last['generator_attention_8_gamma']:+.4f} in the generator, "
        f"{last['discriminator_attention_8_gamma']:+.4f} in the discriminator"
    )
    # The saved file is all that a new process needs.
    program = pathlib.Path(sys.executable).with_name("keras-sagan")
    saved = out / "digits.keras"
    subprocess.run(
        [program, "sample", saved, "--seed=1", f"--out={out}/reloaded.png"],
        check=True,
    )
    print(
        f"Look at grid.png, attention.png, nearest.png, curves.png, "
        f"training.webp and reloaded.png in {out}. What to try next:\n"
        f"  {program} walk {saved} --classes=3,8 --seed=0\n"
        f"  {program} attention {saved} --classes=0,7\n"
        f"  {program} train photographs --steps=1000"
    )


def generated(model):
    """Returns a hundred images of each digit, for `report`."""
    labels = np.repeat(np.arange(10), 100)
    images = model.generate(labels=labels, seed=FLAGS.seed, batch_size=500)
    return {f"{len(images):,} generated": (images, labels)}


def penalties():
    """Returns the gradient penalties that the flags ask for."""
    return [
        kind(weight)
        for kind, weight in ((losses.R1, FLAGS.r1), (losses.R2, FLAGS.r2))
        if weight
    ]


def draw(model, history, steps_per_epoch, fakes, images, out):
    """Draws the results; see the top of this file."""
    by_class = fakes.reshape(10, 100, 16, 16, 3)[:, :20]
    visualization.image_grid(
        by_class.reshape(-1, 16, 16, 3),
        columns=20,
        scale=3,
        path=out / "grid.png",
        row_names=map(str, range(10)),
    )
    maps = visualization.attention_maps(
        model, labels=range(10), seed=FLAGS.seed, queries=4
    )
    visualization.attention_sheet(maps, path=out / "attention.png")
    visualization.nearest_neighbors(
        by_class[:, 0], images, 9, scale=3, path=out / "nearest.png"
    )
    visualization.training_curves(history, out / "curves.png", steps_per_epoch)
    visualization.training_video(out / "samples", out / "training.webp", 2)


def report(images, labels, sets):
    """Prints how realistic and how varied sets of digits are.

    `images` are the training digits. Recognised: the share of a set that a
    classifier, trained only on the training digits, assigns to the right class.
    Distance: the Frechet distance to the training digits in its 64 features (so
    this is not FID). Diversity: the mean distance of two digits of a class,
    divided by that of the training digits. Coverage: the share of training
    digits that have a digit of the set within the distance of their third
    neighbour. To nearest: the mean distance to the nearest training digit,
    which would be 0 for memorized digits.
    """
    classifier = make_classifier(images, labels)
    real_distance = metrics.mean_class_distance(pixels(images), labels)
    columns = ("recognised", "distance", "diversity", "coverage", "to nearest")
    print(f"\n{'digits':18}" + "".join(f"{name:>12}" for name in columns))
    for name, (x, y) in sets.items():
        recognised = np.mean(classifier(x)[1].argmax(axis=1) == y)
        distance = metrics.evaluate(
            x, images, "fid", feature_extractor=classifier
        )["fid"]
        diversity = metrics.mean_class_distance(pixels(x), y) / real_distance
        coverage = metrics.coverage(pixels(images), pixels(x), nearest_k=3)
        _, nearest = metrics.nearest_neighbors(x, images, count=1)
        print(
            f"{name:18}{recognised:12.1%}{distance:12.2f}{diversity:12.2f}"
            f"{coverage:12.2f}{nearest.mean():12.2f}"
        )


def make_classifier(images, labels):
    """Returns a function from images to 64 features and 10 logits."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(images.shape[1:])
    x = inputs
    for width in (16, 32):
        x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Flatten()(x)
    features = keras.layers.Dense(64, activation="relu")(x)
    logits = keras.layers.Dense(10)(features)
    training = keras.Model(inputs, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    training.compile(keras.optimizers.Adam(2e-3), loss)
    dataset = data.from_arrays(data.normalize(images), labels)
    training.fit(dataset, epochs=15, verbose=0)
    network = keras.Model(inputs, [features, logits])

    def judge(images):
        return network.predict_on_batch(data.normalize(images))

    return judge


def pixels(images):
    """Returns gray pixels in [0, 1], `(N, 256)`."""
    return images.mean(axis=-1).reshape(len(images), -1) / 255


if __name__ == "__main__":
    app.run(main)
