"""Export the generator of a model for other programs to run.

Example:
  keras-sagan export MODEL --out=generator.onnx

The suffix of --out chooses the format:

  .onnx          ONNX, for onnxruntime and others; the same from every backend
  .keras         a keras.Model without spectral normalization
  .safetensors   the tensors by name
  no suffix      a folder: a SavedModel of TensorFlow (not under PyTorch)

Each export is run before it is given its name. It is refused if an image
differs from the model's by more than 1 of 255.
"""

import argparse

from keras_sagan import sizes
from keras_sagan.cli import options
from keras_sagan.cli.models import load_model

WRITERS = {
    ".onnx": "to_onnx",
    ".keras": "to_keras",
    ".safetensors": "to_safetensors",
    "": "to_saved_model",
}


def add_arguments(parser):
    options.add_model(parser)
    options.add_out(
        parser, "File or folder to write.", required=True, suffixes=WRITERS
    )
    parser.add_argument(
        "--ema",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="Whether to export the EMA generator. Default: --ema.",
    )


def run(arguments):
    model, _ = load_model(arguments.model)
    from keras_sagan import export

    out = arguments.out
    write = getattr(export, WRITERS[out.suffix.lower()])
    write(model, out, ema=arguments.ema)
    classes = "no" if model.num_classes is None else model.num_classes
    print(
        f"Wrote {out}: {sizes.text(model.resolution)}, {classes} classes. Its "
        "images are those of the model"
    )
