"""Compares how fast images reach the training with decoding alone.

    python benchmarks/loader.py

The script makes JPEG files of ImageNet's size from the bundled photographs. It
measures, in turns, images per second at the chosen resolution: decoding,
cropping and resizing alone, with the same number of threads; the loader, which
does this and makes batches; a prepared folder; TensorFlow's decoder alone; and
the tf.data pipeline. Then it times the steps of a training that gets one batch
again and again, and of the same training with the loader. The difference is the
time that training waits, or that decoding takes from it. At the end, it
measures the memory over 2,000 steps.
"""

import concurrent.futures
import pathlib
import statistics
import tempfile
import time

import keras
import numpy as np
from absl import app
from absl import flags
from PIL import Image

import keras_sagan
from keras_sagan import data
from keras_sagan import models
from keras_sagan.data.images import read_image
from keras_sagan.data.pixels import crop_and_resize

_RESOLUTION = flags.DEFINE_integer("resolution", 128, "Side in pixels.", 16)
_IMAGES = flags.DEFINE_integer("images", 600, "Number of files.", 64)
_WORKERS = flags.DEFINE_integer("workers", 2, "Number of threads.", 1)
_BATCH = flags.DEFINE_integer("batch", 32, "Images in a batch.", 1)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds, in turns.", 1)
_STEPS = flags.DEFINE_integer("steps", 60, "Steps of each training.", 10)
_MEMORY_STEPS = flags.DEFINE_integer("memory_steps", 2000, "Steps; 0: no.", 0)


