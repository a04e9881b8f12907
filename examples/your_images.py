"""Trains a SAGAN on a folder of your images.

    python examples/your_images.py FOLDER

FOLDER holds a folder of images for each class, or only images. The script
chooses what to train from them and prints its choice; --resolution,
--base_channels and --steps override it. If the run is stopped, start it again:
it continues. The command `keras-sagan train FOLDER` does the same.

Hardware: two CPU cores train 10,000 steps at 64 pixels within hours; a GPU
trains larger networks for longer. The progress bar says how much time is left.
"""

from absl import app
from absl import flags

import keras_sagan

FLAGS = flags.FLAGS
flags.DEFINE_string("workdir", None, "Folder of the run. Default: runs/NAME.")
flags.DEFINE_integer("resolution", None, "Side of the images, 32, 64, ...", 16)
flags.DEFINE_integer("base_channels", None, "Width of the networks.", 1)
flags.DEFINE_integer("steps", None, "Number of training steps.", 1)
flags.DEFINE_integer(
    "seed", None, "Seed of weights, latents and the order of images.", 0
)


def main(arguments):
    if len(arguments) != 2:
        raise app.UsageError("Give the folder of your images.")
    keras_sagan.train_on_images(
        arguments[1],
        FLAGS.workdir,
        FLAGS.resolution,
        FLAGS.base_channels,
        FLAGS.steps,
        FLAGS.seed,
    )


if __name__ == "__main__":
    app.run(main)
