"""Make a video of a training run from the grids that it saved.

Example:
  keras-sagan video runs/mine --out=training.webp
"""

import pathlib

from keras_sagan.cli import options
from keras_sagan.cli import outputs
from keras_sagan.cli.parsing import number
from keras_sagan.training.folder import Run


def add_arguments(parser):
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        type=pathlib.Path,
        help="The folder of a run, or a folder that `callbacks.SampleGrid` "
        "wrote: step_00001000.png and so on.",
    )
    options.add_out(
        parser,
        "Video to write: .gif, .webp or .apng.",
        "training.webp",
        suffixes=(".gif", ".webp", ".apng"),
    )
    parser.add_argument(
        "--rate",
        metavar="R",
        type=number(float, 0.1, 50),
        default=5.0,
        help="Grids per second. Default: %(default)s.",
    )


def run(arguments):
    from keras_sagan import visualization

    folder = arguments.folder
    samples = Run(folder).samples_path
    folder = samples if samples.is_dir() else folder
    out = arguments.out or outputs.beside(arguments.folder, "training.webp")
    steps = visualization.training_video(folder, out, arguments.rate)
    print(
        f"Wrote {out}: {len(steps)} grids, steps {steps[0]:,} to {steps[-1]:,}"
    )
