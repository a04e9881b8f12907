"""keras-sagan VERB: the library on the command line.

Each verb is a module of this package: its docstring is the help text,
`add_arguments(parser)` declares its arguments, and `run(arguments)` does the
work. These modules import Keras inside `run`, so that help and errors in the
arguments appear at once.
"""

import importlib
import re
import sys

from keras_sagan.cli.models import import_modules
from keras_sagan.cli.parsing import Parser
from keras_sagan.cli.parsing import UsageError
from keras_sagan.files import printable
from keras_sagan.version import __version__

VERBS = (
    "attention",
    "convert",
    "curves",
    "evaluate",
    "export",
    "info",
    "prepare",
    "presets",
    "project",
    "sample",
    "serve",
    "train",
    "video",
    "walk",
)
_EPILOG = """\
Run `keras-sagan VERB --help` for the arguments of a verb. The environment
variable KERAS_BACKEND chooses the backend: tensorflow, jax or torch.
"""
# Names of arguments of functions, and their names on the command line.
_ALSO_CALLED = {
    "workdir": ("out",),
    "source": ("images",),
    "path": ("images", "model", "folder", "log"),
    "directory": ("folder",),
    "history": ("log",),
    "name": ("images",),
}
# `TrainingFailed` is a RuntimeError. Any other kind of exception is a bug,
# and keeps its traceback.
_FAILURES = (OSError, ValueError, ImportError, RuntimeError)


def main(arguments=None):
    """Runs `keras-sagan` and returns its exit status.

    Args:
        arguments: Strings, the verb and what follows it. Defaults to the
            arguments that the process was started with.

    Returns:
        0 for success, 1 if the verb failed, 2 if the arguments are wrong, 130
        after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = build_parser()
    if not arguments:
        parser.print_help(sys.stderr)
        return 2
    try:
        values, unknown = parser.parse_known_args(arguments)
        parser = values.parser
        if unknown:
            parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        import_modules(getattr(values, "modules", ()))
        values.run(values)
    except SystemExit as stop:  # argparse has printed help, or an error.
        return stop.code
    except UsageError as error:
        return _fail(parser, error, 2)
    except _FAILURES as error:
        return _fail(parser, error, 1)
    except KeyboardInterrupt:
        return 130  # The status that shells give to a process ended by Ctrl-C.
    return 0


def build_parser():
    """Returns the parser of the whole command line."""
    parser = Parser(
        "keras-sagan",
        description="Self-attention GANs (SAGAN) for Keras 3.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name in VERBS:
        module = importlib.import_module(f"keras_sagan.cli.{name}")
        summary, *_ = module.__doc__.splitlines()
        verb = verbs.add_parser(
            name,
            help=summary[0].lower() + summary.rstrip(".")[1:],
            description=module.__doc__,
        )
        module.add_arguments(verb)
        verb.set_defaults(run=module.run, parser=verb)
    return parser


def _fail(parser, error, status):
    # One line, even if the message of a framework has several.
    message = " ".join(str(error).split()) or type(error).__name__
    message = printable(_in_terms_of_options(parser, message))
    print(f"{parser.prog}: {message}", file=sys.stderr)
    return status


def _in_terms_of_options(parser, message):
    """Replaces names of arguments by those that the command line uses."""
    options = {}
    for action in parser._actions:
        option = [*action.option_strings, action.metavar or action.dest][0]
        options[action.dest] = option
    for name, others in _ALSO_CALLED.items():
        for other in others:
            if name not in options and other in options:
                options[name] = options[other]
    for name, option in options.items():
        message = message.replace(f"`{name}`", option)
        message = re.sub(rf"(?<![\w.]){name}=(?=\S)", f"{option}=", message)
    return message
