"""Curves of a training run, from its log.

keras-sagan curves LOG --out=curves.png

LOG is the folder of a run, or its log.jsonl: a JSON object a line.
"""

import pathlib

from absl import flags

from keras_sagan.cli.parsing import parse


def main(arguments):
    values = flags.FlagValues()
    flags.DEFINE_string(
        "out",
        "curves.png",
        "Picture to write: .png, .svg or .pdf.",
        flag_values=values,
    )
    (name,) = parse(values, __doc__, arguments, ["LOG"])
    if pathlib.Path(values.out).suffix not in (".png", ".svg", ".pdf"):
        raise flags.Error(
            f"--out must end in .png, .svg or .pdf, not --out={values.out}"
        )
    path = pathlib.Path(name)
    if path.is_dir():
        path = path / "log.jsonl"
    if not path.exists() or path.suffix == ".keras":
        raise ValueError(
            "LOG must be the folder of a run, or its log.jsonl. "
            f"Received: {name}"
        )
    from keras_sagan import visualization

    visualization.training_curves(path, values.out)
    print(f"Wrote {values.out}")
