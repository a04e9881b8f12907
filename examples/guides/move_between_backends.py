"""Guide: train under one backend, sample under another.

    KERAS_BACKEND=jax python examples/guides/move_between_backends.py

A `.keras` file does not depend on the backend. This script trains a few steps
under the backend that KERAS_BACKEND names, and saves the model. Then it starts
itself again under another backend (--other), loads the file, and generates the
same images: latents and labels are drawn with NumPy, so a seed means the same
on every backend. The images differ only by rounding, by at most 1 of 255.

You can continue the training in the same way: the optimizers, the EMA generator
and the step count are in the file as well.

This takes 20 to 40 seconds, most of them to start and compile. Both backends
must be installed. The script writes the file and a picture to --out.
"""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
from absl import app
from absl import flags

import keras_sagan
from keras_sagan import data
from keras_sagan import visualization

FLAGS = flags.FLAGS
flags.DEFINE_enum(
    "other",
    None,
    ["tensorflow", "jax", "torch"],
    "Backend to sample under. Default: TensorFlow, or else PyTorch.",
)
flags.DEFINE_integer("steps", 50, "Steps to train.", lower_bound=1)
flags.DEFINE_integer(
    "width", 8, "Base channels of the networks.", lower_bound=1
)
flags.DEFINE_string("out", "outputs/backends", "Folder for the output.")
flags.DEFINE_string("sample_to", None, "Only sample, to this .npy file.")

# Labels to sample: three of each digit.
LABELS = np.repeat(np.arange(10), 3)


def train(path):
    keras.utils.set_random_seed(0)
    images, labels = data.load_digits(16)
    model = keras_sagan.SAGAN(
        keras_sagan.models.build_generator(
            16, 10, base_channels=FLAGS.width, batch_norm_momentum=0.9
        ),
        keras_sagan.models.build_discriminator(
            16, 10, base_channels=FLAGS.width
        ),
        ema_momentum=0.9,
        ema_start_step=5,
        seed=0,
    )
    model.compile()
    dataset = data.from_arrays(images, labels, batch_size=32)
    model.fit(dataset, epochs=1, steps_per_epoch=FLAGS.steps, verbose=0)
    model.save(path)


def sample(path):
    """Loads the file under the current backend, and samples."""
    model = keras.saving.load_model(path)
    return model.generate(labels=LABELS, seed=0)


def sample_under(backend, path, to):
    """Runs this script again, because a process has only one backend."""
    subprocess.run(
        [sys.executable, __file__, f"--out={path.parent}", f"--sample_to={to}"],
        env={**os.environ, "KERAS_BACKEND": backend},
        check=True,
    )
    return np.load(to)


def main(_):
    out = pathlib.Path(FLAGS.out)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "model.keras"
    if FLAGS.sample_to:
        np.save(FLAGS.sample_to, sample(path))
        return
    here = keras.backend.backend()
    default = "torch" if here == "tensorflow" else "tensorflow"
    other = FLAGS.other or default
    train(path)
    images = sample(path)
    others = sample_under(other, path, out / f"{other}.npy")
    difference = np.abs(images.astype(int) - others).max()
    print(f"{here} and {other} differ by at most {difference} of 255")
    visualization.image_grid(
        np.concatenate([images, others]),
        columns=len(LABELS),
        scale=3,
        path=out / "both.png",
        row_names=[here, other],
    )
    if difference > 1:
        raise SystemExit("This is more than rounding: please report it.")


if __name__ == "__main__":
    app.run(main)
