"""Adam of the discriminator for 128 pixels: Keras' update, and in one pass.

    python benchmarks/torch_adam.py

Both take turns, with gradients in the order of the kernels, and in that of
PyTorch's convolutions. The script prints the medians in ms.
"""

import contextlib
import functools
import os
import statistics
import time

os.environ["KERAS_BACKEND"] = "torch"

import keras
import torch

from keras_sagan import backends
from keras_sagan import models
from keras_sagan.backends.torch_adam import in_one_pass

TURNS = 20


def as_of_a_convolution(gradient):
    """Returns the same numbers, stored in the order (D, C, h, w)."""
    if gradient.ndim != 4:
        return gradient
    return gradient.permute(3, 2, 0, 1).contiguous().permute(2, 3, 1, 0)


def main():
    backends.prepare_training()
    network = models.build_discriminator(128, 10, base_channels=16)
    variables = network.trainable_variables
    plain = [1e-3 * torch.randn(v.shape) for v in variables]
    print(f"{sum(x.numel() for x in plain):,} variables")
    for name, gradients in (
        ("kernels' order", plain),
        ("convolutions' order", [as_of_a_convolution(x) for x in plain]),
    ):
        optimizer = keras.optimizers.Adam(1e-4, beta_1=0.0, epsilon=1e-8)
        optimizer.build(variables)
        forms = {
            "Keras": contextlib.nullcontext,
            "in one pass": functools.partial(in_one_pass, optimizer),
        }
        seconds = {form: [] for form in forms}
        for _ in range(TURNS):
            for form, block in forms.items():
                begin = time.perf_counter()
                with torch.no_grad(), block():
                    optimizer.apply(gradients, variables)
                seconds[form].append(time.perf_counter() - begin)
        for form, times in seconds.items():
            print(f"{name}, {form}: {1e3 * statistics.median(times):.1f} ms")


if __name__ == "__main__":
    main()
