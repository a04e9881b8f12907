"""Trains a SAGAN on your images.

keras-sagan train IMAGES --out=runs/mine

IMAGES: a folder with a folder of images for each class, or with images alone;
an .npz file; photographs or digits, the bundled ones; tfds:NAME. What is
trained is chosen from them and printed. Run again, it goes on where it was
stopped.
"""

import json
import pathlib

from absl import flags

from keras_sagan.cli.parsing import parse
from keras_sagan.cli.prepare import print_summary

_EVERY = 50


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
    import keras

    import keras_sagan
    from keras_sagan import data
    from keras_sagan.training.run import check_settings

    out = pathlib.Path(values.out or f"runs/{pathlib.Path(name).name}")
    resolution, base_channels, seed = _as_begun(out, values)
    images = data.open_images(name)
    recipe = keras_sagan.choose_recipe(
        images, resolution=resolution, base_channels=base_channels
    )
    settings = {**recipe, "steps": None, "seed": seed}
    check_settings(out, settings)
    resolution = recipe["generator"]["resolution"]
    source = images.at(resolution)
    if not source.ready:
        source = data.prepare(source, out / f"images_{resolution}")
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
        steps=values.steps or recipe["steps"],
        settings=settings,
        class_names=source.class_names,
        log_every=_EVERY,
        sample_every=5 * _EVERY,
        checkpoint_every=5 * _EVERY,
    )


def _as_begun(out, values):
    """Resolution, width and seed: as the flags say, or the run in the folder.

    A flag that says something else than the run is refused by its settings.
    """
    path = out / "settings.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    network = before.get("generator", {})
    seed = before.get("seed", 0) if values.seed is None else values.seed
    return (
        int(values.resolution or network.get("resolution", 0)) or None,
        values.base_channels or network.get("base_channels"),
        seed,
    )
