"""Generate images with a model: a labelled grid, or a file for each image.

Examples:
  keras-sagan sample MODEL --classes=3,cat --out=samples.png
  keras-sagan sample MODEL --count=100 --out=FOLDER
  keras-sagan sample MODEL --truncation=0.5,1,none --out=sweep.png
"""

import sys

from keras_sagan.cli import options
from keras_sagan.cli import outputs
from keras_sagan.cli.models import load_model
from keras_sagan.cli.models import parse_classes
from keras_sagan.cli.parsing import UsageError
from keras_sagan.cli.parsing import comma_separated
from keras_sagan.cli.parsing import number

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def add_arguments(parser):
    options.add_model(parser)
    options.add_out(
        parser,
        "Picture to write; or a folder, without a suffix, for single images.",
        "samples.png",
        suffixes=(*_PICTURES, ""),
    )
    options.add_classes(
        parser,
        "Classes, one column of the grid for each, in this order: they can "
        "spell a word. Default: the first ten.",
    )
    options.add_seed(parser)
    options.add_count(
        parser, "Images per class, or in total without classes.", 10, 100_000
    )
    parser.add_argument(
        "--truncation",
        metavar="T,...",
        type=comma_separated(options.truncation),
        default="none",
        help="Entries of the latents beyond +-T are drawn again, T from 0.01 "
        "to 100; `none` draws nothing again. Each of several values makes a "
        "row of the grid. Default: %(default)s.",
    )
    parser.add_argument(
        "--share_latents",
        action="store_true",
        help="Give the images of a row the same latents, so that only the "
        "class differs between them.",
    )
    parser.add_argument(
        "--scale",
        metavar="N",
        type=number(int, 1, 64),
        help="Factor by which a grid is enlarged. Default: images become about "
        "64 pixels wide.",
    )


def run(arguments):
    arguments.out = arguments.out or outputs.new_beside(
        arguments.model, "samples.png"
    )
    single = not arguments.out.suffix
    if single and len(arguments.truncation) > 1:
        raise UsageError(
            "argument --out: must be a picture for several --truncation"
        )
    model, names = load_model(arguments.model)
    classes = parse_classes(arguments.classes, names, model.num_classes)
    several = single or len(arguments.truncation) > 1
    if arguments.share_latents and (several or model.num_classes is None):
        raise UsageError(
            "argument --share_latents: needs a model with classes, one "
            "--truncation, and a picture as --out"
        )
    if single:
        _save_each(model, names, classes, arguments)
        return
    _save_grid(model, names, classes, arguments)
    print(f"Wrote {arguments.out}")


def _save_grid(model, names, classes, arguments):
    from keras_sagan import visualization

    count, truncations = arguments.count, arguments.truncation
    picture = {"scale": arguments.scale, "path": arguments.out}
    if len(truncations) > 1:
        labels = None
        if classes:  # The columns take the classes in turn.
            labels = [classes[i % len(classes)] for i in range(count)]
        visualization.truncation_grid(
            model, truncations, labels, count, seed=arguments.seed, **picture
        )
    elif model.num_classes is None:
        images = model.generate(
            num_images=count, seed=arguments.seed, truncation=truncations[0]
        )
        visualization.image_grid(images, **picture)
    else:
        visualization.class_grid(
            model,
            classes,
            count,
            class_names=names,
            truncation=truncations[0],
            seed=arguments.seed,
            in_columns=True,
            share_latents=arguments.share_latents,
            **picture,
        )


def _save_each(model, names, classes, arguments):
    """Writes a file for each image, generated in batches."""
    import keras

    from keras_sagan.visualization.grids import save_image

    out, count = arguments.out, arguments.count
    if model.num_classes is not None:
        classes = classes or range(model.num_classes)
        labels = [c for c in classes for _ in range(count)]
    else:
        labels = [None] * count
    latents, _ = model.draw_inputs(
        None if labels[0] is None else labels,
        len(labels),
        arguments.seed,
        truncation=arguments.truncation[0],
    )
    bar = keras.utils.Progbar(
        len(labels), verbose=1 if sys.stdout.isatty() else 0, unit_name="image"
    )
    for i in range(0, len(labels), 64):
        batch = labels[i : i + 64]
        images = model.generate(
            None if batch[0] is None else batch, latents=latents[i : i + 64]
        )
        for j, (label, image) in enumerate(zip(batch, images), i):
            folder = out if label is None else out / _folder(label, names)
            save_image(image, folder / f"{j:06d}.png")
        bar.add(len(batch))
    print(f"Wrote {len(labels):,} images to {out}")


def _folder(label, names):
    """Returns a folder name for a class that all systems accept."""
    name = names[label] if names else ""
    name = "".join(c if c.isalnum() or c in " -_" else "_" for c in name)
    return f"{label:04d}_{name.strip()}" if name else f"{label:04d}"
