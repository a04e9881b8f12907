"""Writes the weights of a preset, and facts about them, into the package.

    python benchmarks/ship.py digits outputs/digits/digits.keras --about=FILE

FILE is JSON with `class_names`, `data`, `metrics` (numbers and the `protocol`
with which they were measured), `recipe` and `license`. The weights are stored
in float16, except those of the generator if an image would then differ by more
than 1 of 255.
"""

import argparse
import json
import pathlib

import keras

import keras_sagan
from keras_sagan.models import shipped


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset")
    parser.add_argument("model", help="A .keras file of the preset's networks.")
    parser.add_argument("--about", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    trained = keras.saving.load_model(arguments.model)
    # Its networks may compute in bfloat16; those of the preset do not.
    model = keras_sagan.SAGAN.from_preset(arguments.preset, precision="float32")
    for name in ("generator", "ema_generator", "discriminator"):
        weights = getattr(trained, name).get_weights()
        getattr(model, name).set_weights(weights)
    model.steps_trained.assign(trained.count_steps())
    about = json.loads(arguments.about.read_text())
    path = shipped.save_weights(model, arguments.preset, about)
    print(f"Wrote {path}, {path.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
