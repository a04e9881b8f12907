"""What the verbs share: flags of their own, and help."""

from absl import flags


class HelpShown(Exception):
    """Help was asked for and printed: there is nothing left to do."""


def parse(values, help_text, arguments, names):
    """Parses a verb's flags, and returns as many arguments as it has names.

    Args:
        values: `flags.FlagValues` in which the verb defined its flags.
        help_text: The docstring of the verb's module.
        arguments: Strings, what follows the verb.
        names: Names of the positional arguments, as help shows them.

    Raises:
        HelpShown: If `--help` is among the arguments.
        flags.Error: If the arguments do not fit.
    """
    if {"-h", "--help"} & set(arguments):
        print(help_text.strip())
        for module in values.flags_by_module_dict():
            if module != flags.__name__:  # Those that absl adds of itself.
                print(values.module_help(module))
        raise HelpShown
    _, *positional = values(["keras-sagan", *arguments])
    if len(positional) != len(names):
        raise flags.Error(
            f"takes {' '.join(names) or 'no arguments'}; received "
            f"{' '.join(positional) or 'none'}"
        )
    return positional
