"""Train a SAGAN on your images.

Example:
  keras-sagan train IMAGES --out=runs/mine

What to train is chosen from the images and printed. If the run is stopped, run
the same command again: it goes on. Ctrl-C ends the current step and saves a
checkpoint first.
"""

from keras_sagan.cli import options
from keras_sagan.cli.parsing import number
from keras_sagan.quiet import import_quietly


def add_arguments(parser):
    options.add_images(parser)
    options.add_out(
        parser, "Folder of the run. Default: runs/ and the name of IMAGES."
    )
    options.add_resolution(
        parser, "Default: chosen from the size of the images."
    )
    options.add_channels(parser)
    parser.add_argument(
        "--base_channels",
        metavar="N",
        type=number(int, 1),
        help="Width of the networks. Default: chosen.",
    )
    parser.add_argument(
        "--steps",
        metavar="N",
        type=number(int, 1),
        help="Number of training steps. Default: chosen.",
    )
    parser.add_argument(
        "--sample_every",
        metavar="N",
        type=number(int, 1),
        help="Steps between grids of generated images. Default: a grid at "
        "steps 100, 200, 400 and 800, and then at every thousandth step.",
    )
    options.add_seed(
        parser,
        "Seed of the weights, the latents and the order of the images. "
        "Default: 0.",
        default=None,
    )


def run(arguments):
    import_quietly()
    from keras_sagan import training

    training.train_on_images(
        arguments.images,
        arguments.out,
        resolution=arguments.resolution,
        base_channels=arguments.base_channels,
        steps=arguments.steps,
        seed=arguments.seed,
        sample_every=arguments.sample_every,
        channels=arguments.channels,
    )
