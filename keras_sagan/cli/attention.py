"""Where a model looks: the maps of its attention, as figures.

keras-sagan attention MODEL --classes=3,7 --out=FOLDER
keras-sagan attention MODEL --images=a.png,b.jpg --points=8:8,2:12

Writes, for each attention of the generator and the discriminator, a figure of
every image and a sheet of all. Given images are the discriminator's alone.
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
        "out", "attention", "Folder to write.", flag_values=values
    )
    flags.DEFINE_list(
        "classes",
        None,
        "Classes, an image of each, by number or name. Default: the first ten.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "seed", 0, "One seed, one picture.", lower_bound=0, flag_values=values
    )
    flags.DEFINE_list(
        "images",
        None,
        "Files to show the discriminator's attention of, cut square. "
        "Default: generated images.",
        flag_values=values,
    )
    flags.DEFINE_list(
        "points",
        ["5"],
        "Points x:y in pixels, x to the right and y down; or how many to "
        "choose.",
        flag_values=values,
    )
    (name,) = parse(values, __doc__, arguments, ["MODEL"])
    queries = _parse_points(values.points)
    if values.images and values.classes:
        raise flags.Error("give one of --images and --classes")
    model, names = load_model(name)
    given = {"seed": values.seed, "queries": queries}
    if values.images:
        given["images"] = _read(values.images, model.resolution)
    elif model.num_classes is None:
        given["num_images"] = 10
    else:
        classes = parse_classes(values.classes, names, model.num_classes)
        given["labels"] = classes or list(range(min(10, model.num_classes)))
    _save_all(model, names, given, values.out)


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
        raise ValueError("MODEL has no attention to show")
    for network, layer in places:
        which = "generator" if network == model.generator.name else None
        maps = visualization.attention_maps(
            model, network=which or "discriminator", layer=layer, **given
        )
        *_, sheet = visualization.save_attention(maps, out, names)
        print(f"Wrote {sheet} and a figure of each image beside it")


def _parse_points(texts):
    """A number of points, or integers (x, y) of each."""
    if len(texts) == 1 and ":" not in texts[0]:
        return parse_numbers("points", texts, int)[0]
    pairs = [text.split(":") for text in texts]
    if any(len(pair) != 2 for pair in pairs):
        raise flags.Error(
            f"--points: must be x:y,x:y or a number, not {','.join(texts)}"
        )
    try:
        return [[int(x) for x in pair] for pair in pairs]
    except ValueError as error:
        raise flags.Error(
            f"--points: must be integers x:y, not {','.join(texts)}"
        ) from error


def _read(paths, resolution):
    """Images cut square in the middle and resized, uint8 `(N, R, R, 3)`."""
    import numpy as np

    from keras_sagan.data.images import fit_square
    from keras_sagan.data.images import read_image

    images = []
    for path in paths:
        if not pathlib.Path(path).is_file():
            raise FileNotFoundError(f"there is no file {path}")
        try:
            images.append(fit_square(read_image(path), resolution))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    return np.stack(images)
