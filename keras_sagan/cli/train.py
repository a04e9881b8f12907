"""Train a SAGAN on your images.

Example:
  keras-sagan train IMAGES --out=runs/mine

What to train is chosen from the images and printed. If the run is stopped, run
the same command again: it goes on. Ctrl-C ends the current step and saves a
checkpoint first.
"""

import json
import pathlib

from keras_sagan.cli import options
from keras_sagan.cli.parsing import number
from keras_sagan.cli.prepare import print_summary

_EVERY = 50


def add_arguments(parser):
    options.add_images(parser)
    options.add_out(
        parser, "Folder of the run. Default: runs/ and the name of IMAGES."
    )
    options.add_resolution(
        parser, "Default: chosen from the size of the images."
    )
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
    options.add_seed(
        parser,
        "Seed of the weights, the latents and the order of the images. "
        "Default: 0.",
        default=None,
    )


def run(arguments):
    import keras

    import keras_sagan
    from keras_sagan import data
    from keras_sagan.training.run import check_settings

    name = arguments.images
    out = arguments.out or pathlib.Path("runs") / pathlib.Path(name).name
    resolution, base_channels, seed = _as_begun(out, arguments)
    images = data.open_images(name, resolution or 64)
    recipe = keras_sagan.choose_recipe(
        images, resolution=resolution, base_channels=base_channels
    )
    settings = {**recipe, "steps": None, "seed": seed}
    check_settings(out, settings)
    source = images
    if isinstance(images, (data.ImageFolder, data.TfdsImages)):
        images.resolution = recipe["generator"]["resolution"]
        source = data.prepare(images, out / f"images_{images.resolution}")
        print_summary(source)
    print(f"Chosen: {recipe['description']}; batches of {recipe['batch_size']}")

    def make_model():
        keras.utils.set_random_seed(seed)
        return keras_sagan.SAGAN.from_preset(recipe, seed=seed)

    keras_sagan.train(
        out,
        make_model,
        lambda step: data.from_source(
            source,
            recipe["batch_size"],
            seed=seed,
            start_step=step,
            steps_per_epoch=_EVERY,
        ),
        steps=arguments.steps or recipe["steps"],
        settings=settings,
        class_names=source.class_names,
        log_every=_EVERY,
        sample_every=5 * _EVERY,
        checkpoint_every=5 * _EVERY,
    )


def _as_begun(out, arguments):
    """Returns resolution, width and seed: as given, or as the run was begun.

    An option that differs from the run is refused by the run's settings.
    """
    path = out / "settings.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    network = before.get("generator", {})
    seed = arguments.seed
    return (
        arguments.resolution or network.get("resolution"),
        arguments.base_channels or network.get("base_channels"),
        before.get("seed", 0) if seed is None else seed,
    )
