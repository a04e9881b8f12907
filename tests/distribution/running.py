"""A run in a folder, for one process or several, that may be killed.

python -m tests.distribution.running WORKDIR STEPS
"""

import pathlib
import sys

import keras_sagan
from keras_sagan import distribution
from tests.distribution import training


def run(workdir, steps, shard=(0, 1)):
    return keras_sagan.train(
        workdir,
        training.make_model,
        lambda step: training.dataset(shard, step),
        steps,
        log_every=training.STEPS,
        sample_every=10_000,
        checkpoint_every=2,
        keep=10_000,
    )


if __name__ == "__main__":
    devices = distribution.start()
    training.quickly_built()
    run(pathlib.Path(sys.argv[1]), int(sys.argv[2]), devices.shard)
