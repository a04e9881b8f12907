"""Decode and resize images once, so that training only has to read them.

Examples:
  keras-sagan prepare IMAGES --out=FOLDER
  keras-sagan train FOLDER

If this is interrupted, run it again to continue. Images that cannot be used
are listed with the reason in FOLDER/prepared.json.
"""

from keras_sagan import sizes
from keras_sagan.cli import options
from keras_sagan.cli.parsing import folder
from keras_sagan.cli.parsing import resolution
from keras_sagan.files import print_left_out


def add_arguments(parser):
    options.add_images(parser)
    options.add_out(parser, "Folder to write.", required=True, type=folder)
    parser.add_argument(
        "--resolution",
        metavar="N",
        type=resolution,
        help="Side in pixels, or HEIGHTxWIDTH, to which the centre of each "
        "image is cropped and resized. Default: the choice of `keras-sagan "
        "train` on a GPU, which is the size of the images if networks can have "
        "it, and at most 128 for images of several sizes.",
    )
    options.add_channels(parser)
    parser.add_argument(
        "--split",
        default="train",
        help="Split of the set, for tfds:NAME. Default: %(default)s.",
    )


def run(arguments):
    from keras_sagan import data
    from keras_sagan import training

    source = data.open_images(arguments.images, arguments.split)
    size, channels = arguments.resolution, arguments.channels
    if size is None:
        size = training.choose_resolution(source, accelerated=True)
        print(
            f"Chosen: {sizes.text(size)}, channels: "
            f"{channels or source.channels}; --resolution and --channels "
            "change this"
        )
    prepared = data.prepare(source, arguments.out, size, channels=channels)
    print_summary(prepared)
    print(f"Wrote {arguments.out}. Next: keras-sagan train {arguments.out}")


def print_summary(prepared):
    """Prints how many images there are, and what was left out and why."""
    names = prepared.class_names
    print(
        f"{len(prepared):,} images of {len(names) if names else 'no'} classes "
        f"at {sizes.text(prepared.native_resolution)}"
    )
    print_left_out(prepared.skipped, prepared.path / "prepared.json")
