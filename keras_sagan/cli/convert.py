"""Weights of another implementation to a .keras file, or back.

keras-sagan convert PATH --source=studiogan --out=model.keras
keras-sagan convert model.keras --target=studiogan --out=FOLDER
"""

import pathlib

from absl import flags

from keras_sagan.cli.parsing import parse
from keras_sagan.files import replacing


def main(arguments):
    values = flags.FlagValues()
    flags.DEFINE_enum(
        "source",
        None,
        ["studiogan", "mmgeneration", "biggan_pytorch", "released"],
        "Whose weights PATH holds.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "target",
        None,
        ["studiogan"],
        "For whom to write PATH, a .keras file of ours.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "shortcut_after_relu",
        None,
        "Whether the discriminator's shortcuts see its ReLU, as with in-place "
        "ReLU. Default: as the source's own configuration.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "out",
        None,
        "File (--source) or folder (--target) to write.",
        flag_values=values,
    )
    (path,) = parse(values, __doc__, arguments, ["PATH"])
    if (values.source is None) == (values.target is None):
        raise flags.Error("give one of --source and --target")
    if values.out is None:
        raise flags.Error("give --out")
    import keras

    import keras_sagan

    if values.target:
        model = keras.saving.load_model(path)
        keras_sagan.convert.save_weights(model, values.out, values.target)
        print(f"Wrote {values.out}, in the layout of {values.target}")
        return
    if not values.out.endswith(".keras"):
        raise flags.Error(f"--out must end in .keras, not --out={values.out}")
    overrides = {}
    if values.shortcut_after_relu is not None:
        overrides["shortcut_after_relu"] = values.shortcut_after_relu
    model = keras_sagan.convert.load_model(path, values.source, **overrides)
    with replacing(pathlib.Path(values.out)) as temporary:
        model.save(temporary)
    print(
        f"Wrote {values.out}: {model.resolution} pixels, {model.num_classes} "
        f"classes, {model.generator.count_params():,} and "
        f"{model.discriminator.count_params():,} parameters"
    )
