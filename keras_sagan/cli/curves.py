"""Draw the curves of a training run from its log.

Example:
  keras-sagan curves runs/mine --out=curves.png
"""

import pathlib

from keras_sagan.cli import options
from keras_sagan.cli import outputs
from keras_sagan.training.folder import Run


def add_arguments(parser):
    parser.add_argument(
        "log",
        metavar="LOG",
        type=pathlib.Path,
        help="The folder of a run, or its log.jsonl: one JSON object per line.",
    )
    options.add_out(
        parser,
        "Picture to write: .png, .svg or .pdf.",
        "curves.png",
        suffixes=(".png", ".svg", ".pdf"),
    )


def run(arguments):
    path = arguments.log
    if path.is_dir():
        path = Run(path).log_path
    if not path.exists() or path.suffix == ".keras":
        raise ValueError(
            "LOG must be the folder of a run, or its log.jsonl. "
            f"Received: {arguments.log}"
        )
    from keras_sagan import visualization

    out = arguments.out or outputs.beside(arguments.log, "curves.png")
    visualization.training_curves(path, out)
    print(f"Wrote {out}")
