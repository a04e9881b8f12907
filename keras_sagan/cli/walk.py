"""A walk through what a model makes, as a video or a strip.

keras-sagan walk MODEL --seed=0,1,2 --classes=3,7 --out=walk.webp
keras-sagan walk MODEL --seed=0 --classes=3,8 --out=walk.png

With several seeds, from latents to latents, a walk for each class; with one,
from class to class. A suffix .gif, .webp or .apng makes a video, .png a strip
with a row for each walk.
"""

import pathlib

from absl import flags

from keras_sagan.cli.models import load_model
from keras_sagan.cli.models import parse_classes
from keras_sagan.cli.models import parse_numbers
from keras_sagan.cli.parsing import parse


def main(arguments):
    values = flags.FlagValues()
    flags.DEFINE_string(
        "out", "walk.webp", "Picture to write.", flag_values=values
    )
    flags.DEFINE_list(
        "seed",
        ["0", "1"],
        "Seeds to walk between; or one, to walk between classes.",
        flag_values=values,
    )
    flags.DEFINE_list(
        "classes",
        None,
        "Classes, by number or name. Default: the first two.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "steps",
        24,
        "Images from one station to the next.",
        lower_bound=1,
        upper_bound=1000,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "count",
        1,
        "Walks between classes, each of other latents.",
        lower_bound=1,
        upper_bound=100,
        flag_values=values,
    )
    (name,) = parse(values, __doc__, arguments, ["MODEL"])
    suffix = pathlib.Path(values.out).suffix.lower()
    if suffix not in (".gif", ".webp", ".apng", ".png"):
        raise flags.Error(
            "--out must end in .gif, .webp, .apng or .png, not "
            f"--out={values.out}"
        )
    seeds = parse_numbers("seed", values.seed, int)
    if not seeds or min(seeds) < 0:
        raise flags.Error("--seed: must be one integer or more, from 0")
    model, names = load_model(name)
    classes = parse_classes(values.classes, names, model.num_classes)
    walk = _walk(model, seeds, classes, values)
    _save(walk, model.resolution, values.out, strip=suffix == ".png")
    print(f"Wrote {values.out}: {len(walk)} images of {walk.shape[1]} walks")


def _walk(model, seeds, classes, values):
    from keras_sagan import visualization

    if model.num_classes is not None and classes is None:
        classes = list(range(min(2, model.num_classes)))
    if len(seeds) > 1:
        return visualization.latent_walk(
            model, seeds, classes, steps=values.steps
        )
    if classes is None or len(classes) < 2:
        raise flags.Error("give several of --seed, or of --classes")
    return visualization.class_walk(
        model, classes, values.count, seeds[0], values.steps
    )


def _save(walk, resolution, path, strip):
    from keras_sagan import visualization

    if not strip:
        scale = max(1, 128 // resolution)
        visualization.save_video(walk, path, frames_per_second=12, scale=scale)
        return
    images = walk.swapaxes(0, 1).reshape(-1, *walk.shape[2:])
    visualization.image_grid(images, len(walk), scale=None, path=path)