def make_files(folder):
    """Makes JPEG files of 500x375, of about 110 kB like those of ImageNet."""
    images, labels = data.load_photographs(128, crops=-(-_IMAGES.value // 9))
    for i in range(_IMAGES.value):
        path = folder / str(labels[i]) / f"{i:04d}.jpg"
        path.parent.mkdir(exist_ok=True)
        rng = np.random.default_rng(i)
        image = Image.fromarray(images[i]).resize((500, 375))
        grain = rng.normal(0, 24, (375, 500, 3))  # As from a camera.
        pixels = np.clip(np.asarray(image) + grain, 0, 255).astype("uint8")
        Image.fromarray(pixels).save(path, quality=90)
    sizes = [p.stat().st_size for p in folder.rglob("*.jpg")]
    print(f"{len(sizes)} files of 500x375, {np.mean(sizes) / 1e3:.0f} kB each")


def decoder_alone(paths):
    def decode(path):
        return crop_and_resize(read_image(path), _RESOLUTION.value)

    with concurrent.futures.ThreadPoolExecutor(_WORKERS.value) as pool:
        return len(list(pool.map(decode, paths)))


def loader(dataset):
    return sum(len(dataset[i][1]) for i in range(len(dataset)))


def tensorflow_alone(paths):
    import tensorflow

    from keras_sagan.data.tfds import decode

    encoded = [path.read_bytes() for path in paths]
    dataset = tensorflow.data.Dataset.from_tensor_slices(encoded)
    dataset = dataset.map(
        lambda x: decode(x, _RESOLUTION.value),
        num_parallel_calls=_WORKERS.value,
    )
    return sum(1 for _ in dataset)


def tf_data(paths):
    import tensorflow

    from keras_sagan.data.tfds import endless_batches

    encoded = [path.read_bytes() for path in paths]
    labels = np.zeros(len(paths), "int64")
    dataset = endless_batches(
        tensorflow.data.Dataset.from_tensor_slices((encoded, labels)),
        len(paths),
        _RESOLUTION.value,
        3,
        _BATCH.value,
        seed=0,
        start_step=0,
        augment=None,
        shard=(0, 1),
    )
    steps = len(paths) // _BATCH.value
    return sum(len(labels) for _, labels in dataset.take(steps))


def rates(contenders):
    """Returns the images per second of each, the median over the rounds."""
    found = {name: [] for name in contenders}
    for _ in range(_ROUNDS.value):
        for name, run in contenders.items():
            begin = time.perf_counter()
            n = run()
            found[name].append(n / (time.perf_counter() - begin))
    return {name: statistics.median(rate) for name, rate in found.items()}


def make_model(width):
    keras.utils.set_random_seed(0)
    model = keras_sagan.SAGAN(
        models.build_generator(_RESOLUTION.value, 9, base_channels=width),
        models.build_discriminator(_RESOLUTION.value, 9, base_channels=width),
        seed=0,
    )
    model.compile()
    return model


class Steps(keras.callbacks.Callback):
    """Records when each step ended, and the memory in use."""

    def on_train_begin(self, logs=None):
        self.ends, self.megabytes = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.ends.append(time.perf_counter())
        status = pathlib.Path("/proc/self/status").read_text()
        kilobytes = status.split("VmRSS:")[1].split()[0]
        self.megabytes.append(int(kilobytes) / 1024)


def seconds_a_step(model, dataset):
    steps = Steps()
    model.fit(dataset, verbose=0, callbacks=[steps])
    return statistics.median(np.diff(steps.ends[5:]))


def main(_):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name) / "images"
        folder.mkdir()
        make_files(folder)
        measure(folder, pathlib.Path(name))


def measure(folder, temporary):
    paths = sorted(folder.rglob("*.jpg"))
    source = data.ImageFolder(folder).at(_RESOLUTION.value)
    prepared = data.prepare(source, temporary / "prepared", verbose=0)
    options = {"batch_size": _BATCH.value, "workers": _WORKERS.value}
    contenders = {
        "decoder alone": lambda: decoder_alone(paths),
        "loader, folder": lambda: loader(data.from_source(source, **options)),
        "loader, prepared": lambda: loader(
            data.from_source(prepared, **options)
        ),
        "TensorFlow's decoder alone": lambda: tensorflow_alone(paths),
        "tf.data": lambda: tf_data(paths),
    }
    found = rates(contenders)
    print(f"\n| {_RESOLUTION.value} pixels | images/s |\n|---|---|")
    for contender, rate in found.items():
        print(f"| {contender} | {rate:.0f} |")
    first, second = found["loader, folder"], found["decoder alone"]
    print(f"\nloader / decoder alone: {first / second:.2f}")
    first, second = found["tf.data"], found["TensorFlow's decoder alone"]
    print(f"tf.data / its decoder alone: {first / second:.2f}")

    model = make_model(width=16)
    steps = {"steps_per_epoch": _STEPS.value}
    batch = data.from_source(source, **options).batch(0)
    memory = data.from_arrays(*batch, batch_size=_BATCH.value, **steps)
    seconds = {"one batch": [], "folder": [], "prepared": []}
    for _ in range(3):
        for name, dataset in (
            ("one batch", memory),
            ("folder", data.from_source(source, **options, **steps)),
            ("prepared", data.from_source(prepared, **options, **steps)),
        ):
            seconds[name].append(seconds_a_step(model, dataset))
    print(f"\n| training on {keras.backend.backend()} from | ms per step |")
    print("|---|---|")
    for name, values in seconds.items():
        print(f"| {name} | {1e3 * statistics.median(values):.0f} |")

    if _MEMORY_STEPS.value:
        model = make_model(width=1)
        watch = Steps()
        dataset = data.from_source(
            prepared, batch_size=4, steps_per_epoch=100, workers=2
        )
        model.fit(
            dataset,
            epochs=-(-_MEMORY_STEPS.value // 100),
            verbose=0,
            callbacks=[watch],
        )
        used = watch.megabytes
        print(
            "\nMemory after step: "
            + ", ".join(
                f"{i}: {used[i - 1]:.0f} MB"
                for i in (100, 500, 1000, 1500, 2000)
                if i <= len(used)
            )
        )


if __name__ == "__main__":
    app.run(main)
