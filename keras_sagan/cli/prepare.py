"""Decode and resize images once, so that training only has to read them.

Examples:
  keras-sagan prepare IMAGES --out=FOLDER
  keras-sagan train FOLDER

If this is interrupted, run it again: it goes on. Images that cannot be used
are listed with the reason in FOLDER/prepared.json.
"""

from keras_sagan.cli import options
from keras_sagan.cli.parsing import number
from keras_sagan.files import print_left_out


def add_arguments(parser):
    options.add_images(parser)
    options.add_out(parser, "Folder to write.", required=True)
    parser.add_argument(
        "--resolution",
        metavar="N",
        type=number(int, 8, 1024),
        help="Side in pixels to which the central square of each image is "
        "resized. Default: as `keras-sagan train` chooses on a GPU, which is "
        "the size of the images if networks can have it, and at most 128 for "
        "images of several sizes.",
    )
    parser.add_argument(
        "--split",
        default="train",
        help="Split of the set, for tfds:NAME. Default: %(default)s.",
    )


def run(arguments):
    from keras_sagan import data
    from keras_sagan import training

    source = data.open_images(arguments.images, arguments.split)
    resolution = arguments.resolution
    if resolution is None:
        resolution = training.choose_resolution(source, accelerated=True)
        print(f"Chosen: {resolution} pixels; --resolution=N gives another size")
    prepared = data.prepare(source, arguments.out, resolution)
    print_summary(prepared)
    print(f"Wrote {arguments.out}. Next: keras-sagan train {arguments.out}")


def print_summary(prepared):
    """Prints how many images there are, and what was left out and why."""
    names = prepared.class_names
    print(
        f"{len(prepared):,} images of {len(names) if names else 'no'} classes "
        f"at {prepared.native_resolution} pixels"
    )
    print_left_out(prepared.skipped, prepared.path / "prepared.json")
