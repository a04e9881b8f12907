"""What is timed: our model on a backend, a peer, or bare convolutions.

A contender has a size, builds itself, and then trains or samples on demand.
Each call returns only when the work is done, and the caller measures the time.
"""

import dataclasses
import os
import resource
import sys
import time


@dataclasses.dataclass(frozen=True)
class Size:
    resolution: int
    base_channels: int
    batch_size: int
    num_classes: int
    attention_resolution: int
    precision: str = "float32"
    fused: bool = True
    jit_compile: str = "auto"
    form: str = "released"

    @property
    def attention(self):
        """The `attention_resolutions` of our networks."""
        return (self.attention_resolution,) if self.attention_resolution else ()

    def batch(self):
        """Returns noise in [-1, 1] and labels; any image costs the same."""
        import numpy as np

        rng = np.random.default_rng(0)
        shape = (self.batch_size, self.resolution, self.resolution, 3)
        images = rng.uniform(-1, 1, shape).astype("float32")
        labels = rng.integers(self.num_classes, size=self.batch_size)
        return images, labels.astype("int32")


class Ours:
    """`SAGAN.fit` and `SAGAN.generate`, as a user calls them."""

    def __init__(self, size, graph=False):
        begin = time.perf_counter()
        import keras

        keras_imported = time.perf_counter()
        import keras_sagan
        from keras_sagan import backends

        backends.prepare_training()  # As `keras-sagan train` does.
        self.import_seconds = {
            "keras": keras_imported - begin,
            "keras_sagan": time.perf_counter() - keras_imported,
        }
        keras.utils.set_random_seed(0)
        keras.config.set_dtype_policy(size.precision)
        arguments = {
            "resolution": size.resolution,
            "num_classes": size.num_classes,
            "base_channels": size.base_channels,
            "attention_resolutions": size.attention,
            "attention": size.form,
            "fused_resampling": size.fused,
        }
        self.model = keras_sagan.SAGAN(
            keras_sagan.models.build_generator(**arguments),
            keras_sagan.models.build_discriminator(**arguments),
            seed=0,
        )
        jit_compile = {"auto": "auto", "on": True, "off": False}
        self.model.compile(jit_compile=graph or jit_compile[size.jit_compile])
        # Use the same batch again and again, so that neither an input pipeline
        # nor the copy of a large array takes time.
        batch = size.batch()

        class Batches(keras.utils.PyDataset):
            steps = 1

            def __len__(self):
                return self.steps

            def __getitem__(self, index):
                return batch

        self.batches = Batches()

    def parameters(self):
        return self.model.generator.count_params(), (
            self.model.discriminator.count_params()
        )

    def train(self, steps):
        import keras

        # Time only the steps, because a training run calls `fit` once. There
        # is also a wait around them: when TensorFlow releases a dataset, a
        # thread of tf.data may still sleep for seconds.
        times = []
        watch = keras.callbacks.LambdaCallback(
            on_train_begin=lambda logs: times.append(time.perf_counter()),
            on_train_end=lambda logs: times.append(time.perf_counter()),
        )
        self.batches.steps = steps
        self.model.fit(self.batches, verbose=0, callbacks=[watch])
        begin, end = times
        return end - begin

    def one_step(self):
        """Runs one step without `fit`, on PyTorch, to count its operations."""
        import keras

        batch = map(keras.ops.convert_to_tensor, self.batches[0])
        self.model.train_step(tuple(batch))

    def sample(self, n):
        return self.model.generate(num_images=n, batch_size=n, seed=0)


def peak_memory():
    """Returns peak bytes: of the GPU if there is one, else of the process."""
    if "torch" in sys.modules:
        import torch

        if torch.cuda.is_available():
            return torch.cuda.max_memory_allocated()
    if os.environ.get("KERAS_BACKEND") == "jax":
        import jax

        statistics = jax.local_devices()[0].memory_stats()
        if statistics:
            return statistics["peak_bytes_in_use"]
    if os.environ.get("KERAS_BACKEND") == "tensorflow":
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):
            return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
