"""Arguments that several verbs share."""

import argparse
import pathlib

from keras_sagan import sizes
from keras_sagan.cli.parsing import comma_separated
from keras_sagan.cli.parsing import number
from keras_sagan.cli.parsing import path_ending_in
from keras_sagan.cli.parsing import size_of_networks

MAX_SEED = 2**31 - 1
MODEL_HELP = (
    "A .keras file, the folder of a run, a folder with model.keras, "
    "hf://owner/name, or a preset that comes with weights (see `keras-sagan "
    "presets`)."
)
IMAGES_HELP = (
    "A folder with a folder of images for each class, or with only images; a "
    "folder that `keras-sagan prepare` wrote; an .npz file; `photographs` or "
    "`digits`, which are bundled; or tfds:NAME, from tensorflow-datasets."
)


def add_model(parser, help=MODEL_HELP):
    """Adds MODEL, which `models.load_model` takes, and --import."""
    parser.add_argument("model", metavar="MODEL", help=help)
    add_import(parser)


def add_import(parser):
    """Adds --import, which `models.import_modules` takes."""
    parser.add_argument(
        "--import",
        metavar="MODULE,...",
        type=comma_separated(),
        default=[],
        dest="modules",
        help="Modules, or .py files, that define and register the classes of "
        "the model: a subclass of SAGAN, or layers and losses of your own. "
        "Default: none.",
    )


def add_images(parser):
    """Adds IMAGES, which `data.open_images` takes."""
    parser.add_argument("images", metavar="IMAGES", help=IMAGES_HELP)


def add_out(
    parser, help, beside=None, required=False, suffixes=None, type=pathlib.Path
):
    """Adds --out, a `pathlib.Path`.

    Args:
        parser: The parser that it is added to.
        help: Its help text.
        beside: Name that the verb passes to `outputs.beside` if there is no
            --out.
        required: Whether it must be given.
        suffixes: Suffixes that it may have. If `None`, any.
        type: `parsing.folder` if it is always a folder.
    """
    if beside is not None:
        help += f" Default: {beside} in the folder of the model or run."
    parser.add_argument(
        "--out",
        metavar="PATH",
        type=path_ending_in(*suffixes) if suffixes else type,
        required=required,
        help=help,
    )


def add_seed(parser, help="The same seed gives the same images.", default=0):
    """Adds --seed, an integer."""
    if default is not None:
        help += " Default: %(default)s."
    parser.add_argument(
        "--seed",
        metavar="SEED",
        type=number(int, 0, MAX_SEED),
        default=default,
        help=help,
    )


def add_classes(parser, help):
    """Adds --classes, a list of strings for `models.parse_classes`."""
    parser.add_argument(
        "--classes",
        metavar="CLASS,...",
        type=comma_separated(),
        help=f"{help} A class is given by its number, or by its name if there "
        "is a classes.json beside the model.",
    )


def add_count(parser, help, default, high):
    """Adds --count, an integer from 1."""
    parser.add_argument(
        "--count",
        metavar="N",
        type=number(int, 1, high),
        default=default,
        help=f"{help} Default: %(default)s.",
    )


def add_resolution(parser, help):
    """Adds --resolution, a size that the networks have, or None."""
    parser.add_argument(
        "--resolution",
        metavar="N",
        type=size_of_networks,
        help="Side of the images in pixels, or HEIGHTxWIDTH. It is b * 2**k "
        f"with b from 3 to 7 and at most 256: 28, 64, 96, 64x96. {help}",
    )


def add_channels(parser):
    """Adds --channels, 1, 3 or 4, or None."""
    parser.add_argument(
        "--channels",
        type=int,
        choices=sizes.CHANNELS,
        help="1 for gray, 3 for RGB, 4 for RGB and alpha. Default: as in the "
        "images.",
    )


def truncation(text):
    """Parses a number for `SAGAN.generate(truncation=)`; `none` gives None."""
    if text == "none":
        return None
    try:
        return number(float, 0.01, 100)(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(
            f"{error}; none is also allowed"
        ) from None
