"""The generator of a model, for other programs to run.

keras-sagan export MODEL --out=generator.onnx

MODEL is a .keras file, or a folder or hf://owner/name of a shared model. The
suffix of --out chooses what is written:

  .onnx          for onnxruntime and others; the same from every backend
  .keras         a keras.Model without its spectral norms
  .safetensors   the tensors, by name
  none           a folder: TensorFlow's SavedModel (not under PyTorch)

Each is run before it gets its name, and refused if its images differ from the
model's by more than 1 of 255.
"""

import pathlib

from absl import flags

from keras_sagan.cli.models import load_model
from keras_sagan.cli.parsing import parse

WRITERS = {
    ".onnx": "to_onnx",
    ".keras": "to_keras",
    ".safetensors": "to_safetensors",
    "": "to_saved_model",
}


def main(arguments):
    values = flags.FlagValues()
    flags.DEFINE_string(
        "out", None, "File or folder to write.", flag_values=values
    )
    flags.DEFINE_bool(
        "ema",
        True,
        "Whether to write the EMA generator.",
        flag_values=values,
    )
    (name,) = parse(values, __doc__, arguments, ["MODEL"])
    if values.out is None:
        raise flags.Error("give --out")
    suffix = pathlib.Path(values.out).suffix
    if suffix not in WRITERS:
        raise flags.Error(
            "--out must end in .onnx, .keras or .safetensors, or have no "
            f"suffix: a folder; not --out={values.out}"
        )
    from keras_sagan import export

    model, _ = load_model(name)
    getattr(export, WRITERS[suffix])(model, values.out, ema=values.ema)
    classes = "no" if model.num_classes is None else model.num_classes
    print(
        f"Wrote {values.out}: {model.resolution} pixels, {classes} classes; "
        "its images are the model's"
    )
