"""A run in a folder, for one process or several, that may be killed.

python -m tests.distribution.running WORKDIR STEPS
"""

import pathlib
import sys

import keras_sagan
from keras_sagan import callbacks
from keras_sagan import distribution
from tests.distribution import training
from tests.metrics.extractor import quadrants


def run(workdir, steps, shard=(0, 1)):
    evaluation = callbacks.Evaluation(
        training.images_and_labels(),
        every=4,
        path=workdir / "best.keras",
        num_images=40,
        feature_extractor=quadrants,
    )
    return keras_sagan.train(
        workdir,
        training.make_model,
        lambda step: training.dataset(shard, step),
        steps,
        log_every=training.STEPS,
        sample_every=10_000,
        checkpoint_every=2,
        keep=10_000,
        callbacks=[evaluation],
    )


if __name__ == "__main__":
    devices = distribution.start()
    training.quickly_built()
    run(pathlib.Path(sys.argv[1]), int(sys.argv[2]), devices.shard)
