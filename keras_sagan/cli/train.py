"""Train a SAGAN on your images.

Example:
  keras-sagan train IMAGES --out=runs/mine
  keras-sagan train IMAGES --from=MODEL

The recipe is chosen from the images and printed. If the run is stopped, run the
same command again to continue. Ctrl-C ends the current step and saves a
checkpoint first.
"""

from keras_sagan.arguments import PRECISIONS
from keras_sagan.cli import options
from keras_sagan.cli.models import load_model
from keras_sagan.cli.parsing import UsageError
from keras_sagan.cli.parsing import folder
from keras_sagan.cli.parsing import number
from keras_sagan.quiet import import_quietly


def add_arguments(parser):
    options.add_images(parser)
    options.add_out(
        parser,
        "Folder of the run. Default: runs/ and the name of IMAGES.",
        type=folder,
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
        "--precision",
        choices=PRECISIONS,
        help="What the networks compute in. mixed_float16 is for GPUs without "
        "bfloat16, such as a T4. Default: float32, or that of the model to "
        "fine-tune.",
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
    parser.add_argument(
        "--from",
        metavar="MODEL",
        dest="from_model",
        help="Model to fine-tune to the classes of IMAGES, with its own size "
        "and channels: a .keras file, the folder of a run, a preset with "
        "weights, or hf://owner/name. If the model has a class of the same "
        "name, the new class starts from it. Every other class starts from the "
        "mean of all classes. Default: new networks.",
    )
    parser.add_argument(
        "--freeze_discriminator",
        metavar="K",
        type=number(int, 0),
        default=0,
        help="Blocks of the discriminator that are not trained, for --from: 2 "
        "or 3 if there are few images. Default: %(default)s.",
    )
    options.add_import(parser)
    options.add_seed(
        parser,
        "Seed of the weights, the latents and the order of the images. "
        "Default: 0.",
        default=None,
    )


def run(arguments):
    import_quietly()
    from keras_sagan import training

    model, names = None, None
    if arguments.from_model is not None:
        model, names = load_model(arguments.from_model)
    elif arguments.freeze_discriminator:
        raise UsageError("argument --freeze_discriminator: needs --from")
    training.train_on_images(
        arguments.images,
        arguments.out,
        resolution=arguments.resolution,
        base_channels=arguments.base_channels,
        steps=arguments.steps,
        seed=arguments.seed,
        sample_every=arguments.sample_every,
        channels=arguments.channels,
        from_model=model,
        from_class_names=names,
        freeze_discriminator=arguments.freeze_discriminator,
        precision=arguments.precision,
    )
