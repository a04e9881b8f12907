"""Decodes and resizes images once, so that training only has to read them.

keras-sagan prepare IMAGES --out=FOLDER

IMAGES: a folder with a folder of images for each class, or with images alone;
tfds:NAME for a set of tensorflow-datasets; an .npz file. Interrupted, run it
again: it goes on. What it cannot use it lists, with the reason, in
FOLDER/prepared.json.
"""

from absl import flags

from keras_sagan.cli.parsing import parse


def main(arguments):
    values = flags.FlagValues()
    flags.DEFINE_string("out", None, "Folder to write.", flag_values=values)
    flags.DEFINE_integer(
        "resolution",
        None,
        "Side in pixels to which the centre square is resized. Default: as "
        "`train` chooses on a GPU, at most 128 for a folder.",
        8,
        1024,
        flag_values=values,
    )
    flags.DEFINE_string("split", "train", "Split of a set.", flag_values=values)
    (images,) = parse(values, __doc__, arguments, ["IMAGES"])
    if values.out is None:
        raise flags.Error("give --out")
    from keras_sagan import data
    from keras_sagan import training

    source = data.open_images(images, values.split)
    resolution = values.resolution or training.choose_resolution(
        source, accelerated=True
    )
    prepared = data.prepare(source, values.out, resolution)
    print_summary(prepared)
    print(f"Wrote {values.out}. Next: keras-sagan train {values.out}")


def print_summary(prepared):
    """Says what there is, and what was left out and why."""
    names = prepared.class_names
    print(
        f"{len(prepared):,} images of {len(names) if names else 'no'} classes "
        f"at {prepared.native_resolution} pixels"
    )
    if prepared.skipped:
        print(f"Left out, {len(prepared.skipped):,} files:")
    for name, reason in prepared.skipped[:20]:
        print(f"  {name}: {reason}")
    if len(prepared.skipped) > 20:
        print(f"  and more, in {prepared.path / 'prepared.json'}")
