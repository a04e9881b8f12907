"""The recipes, and what they are.

keras-sagan presets
"""

from absl import flags

from keras_sagan.cli.parsing import parse


def main(arguments):
    parse(flags.FlagValues(), __doc__, arguments, [])
    import keras_sagan

    for name in keras_sagan.list_presets():
        print(f"{name}\n    {keras_sagan.get_preset(name)['description']}")
