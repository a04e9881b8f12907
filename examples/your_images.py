"""Trains a SAGAN on a folder of your images.

    python examples/your_images.py FOLDER

FOLDER has a folder of images for each class, or images alone. What is trained
is chosen from them and printed; --steps, --resolution and --base_channels
overrule it. Run again, it goes on where it was stopped. The same, without
this file: `keras-sagan train FOLDER`.

Hardware: two CPU cores do 10,000 steps at 64 pixels within hours, a GPU more
and larger. The bar says what is left; watch the samples.
"""

import pathlib

import keras
from absl import app
from absl import flags

import keras_sagan
from keras_sagan import data

FLAGS = flags.FLAGS
flags.DEFINE_string("workdir", None, "Folder of the run; runs/NAME if none.")
flags.DEFINE_integer("resolution", None, "Side of the images, 32, 64, ...", 16)
flags.DEFINE_integer("base_channels", None, "Width of the networks.", 1)
flags.DEFINE_integer("steps", None, "Training steps.", 1)
flags.DEFINE_integer("seed", 0, "Of weights, latents and order.", 0)


def main(arguments):
    if len(arguments) != 2:
        raise app.UsageError("give the folder of your images")
    folder = pathlib.Path(arguments[1]).resolve()
    workdir = pathlib.Path(FLAGS.workdir or f"runs/{folder.name}")

    # 1. What is there, and what to do with it.
    images = data.ImageFolder(folder)
    recipe = keras_sagan.choose_recipe(
        images, resolution=FLAGS.resolution, base_channels=FLAGS.base_channels
    )
    resolution = recipe["generator"]["resolution"]
    print(f"Chosen: {recipe['description']}; batches of {recipe['batch_size']}")

    # 2. Decoded and resized once.
    source = data.prepare(images, workdir / f"images_{resolution}", resolution)
    if source.skipped:
        print(f"Left out, {len(source.skipped)} files:")
        for name, reason in source.skipped:
            print(f"  {name}: {reason}")

    # 3. Trained, in a folder that holds the whole run.
    def make_model():
        keras.utils.set_random_seed(FLAGS.seed)
        return keras_sagan.SAGAN.from_preset(recipe, seed=FLAGS.seed)

    def make_dataset(start_step):
        return data.from_source(
            source,
            recipe["batch_size"],
            seed=FLAGS.seed,
            start_step=start_step,
            steps_per_epoch=50,
        )

    keras_sagan.train(
        workdir,
        make_model,
        make_dataset,
        steps=FLAGS.steps or recipe["steps"],
        settings={**recipe, "steps": None, "seed": FLAGS.seed},
        class_names=source.class_names,
        log_every=50,
        sample_every=250,
        checkpoint_every=250,
    )


if __name__ == "__main__":
    app.run(main)
