"""Draw where a model looks: its attention maps, as figures.

Examples:
  keras-sagan attention MODEL --classes=3,7 --out=FOLDER
  keras-sagan attention MODEL --images=a.png,b.jpg --points=8:8,2:12

For each attention layer of the generator and the discriminator this writes a
figure of every image, and a sheet of all of them. Only the discriminator looks
at images that you give.
"""

import argparse
import pathlib

from keras_sagan.cli import options
from keras_sagan.cli import outputs
from keras_sagan.cli.images import read_images
from keras_sagan.cli.models import load_model
from keras_sagan.cli.models import parse_classes
from keras_sagan.cli.parsing import comma_separated
from keras_sagan.cli.parsing import folder
from keras_sagan.cli.parsing import number


def add_arguments(parser):
    options.add_model(parser)
    options.add_out(parser, "Folder to write.", "attention", type=folder)
    shown = parser.add_mutually_exclusive_group()
    options.add_classes(
        shown, "Classes to generate an image of. Default: the first ten."
    )
    shown.add_argument(
        "--images",
        metavar="FILE,...",
        type=comma_separated(pathlib.Path),
        help="Files for which to show the discriminator's attention. They are "
        "cropped to the shape that the model has. Default: generated images.",
    )
    options.add_seed(parser)
    parser.add_argument(
        "--points",
        metavar="X:Y,...",
        type=_points,
        default="5",
        help="Points for which to draw the attention, in pixels: x to the "
        "right, y down. A single number lets the library choose that many. "
        "Default: %(default)s.",
    )


def run(arguments):
    for path in arguments.images or ():
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
    model, names = load_model(arguments.model)
    given = {"seed": arguments.seed, "queries": arguments.points}
    if arguments.images:
        given["images"] = read_images(arguments.images, model.image_shape)
    elif model.num_classes is None:
        parse_classes(arguments.classes, names, None)
        given["num_images"] = 10
    else:
        classes = parse_classes(arguments.classes, names, model.num_classes)
        given["labels"] = classes or list(range(min(10, model.num_classes)))
    out = arguments.out or outputs.new_beside(arguments.model, "attention")
    _save_all(model, names, given, out)


def _save_all(model, names, given, out):
    from keras_sagan import visualization

    networks = [model.discriminator]
    if "images" not in given:
        networks.insert(0, model.generator)
    places = [
        (network.name, layer.name)
        for network in networks
        for layer in visualization.attention_layers(network)
    ]
    if not places:
        raise ValueError("MODEL has no attention layer to show")
    for network, layer in places:
        which = "generator" if network == model.generator.name else None
        maps = visualization.attention_maps(
            model, network=which or "discriminator", layer=layer, **given
        )
        *_, sheet = visualization.save_attention(maps, out, names)
        print(f"Wrote {sheet} and a figure of each image beside it")


def _points(text):
    """Parses a number of points, or the integers (x, y) of each."""
    if ":" not in text:
        return number(int, 1)(text)
    try:
        points = [tuple(map(int, x.split(":"))) for x in text.split(",")]
    except ValueError:
        points = [()]
    if any(len(point) != 2 for point in points):
        raise argparse.ArgumentTypeError(
            f"must be a number, or integers x:y,x:y; not {text}"
        )
    return points
