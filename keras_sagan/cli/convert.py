"""Convert weights of another implementation to a .keras file, or back.

Examples:
  keras-sagan convert PATH --source=studiogan --out=model.keras
  keras-sagan convert model.keras --target=studiogan --out=FOLDER
"""

import argparse

from keras_sagan import sizes
from keras_sagan.cli import options
from keras_sagan.cli.models import load_model
from keras_sagan.cli.parsing import UsageError
from keras_sagan.files import replacing
from keras_sagan.quiet import import_quietly

SOURCES = ("studiogan", "mmgeneration", "biggan_pytorch", "released")
TARGETS = ("studiogan",)


def add_arguments(parser):
    parser.add_argument(
        "path",
        metavar="PATH",
        help="Weights to read: a file or folder of the source or, with "
        "--target, a .keras file of this package.",
    )
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument(
        "--source",
        choices=SOURCES,
        help="Implementation that wrote PATH. `released` is the code of the "
        "paper's authors.",
    )
    way.add_argument(
        "--target",
        choices=TARGETS,
        help="Implementation to write the weights for.",
    )
    options.add_import(parser)
    options.add_out(
        parser,
        "File to write with --source; folder to write with --target.",
        required=True,
    )
    parser.add_argument(
        "--shortcut_after_relu",
        action=argparse.BooleanOptionalAction,
        help="Whether the discriminator's shortcuts see the output of its "
        "ReLU, as they do in code with an in-place ReLU. Default: as in the "
        "source's own configuration.",
    )


def run(arguments):
    out = arguments.out
    if arguments.source and out.suffix != ".keras":
        raise UsageError(f"argument --out: must end in .keras, not {out}")
    import_quietly()
    from keras_sagan import convert

    if arguments.target:
        model, _ = load_model(arguments.path)
        convert.save_weights(model, out, arguments.target)
        print(f"Wrote {out}, in the layout of {arguments.target}")
        return
    overrides = {}
    if arguments.shortcut_after_relu is not None:
        overrides["shortcut_after_relu"] = arguments.shortcut_after_relu
    model = convert.load_model(arguments.path, arguments.source, **overrides)
    with replacing(out) as temporary:
        model.save(temporary)
    classes = "no" if model.num_classes is None else model.num_classes
    print(
        f"Wrote {out}: {sizes.text(model.resolution)}, {classes} classes, "
        f"{model.generator.count_params():,} parameters in the generator and "
        f"{model.discriminator.count_params():,} in the discriminator"
    )
