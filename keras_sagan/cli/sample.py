"""Images of a trained model: a labelled grid, or a file each.

keras-sagan sample MODEL --classes=3,cat --out=samples.png
keras-sagan sample MODEL --count=100 --out=FOLDER
keras-sagan sample MODEL --truncation=0.5,1,none --out=sweep.png

MODEL is a .keras file, or the folder of a run. Classes go by number, or by
name where a classes.json, a list of names, lies beside the model.
"""

import pathlib
import sys

from absl import flags

from keras_sagan.cli.models import load_model
from keras_sagan.cli.models import parse_classes
from keras_sagan.cli.models import parse_numbers
from keras_sagan.cli.parsing import parse

_IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def main(arguments):
    values = flags.FlagValues()
    flags.DEFINE_string(
        "out",
        "samples.png",
        "Picture to write; without a suffix, a folder of single images.",
        flag_values=values,
    )
    flags.DEFINE_list(
        "classes",
        None,
        "Classes, a row of the grid each. Default: the first ten.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "seed",
        0,
        "One seed, one picture.",
        lower_bound=0,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "count",
        10,
        "Images per class, or in all without classes.",
        lower_bound=1,
        upper_bound=100_000,
        flag_values=values,
    )
    flags.DEFINE_list(
        "truncation",
        None,
        "Latents beyond +-this are drawn again: a number above 0. Several "
        "numbers, or none: a row of the grid each.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "scale",
        None,
        "Enlargement of the pixels of a grid. Default: to about 64.",
        lower_bound=1,
        upper_bound=64,
        flag_values=values,
    )
    (name,) = parse(values, __doc__, arguments, ["MODEL"])
    suffix = pathlib.Path(values.out).suffix.lower()
    if suffix and suffix not in _IMAGES:
        raise flags.Error(
            f"--out must be a folder or end in one of {', '.join(_IMAGES)}, "
            f"not --out={values.out}"
        )
    truncations = _truncations(values.truncation)
    if len(truncations) > 1 and not suffix:
        raise flags.Error("--out must be a picture for several --truncation")
    model, names = load_model(name)
    classes = parse_classes(values.classes, names, model.num_classes)
    if not suffix:
        _save_each(model, names, classes, truncations[0], values)
        return
    _save_grid(model, names, classes, truncations, values)
    print(f"Wrote {values.out}")


def _truncations(texts):
    texts = texts or ["none"]
    numbers = [text for text in texts if text != "none"]
    numbers = iter(parse_numbers("truncation", numbers, float))
    truncations = [None if x == "none" else next(numbers) for x in texts]
    if any(t is not None and not 0.01 <= t <= 100 for t in truncations):
        raise flags.Error("--truncation: must be from 0.01 to 100, or none")
    return truncations


def _save_grid(model, names, classes, truncations, values):
    from keras_sagan import visualization

    settings = {"seed": values.seed, "scale": values.scale, "path": values.out}
    if len(truncations) > 1:
        labels = None
        if classes:  # The columns go through them in turn.
            labels = [classes[i % len(classes)] for i in range(values.count)]
        visualization.truncation_grid(
            model, truncations, labels, values.count, **settings
        )
    elif model.num_classes is None:
        images = model.generate(
            num_images=values.count,
            seed=values.seed,
            truncation=truncations[0],
        )
        visualization.image_grid(images, scale=values.scale, path=values.out)
    else:
        visualization.class_grid(
            model,
            classes,
            values.count,
            class_names=names,
            truncation=truncations[0],
            **settings,
        )


def _save_each(model, names, classes, truncation, values):
    """A file each, generated and written in batches."""
    import keras

    from keras_sagan.visualization.grids import save_image

    out = pathlib.Path(values.out)
    if model.num_classes is not None:
        classes = classes or range(model.num_classes)
        labels = [c for c in classes for _ in range(values.count)]
    else:
        labels = [None] * values.count
    latents, _ = model.draw_inputs(
        None if labels[0] is None else labels,
        len(labels),
        values.seed,
        truncation=truncation,
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
    """A folder's name for a class: letters that every system takes."""
    name = names[label] if names else ""
    name = "".join(c if c.isalnum() or c in " -_" else "_" for c in name)
    return f"{label:04d}_{name.strip()}" if name else f"{label:04d}"
