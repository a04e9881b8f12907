"""Find latents from which a model generates given images again.

Examples:
  keras-sagan project MODEL a.png b.png --out=FOLDER
  keras-sagan project MODEL a.png --classes=7

This writes into FOLDER: projection.png, which shows each image, the steps of
the search and the reconstruction; projection.npz, which holds the latents and
class weights for `SAGAN.generate`; and, for two or more images, walk.webp, a
walk from one to the next.
"""

import pathlib

from keras_sagan.cli import options
from keras_sagan.cli import outputs
from keras_sagan.cli.images import read_images
from keras_sagan.cli.models import load_model
from keras_sagan.cli.models import parse_classes
from keras_sagan.cli.parsing import UsageError
from keras_sagan.cli.parsing import folder
from keras_sagan.cli.parsing import number
from keras_sagan.files import printable


def add_arguments(parser):
    options.add_model(parser)
    parser.add_argument(
        "images",
        metavar="IMAGE",
        type=pathlib.Path,
        nargs="+",
        help="Files of images. They are cropped to the shape that the model "
        "has.",
    )
    options.add_out(parser, "Folder to write.", "projection", type=folder)
    options.add_classes(
        parser,
        "The class of each image, or one for all. Default: weights of the "
        "classes are searched for, too.",
    )
    parser.add_argument(
        "--steps",
        metavar="N",
        type=number(int, 10, 100_000),
        default=500,
        help="Steps of the search, a multiple of 10. Default: %(default)s.",
    )
    options.add_seed(parser, "Seed of the start of the search.")


def run(arguments):
    model, names = load_model(arguments.model)
    images = read_images(arguments.images, model.image_shape)
    classes = parse_classes(arguments.classes, names, model.num_classes)
    if classes is not None and len(classes) not in (1, len(images)):
        raise UsageError(
            "argument --classes: must be one class, or one for each image"
        )
    if classes is not None and len(classes) == 1:
        classes = classes * len(images)
    found = model.project(
        images, classes, steps=arguments.steps, seed=arguments.seed
    )
    out = arguments.out or outputs.new_beside(arguments.model, "projection")
    for path, error, name in zip(
        arguments.images, found.errors, _classes(found, names)
    ):
        line = f"{path}: mean squared error {error:.4f}{name}"
        print(printable(line))
    print("Errors are those of pixels in [-1, 1]")
    _save(model, images, found, out)
    print(f"Look at {out}/projection.png")


def _save(model, images, found, out):
    import numpy as np

    from keras_sagan import visualization
    from keras_sagan.files import replacing

    visualization.projection_sheet(images, found, path=out / "projection.png")
    arrays = {
        name: getattr(found, name)
        for name in ("latents", "labels", "class_weights")
        if getattr(found, name) is not None
    }
    with replacing(out / "projection.npz") as temporary:
        np.savez(temporary, **arrays)
    if len(images) > 1:
        walk = visualization.projection_walk(model, found)
        scale = max(1, 128 // walk.shape[3])
        visualization.save_video(walk, out / "walk.webp", scale=scale)


def _classes(found, names):
    """Yields text about the class with the largest weight in each image."""
    if found.class_weights is None:
        yield from [""] * len(found.latents)
        return
    for weights in found.class_weights:
        label = int(weights.argmax())
        name = names[label] if names else label
        yield f", mostly class {name} ({weights[label]:.0%})"
