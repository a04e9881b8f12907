"""List the presets: recipes with a name, some of them with trained weights.

Example:
  keras-sagan presets
"""


def add_arguments(parser):
    pass


def run(arguments):
    import keras_sagan

    for name in keras_sagan.list_presets():
        with_weights = name in keras_sagan.list_weights()
        print(f"{name}{', with weights' if with_weights else ''}")
        print(f"    {keras_sagan.get_preset(name)['description']}")
