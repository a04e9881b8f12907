"""Compare a model, or images, with real images: FID and other metrics.

Examples:
  keras-sagan evaluate model.keras IMAGES --metrics=fid,is
  keras-sagan evaluate SAMPLES statistics.npz

MODEL may also be images in the same form as REAL: a folder of pictures, or an
.npz file with `images`, or with the statistics `mu` and `sigma`. With
--cache=FOLDER, the statistics of REAL are kept in that folder, in a file that
other tools can read.
"""

import pathlib

from keras_sagan.cli import options
from keras_sagan.cli.models import is_shipped
from keras_sagan.cli.models import load_model
from keras_sagan.cli.parsing import comma_separated
from keras_sagan.cli.parsing import number
from keras_sagan.files import write_json
from keras_sagan.training.folder import Run


def add_arguments(parser):
    options.add_model(parser, f"{options.MODEL_HELP} Or images.")
    parser.add_argument(
        "real", metavar="REAL", help="Real images, or their statistics."
    )
    parser.add_argument(
        "--metrics",
        metavar="NAME,...",
        type=comma_separated(),
        default="fid",
        help="Metrics to compute: fid, is, kid, precision_recall, "
        "density_coverage, intra_fid. Default: %(default)s.",
    )
    parser.add_argument(
        "--num_images",
        metavar="N",
        type=number(int, 2),
        default=50_000,
        help="Number of images to generate. Default: %(default)s, as in the "
        "paper.",
    )
    parser.add_argument(
        "--protocol",
        metavar="NAME",
        default="torch-fidelity",
        help="How the metrics are computed: torch-fidelity, or paper. "
        "Default: %(default)s.",
    )
    parser.add_argument(
        "--cache",
        metavar="FOLDER",
        help="Folder in which to keep the statistics of REAL. Default: they "
        "are not kept.",
    )
    parser.add_argument(
        "--batch_size",
        metavar="N",
        type=number(int, 1),
        default=64,
        help="Number of images to process at a time. Default: %(default)s.",
    )
    options.add_seed(parser)
    options.add_out(
        parser, "JSON file to write. Default: the metrics are only printed."
    )


def run(arguments):
    from keras_sagan import metrics

    model, real = arguments.model, arguments.real
    wanted = metrics.get_metrics(arguments.metrics)
    needs_real = any(metric.real_needs is not None for metric in wanted)
    if needs_real and not pathlib.Path(real).exists():
        raise FileNotFoundError(f"there is no file or folder {real}")
    if _is_model(model):
        model, _ = load_model(model)
        print(f"Generating {arguments.num_images:,} images")
    results = metrics.evaluate(
        model,
        real,
        wanted,
        arguments.num_images,
        arguments.protocol,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        cache=arguments.cache,
    )
    print(metrics.report(results))
    _print_imbalance(results["protocol"])
    if arguments.out:
        write_json(arguments.out, results)


def _print_imbalance(protocol):
    """Prints a note if one side has far fewer images than the other.

    The Frechet distance of few images is too large, by about the number of
    features divided by that of images.
    """
    counts = [protocol["generated"], protocol["real"]]
    if None not in counts and min(counts) * 5 < max(counts):
        print(
            f"{counts[0]:,} generated images were compared with {counts[1]:,} "
            "real ones. Compare distances only for equal numbers of images"
        )


def _is_model(name):
    """Returns whether this is a model, a run or a shared model, not images."""
    path = pathlib.Path(name)
    return (
        name.startswith("hf://")
        or is_shipped(name)
        or path.suffix == ".keras"
        or Run(path).exists()
    )
