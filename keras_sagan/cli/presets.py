"""List the presets: recipes with a name.

Example:
  keras-sagan presets
"""


def add_arguments(parser):
    pass


def run(arguments):
    import keras_sagan

    for name in keras_sagan.list_presets():
        print(f"{name}\n    {keras_sagan.get_preset(name)['description']}")
