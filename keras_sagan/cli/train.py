"""Trains a SAGAN on your images.

keras-sagan train IMAGES --out=runs/mine

IMAGES: a folder with a folder of images for each class, or with images alone;
an .npz file; photographs or digits, the bundled ones; tfds:NAME. What is
trained is chosen from them and printed. Run again, it goes on where it was
stopped.
"""

import pathlib

from absl import flags

from keras_sagan.cli.parsing import parse
from keras_sagan.cli.prepare import print_summary

_EVERY = 50


def main(arguments):
    values = flags.FlagValues()
    flags.DEFINE_string("out", None, "Folder of the run.", flag_values=values)
    flags.DEFINE_integer(
        "resolution",
        None,
        "Side of the images: 16, 32, 64, 128 or 256. Default: chosen.",
        16,
        256,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "base_channels",
        None,
        "Width of the networks. Default: chosen.",
        1,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "steps", None, "Training steps. Default: chosen.", 1, flag_values=values
    )
    flags.DEFINE_integer(
        "seed", 0, "Of weights, latents and order.", 0, flag_values=values
    )
    (name,) = parse(values, __doc__, arguments, ["IMAGES"])
    import keras

    import keras_sagan
    from keras_sagan import data

    out = pathlib.Path(values.out or f"runs/{pathlib.Path(name).name}")
    images = data.open_source(name, values.resolution or 64)
    recipe = keras_sagan.choose_recipe(images)
    for network in (recipe["generator"], recipe["discriminator"]):
        for key in ("resolution", "base_channels"):
            network[key] = values[key].value or network[key]
    source = images
    if isinstance(images, (data.ImageFolder, data.TfdsImages)):
        images.resolution = recipe["generator"]["resolution"]
        source = data.prepare(images, out / f"images_{images.resolution}")
        print_summary(source)
    print(f"Chosen: {recipe['description']}; batches of {recipe['batch_size']}")

    def make_model():
        keras.utils.set_random_seed(values.seed)
        return keras_sagan.SAGAN.from_preset(recipe, seed=values.seed)

    keras_sagan.train(
        out,
        make_model,
        lambda step: data.from_source(
            source,
            recipe["batch_size"],
            seed=values.seed,
            start_step=step,
            steps_per_epoch=_EVERY,
        ),
        steps=values.steps or recipe["steps"],
        settings={**recipe, "steps": None, "seed": values.seed},
        class_names=source.class_names,
        log_every=_EVERY,
        sample_every=5 * _EVERY,
        checkpoint_every=5 * _EVERY,
    )
