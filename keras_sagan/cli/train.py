"""Trains a SAGAN on your images.

keras-sagan train IMAGES --out=runs/mine

IMAGES: a folder with a folder of images for each class, or with images alone;
an .npz file; photographs or digits, the bundled ones; tfds:NAME. What is
trained is chosen from them and printed. Run again, it goes on where it was
stopped.
"""

from absl import flags

from keras_sagan.cli.parsing import parse


def main(arguments):
    values = flags.FlagValues()
    flags.DEFINE_string("out", None, "Folder of the run.", flag_values=values)
    flags.DEFINE_enum(
        "resolution",
        None,
        ["16", "32", "64", "128", "256"],
        "Side of the images. Default: chosen.",
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
        "seed",
        None,
        "Of weights, latents and order. Default: 0.",
        0,
        flag_values=values,
    )
    (name,) = parse(values, __doc__, arguments, ["IMAGES"])
    from keras_sagan import training

    training.train_on_images(
        name,
        values.out,
        values.resolution and int(values.resolution),
        values.base_channels,
        values.steps,
        values.seed,
    )
