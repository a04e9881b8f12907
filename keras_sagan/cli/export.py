"""Export the generator of a model for other programs to run.

Examples:
  keras-sagan export MODEL --out=site
  keras-sagan export MODEL --out=generator.onnx

The suffix of --out chooses the format, unless --format is given:

  no suffix      site: a folder with a page on which anyone can use the model,
                 in a browser, from any static web server
  .onnx          onnx: for onnxruntime and others, the same from every backend
  .keras         keras: a keras.Model without spectral normalization
  .safetensors   safetensors: the tensors by name
  .tflite        litert: for devices (only under TensorFlow)
                 savedmodel: a folder for TensorFlow (not under PyTorch)

Each export is run before it is given its name. It is refused if an image
differs from the model's by more than 1 of 255.
"""

import argparse
import pathlib

from keras_sagan import sizes
from keras_sagan.cli import options
from keras_sagan.cli.models import load_model
from keras_sagan.cli.parsing import UsageError

# By format: the function, and the suffix of what it writes.
_WRITERS = {
    "site": ("to_site", ""),
    "onnx": ("to_onnx", ".onnx"),
    "keras": ("to_keras", ".keras"),
    "safetensors": ("to_safetensors", ".safetensors"),
    "litert": ("to_litert", ".tflite"),
    "savedmodel": ("to_saved_model", ""),
}


def add_arguments(parser):
    options.add_model(parser)
    suffixes = dict.fromkeys(suffix for _, suffix in _WRITERS.values())
    options.add_out(
        parser, "File or folder to write.", required=True, suffixes=suffixes
    )
    parser.add_argument(
        "--format",
        choices=_WRITERS,
        help="Format to write. Default: chosen by the suffix of --out.",
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "float16"),
        help="Type in which an ONNX file stores the weights. float16 makes it "
        "half as large. Default: float32.",
    )
    parser.add_argument(
        "--attention",
        action=argparse.BooleanOptionalAction,
        help="Whether the scores of attention layers are also outputs of an "
        "ONNX file. Default: --no-attention.",
    )
    parser.add_argument(
        "--title",
        help="Title of the page of a site. Default: the size of the images.",
    )
    parser.add_argument(
        "--webgpu",
        action=argparse.BooleanOptionalAction,
        help="Whether a site can use WebGPU, which takes 27 MB more. Default: "
        "--webgpu.",
    )
    parser.add_argument(
        "--runtime",
        metavar="FILE",
        type=pathlib.Path,
        help="For a site: the file that `npm pack onnxruntime-web@1.30.0` "
        "writes. Default: it is downloaded once.",
    )
    parser.add_argument(
        "--ema",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="Whether to export the EMA generator. Default: --ema.",
    )


def run(arguments):
    out = arguments.out
    name = arguments.format or next(
        name
        for name, (_, suffix) in _WRITERS.items()
        if suffix == out.suffix.lower()
    )
    function, suffix = _WRITERS[name]
    if suffix != out.suffix.lower():
        rule = f"end in {suffix}" if suffix else "have no suffix"
        raise UsageError(f"argument --out: must {rule} for --format={name}")
    given = {}
    for option, format in (
        ("dtype", "onnx"),
        ("attention", "onnx"),
        ("title", "site"),
        ("webgpu", "site"),
        ("runtime", "site"),
    ):
        value = getattr(arguments, option)
        if value is not None and format != name:
            raise UsageError(
                f"argument --{option}: works only with --format={format}"
            )
        if value is not None:
            given[option] = value
    model, names = load_model(arguments.model)
    if name == "site":
        given["class_names"] = names
    from keras_sagan import export

    getattr(export, function)(model, out, ema=arguments.ema, **given)
    classes = "no" if model.num_classes is None else model.num_classes
    print(
        f"Wrote {out}: {sizes.text(model.resolution)}, {classes} classes. Its "
        "images are those of the model"
    )
    if name == "site":
        print(f"To look at it: python -m http.server --directory {out}")
