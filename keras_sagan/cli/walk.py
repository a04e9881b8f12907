"""Walk through the images that a model makes, as a video or a strip.

Examples:
  keras-sagan walk MODEL --seed=0,1,2 --classes=3,7 --out=walk.webp
  keras-sagan walk MODEL --seed=0 --classes=3,8 --out=walk.png

Several seeds give a walk from latents to latents, one for each class. One seed
gives a walk from class to class. The suffixes .gif, .webp and .apng make a
video; .png makes a strip with a row for each walk.
"""

from keras_sagan.cli import options
from keras_sagan.cli import outputs
from keras_sagan.cli.models import load_model
from keras_sagan.cli.models import parse_classes
from keras_sagan.cli.parsing import UsageError
from keras_sagan.cli.parsing import comma_separated
from keras_sagan.cli.parsing import number


def add_arguments(parser):
    options.add_model(parser)
    options.add_out(
        parser,
        "Picture to write.",
        "walk.webp",
        suffixes=(".gif", ".webp", ".apng", ".png"),
    )
    parser.add_argument(
        "--seed",
        metavar="SEED,...",
        type=comma_separated(number(int, 0, options.MAX_SEED)),
        default="0,1",
        help="Seeds to walk between; or one seed, to walk between classes. "
        "Default: %(default)s.",
    )
    options.add_classes(
        parser, "Classes to walk through. Default: the first two."
    )
    parser.add_argument(
        "--steps",
        metavar="N",
        type=number(int, 1, 1000),
        default=24,
        help="Images from one seed or class to the next. Default: %(default)s.",
    )
    options.add_count(
        parser,
        "Number of walks between classes, each with different latents.",
        1,
        100,
    )


def run(arguments):
    model, names = load_model(arguments.model)
    classes = parse_classes(arguments.classes, names, model.num_classes)
    walk = _walk(model, classes, arguments)
    out = arguments.out or outputs.new_beside(arguments.model, "walk.webp")
    _save(walk, out)
    print(f"Wrote {out}: {len(walk)} images each of {walk.shape[1]} walks")


def _walk(model, classes, arguments):
    from keras_sagan import visualization

    seeds = arguments.seed
    if model.num_classes is not None and classes is None:
        classes = list(range(min(2, model.num_classes)))
    if len(seeds) > 1:
        return visualization.latent_walk(
            model, seeds, classes, steps=arguments.steps
        )
    if classes is None or len(classes) < 2:
        raise UsageError("give several of --seed, or several of --classes")
    return visualization.class_walk(
        model, classes, arguments.count, seeds[0], arguments.steps
    )


def _save(walk, path):
    from keras_sagan import visualization

    if path.suffix.lower() != ".png":
        scale = max(1, 128 // walk.shape[3])
        visualization.save_video(walk, path, frames_per_second=12, scale=scale)
        return
    images = walk.swapaxes(0, 1).reshape(-1, *walk.shape[2:])
    visualization.image_grid(images, len(walk), scale=None, path=path)
