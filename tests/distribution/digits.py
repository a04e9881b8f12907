"""The training of examples/digits.py, on one device or on several.

    python -m tests.distribution.digits OUT.jsonl STEPS DTYPE [one|nudged]

starts the engine as the process' environment asks for, unless told `one`, or
`nudged`: that is one device too, from weights a rounding away; logs ten times.
"""

import pathlib
import sys

import keras
import numpy as np

import keras_sagan
from keras_sagan import callbacks
from keras_sagan import data
from keras_sagan import distribution
from tests.helpers import computing_in  # It makes two devices.


def train(path, steps, devices, nudged=False):
    keras.utils.set_random_seed(0)
    preset = keras_sagan.get_preset("digits")
    model = keras_sagan.SAGAN.from_preset("digits", seed=0)
    for variable in model.trainable_variables if nudged else ():
        variable.assign(variable * (1 + np.finfo(variable.dtype).eps))
    images, labels = data.load_digits(16)
    dataset = data.from_arrays(
        images[:1347],
        labels[:1347],
        preset["batch_size"],
        seed=0,
        steps_per_epoch=steps // 10,
        shard=devices.shard,
    )
    logger = [callbacks.JSONLogger(path)] if devices.is_first else []
    model.fit(dataset, epochs=10, verbose=0, callbacks=logger)


if __name__ == "__main__":
    path, steps, dtype, *one = sys.argv[1:]
    devices = distribution.Devices(0, 1, 1) if one else distribution.start()
    with computing_in(dtype):
        train(pathlib.Path(path), int(steps), devices, one == ["nudged"])
