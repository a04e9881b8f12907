"""Two processes that differ in one thing at a time.

    python -m tests.distribution.different FOLDER CASE...

prints a line for each case: what the error said.
"""

import pathlib
import sys

import keras

import keras_sagan
from keras_sagan import data
from keras_sagan import distribution
from keras_sagan import models
from tests.distribution import training


def train(folder, case, process):
    """Trains one step; `case` is what process 1 does otherwise."""
    other = case if process else None
    images, labels = training.images_and_labels()
    if other == "images":
        images = 255 - images
    names = ["a", "b", "d" if other == "classes" else "c"]

    def make_model():
        keras.utils.set_random_seed(3)
        width = 2 if other == "width" else 1
        generator = models.build_generator(
            16, 3, latent_dim=8, base_channels=width
        )
        discriminator = models.build_discriminator(16, 3, base_channels=1)
        model = keras_sagan.SAGAN(generator, discriminator, seed=7)
        momentum = 0.5 if other == "momentum" else 0.9
        model.compile(keras.optimizers.SGD(0.05, momentum))
        return model

    def make_dataset(step):
        return data.from_arrays(
            images,
            labels,
            batch_size=8 if other == "batch_size" else 16,
            class_names=names,
            seed=1 if other == "seed" else 0,
            start_step=step,
            steps_per_epoch=1,
            shard=(0 if other == "shard" else process, 2),
        )

    keras_sagan.train(
        folder / ("elsewhere" if other == "workdir" else "run") / case,
        make_model,
        make_dataset,
        2 if other == "steps" else 1,
        settings={"model": "b" if other == "settings" else "a"},
    )


if __name__ == "__main__":
    devices = distribution.start()
    training.quickly_built()
    for case in sys.argv[2:]:
        try:
            train(pathlib.Path(sys.argv[1]), case, devices.process)
            print(f"{case}: nothing", flush=True)
        except ValueError as error:
            print(f"{case}: {error}", flush=True)
