"""Parses arguments by argparse, with types that check their values.

This is plain argparse, because each verb has its own options. absl's
`argparse_flags` would add absl's own options (--verbosity, --logtostderr, ...)
to the help of every verb.
"""

import argparse
import pathlib

from keras_sagan import sizes
from keras_sagan.files import printable

# Suffixes of files that verbs read or write, in lower case.
_FILES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".apng", ".svg", ".pdf")
_FILES += (".json", ".npz", ".keras", ".onnx")


class UsageError(Exception):
    """Raised if arguments that were parsed do not fit together."""


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` whose errors are one line, with exit status 2."""

    has_verbs = False

    def __init__(self, *args, **kwargs):
        super().__init__(
            *args,
            # The descriptions are docstrings, which are wrapped already.
            formatter_class=argparse.RawDescriptionHelpFormatter,
            # With abbreviations a new option could change an old command.
            allow_abbrev=False,
            **kwargs,
        )

    def add_subparsers(self, **kwargs):
        self.has_verbs = True
        return super().add_subparsers(**kwargs)

    def parse_known_args(self, args=None, namespace=None):
        # The parser of the verb checks its own arguments.
        for text in () if self.has_verbs else args or ():
            # argparse would make an empty list of it, for any type.
            if text.startswith("--") and text.endswith("=--"):
                name = text.removesuffix("=--")
                self.error(f"argument {name}: must have a value, not --")
        return super().parse_known_args(args, namespace)

    def error(self, message):
        self.exit(2, f"{self.prog}: {printable(message)}\n")


def number(kind, low=None, high=None):
    """Returns a type of argument: `int` or `float` in a closed range."""
    what = "an integer" if kind is int else "a number"
    if low is not None:
        what += f" of at least {low:,}" if high is None else f" from {low:,}"
    if high is not None:
        what += f" to {high:,}"

    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        # A NaN fails these comparisons, too.
        if (
            value is None
            or not (low is None or value >= low)
            or not (high is None or value <= high)
        ):
            raise argparse.ArgumentTypeError(f"must be {what}, not {text}")
        return value

    return parse


def resolution(text):
    """Parses `N` or `HEIGHTxWIDTH` as an integer or a pair of them."""
    try:
        sides = tuple(int(side) for side in text.split("x"))
    except ValueError:
        sides = ()
    if len(sides) not in (1, 2) or not all(8 <= side <= 1024 for side in sides):
        raise argparse.ArgumentTypeError(
            "must be a number of pixels from 8 to 1,024, or HEIGHTxWIDTH, not "
            f"{text}"
        )
    return sizes.plain(sides[0], sides[-1])


def size_of_networks(text):
    """Parses a `resolution` that networks can have."""
    value = resolution(text)
    try:
        sizes.size_of(value)
    except ValueError as error:
        rule, _, _ = str(error).removeprefix("`resolution` ").rpartition(".")
        raise argparse.ArgumentTypeError(f"{rule}; not {text}") from None
    return value


def comma_separated(kind=str):
    """Returns a type of argument: a list of values between commas."""

    def parse(text):
        return [kind(part.strip()) for part in text.split(",")]

    return parse


def path_ending_in(*suffixes):
    """Returns a type of argument: a `Path` with one of these suffixes.

    The suffix `""` stands for a folder.
    """
    named = [suffix for suffix in suffixes if suffix]
    what = f"must end in {' or '.join([', '.join(named[:-1]), named[-1]])}"
    if len(named) == 1:
        what = f"must end in {named[0]}"
    if "" in suffixes:
        what += ", or have no suffix: a folder"

    def parse(text):
        path = pathlib.Path(text)
        if path.suffix.lower() not in suffixes:
            raise argparse.ArgumentTypeError(f"{what}; not {text}")
        return path

    return parse


def folder(text):
    """Parses a `Path` of a folder, which is not named like a file."""
    path = pathlib.Path(text)
    if path.suffix.lower() in _FILES and not path.is_dir():
        raise argparse.ArgumentTypeError(
            f"must be a folder, without the suffix {path.suffix}; not {text}"
        )
    return path
