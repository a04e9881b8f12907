"""A video of a training run, from the grids that it saved.

keras-sagan video FOLDER --out=training.webp

FOLDER is that of a run, or of what `keras_sagan.callbacks.SampleGrid` wrote:
step_00001000.png and so on.
"""

import pathlib

from absl import flags

from keras_sagan.cli.parsing import parse


def main(arguments):
    values = flags.FlagValues()
    flags.DEFINE_string(
        "out",
        "training.webp",
        "Video to write: .gif, .webp or .apng.",
        flag_values=values,
    )
    flags.DEFINE_float(
        "rate",
        5.0,
        "Grids per second.",
        lower_bound=0.1,
        upper_bound=50.0,
        flag_values=values,
    )
    (name,) = parse(values, __doc__, arguments, ["FOLDER"])
    from keras_sagan import visualization

    folder = pathlib.Path(name)
    if (folder / "samples").is_dir():
        folder = folder / "samples"
    steps = visualization.training_video(folder, values.out, values.rate)
    print(
        f"Wrote {values.out}: steps {steps[0]:,} to {steps[-1]:,}, grids: "
        f"{len(steps)}"
    )
