"""FID and other figures of a model or images against others.

keras-sagan evaluate model.keras IMAGES --metrics=fid,is
keras-sagan evaluate SAMPLES statistics.npz

Each is a folder of pictures, or an .npz of `images`, or of `mu` and `sigma`;
the first may be a .keras file. With --cache=FOLDER the second one's statistics
are kept there, in a file that other tools read.
"""

import pathlib

from absl import flags

from keras_sagan.cli.models import load_model
from keras_sagan.cli.parsing import parse
from keras_sagan.files import write_json


def main(arguments):
    values = flags.FlagValues()
    flags.DEFINE_list(
        "metrics",
        ["fid"],
        "Of fid, is, kid, precision_recall, density_coverage, intra_fid.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "num_images",
        50_000,
        "Images that the model generates.",
        lower_bound=2,
        flag_values=values,
    )
    flags.DEFINE_string(
        "protocol",
        "torch-fidelity",
        "torch-fidelity, or paper: how figures are made.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "cache",
        None,
        "Folder to keep the second one's statistics in.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "out",
        None,
        "File to write the figures to, as JSON.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "batch_size",
        64,
        "Images at a time.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "seed", 0, "Of the images generated.", lower_bound=0, flag_values=values
    )
    model, real = parse(values, __doc__, arguments, ["MODEL", "REAL"])
    import keras_sagan

    metrics = keras_sagan.metrics.get_metrics(values.metrics)
    needs_real = any(metric.real_needs is not None for metric in metrics)
    if needs_real and not pathlib.Path(real).exists():
        raise FileNotFoundError(f"there is no file or folder {real}")
    if _is_model(model):
        model, _ = load_model(model)
    results = keras_sagan.metrics.evaluate(
        model,
        real,
        metrics,
        values.num_images,
        values.protocol,
        batch_size=values.batch_size,
        seed=values.seed,
        cache=values.cache,
    )
    print(keras_sagan.metrics.report(results))
    if values.out:
        write_json(values.out, results)


def _is_model(name):
    """Whether this is a model, a run or a shared one: else it is images."""
    path = pathlib.Path(name)
    return (
        name.startswith("hf://")
        or path.suffix == ".keras"
        or (path / "model.keras").exists()
        or (path / "checkpoints").exists()
    )
