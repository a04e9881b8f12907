"""keras-sagan VERB: the library from a shell."""

import pathlib
import sys

from absl import flags

USAGE = """\
keras-sagan VERB [ARGUMENTS]

  convert   weights of another implementation to a .keras file, or back
  presets   the recipes and what they are

keras-sagan VERB --help says more. KERAS_BACKEND chooses the backend."""


def convert(arguments):
    """Weights of another implementation to a .keras file, or back.

    keras-sagan convert PATH --source=studiogan --out=model.keras
    keras-sagan convert model.keras --target=studiogan --out=FOLDER
    """
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
    (path,) = _parse(values, convert, arguments, ["PATH"])
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
    from keras_sagan.files import replacing

    with replacing(pathlib.Path(values.out)) as temporary:
        model.save(temporary)
    print(
        f"Wrote {values.out}: {model.resolution} pixels, {model.num_classes} "
        f"classes, {model.generator.count_params():,} and "
        f"{model.discriminator.count_params():,} parameters"
    )


def presets(arguments):
    """The recipes, and what they are.

    keras-sagan presets
    """
    _parse(flags.FlagValues(), presets, arguments, [])
    import keras_sagan

    for name in keras_sagan.list_presets():
        print(f"{name}\n    {keras_sagan.get_preset(name)['description']}")


VERBS = {"convert": convert, "presets": presets}


def main(arguments=None):
    """Runs a verb; returns the exit status: 0, 1 if it failed, 2 for usage."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE)
        return 0 if arguments else 2
    verb, *arguments = arguments
    if verb not in VERBS:
        print(f"keras-sagan: no verb {verb!r}\n\n{USAGE}", file=sys.stderr)
        return 2
    try:
        VERBS[verb](arguments)
    except _HelpShown:
        return 0
    except flags.Error as error:
        print(f"keras-sagan {verb}: {error}", file=sys.stderr)
        return 2
    except (OSError, ValueError, ImportError) as error:
        print(f"keras-sagan {verb}: {error}", file=sys.stderr)
        return 1
    return 0


class _HelpShown(Exception):
    pass


def _parse(values, verb, arguments, names):
    """Parses a verb's flags, and returns as many arguments as it has names."""
    if {"-h", "--help"} & set(arguments):
        print(f"{verb.__doc__.strip()}\n\n{values.main_module_help()}")
        print(values.get_help())
        raise _HelpShown
    _, *positional = values(["keras-sagan", *arguments])
    if len(positional) != len(names):
        raise flags.Error(
            f"takes {' '.join(names) or 'no arguments'}; received "
            f"{' '.join(positional) or 'none'}"
        )
    return positional
