"""keras-sagan VERB: the library from a shell."""

import importlib
import sys

from absl import flags

from keras_sagan.callbacks import TrainingFailed
from keras_sagan.cli.parsing import HelpShown

# One module each; it is imported when its verb is given.
VERBS = {
    "attention": "where a model looks, as figures",
    "convert": "weights of another implementation to a .keras file, or back",
    "curves": "curves of a training run, from its log",
    "evaluate": "FID and other figures of a model or images against others",
    "export": "the generator as ONNX, SavedModel, .keras or safetensors",
    "info": "what is in a saved model",
    "prepare": "images decoded and resized once, for training",
    "presets": "the recipes and what they are",
    "sample": "images of a model, a grid or a file each",
    "serve": "a page to play with a model",
    "train": "a SAGAN on your images",
    "video": "a video of a training run, from its grids",
    "walk": "from image to image, as a video or a strip",
}
USAGE = "\n".join(
    [
        "keras-sagan VERB [ARGUMENTS]\n",
        *(f"  {verb:11}{what}" for verb, what in VERBS.items()),
        "\nkeras-sagan VERB --help says more. KERAS_BACKEND chooses the "
        "backend.",
    ]
)


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
        importlib.import_module(f"keras_sagan.cli.{verb}").main(arguments)
    except HelpShown:
        return 0
    except flags.Error as error:
        print(f"keras-sagan {verb}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130  # As a shell says of what Ctrl-C ended.
    except (OSError, ValueError, ImportError, TrainingFailed) as error:
        print(f"keras-sagan {verb}: {error}", file=sys.stderr)
        return 1
    return 0
