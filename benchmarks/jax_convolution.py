"""Compares our convolutions on JAX with XLA's, on this machine's CPU.

    python benchmarks/jax_convolution.py

Each row is a convolution of a training step at 64 pixels, width 32, batch 16.
The columns are the milliseconds of the convolution, of its gradient with
respect to the kernel, and of that with respect to the input; XLA's first.
"""

import os
import time

os.environ["KERAS_BACKEND"] = "jax"

import jax
import numpy as np

from keras_sagan import backends
from keras_sagan.backends import jax_convolution

ONE = ((1, 1), (1, 1))
ROWS = [
    ((16, 32, 32, 64), (3, 3, 64, 64), 1, "SAME"),
    ((16, 64, 64, 32), (3, 3, 32, 32), 1, "SAME"),
    ((16, 34, 34, 64), (2, 2, 64, 128), 1, "VALID"),
    ((16, 18, 18, 128), (2, 2, 128, 256), 1, "VALID"),
    ((32, 32, 32, 32), (3, 3, 32, 64), 1, "SAME"),
    ((32, 64, 64, 32), (4, 4, 32, 32), 2, ONE),
    ((32, 32, 32, 64), (4, 4, 64, 64), 2, ONE),
    ((16, 32, 32, 64), (1, 1, 64, 32), 1, "SAME"),
]


def main():
    backends.prepare_training()
    rng = np.random.default_rng(0)
    print("| input | kernel | stride | value | kernel | input |")
    print("|---" * 6 + "|")
    for shape, kernel_shape, stride, padding in ROWS:
        arrays = [
            jax.numpy.asarray(rng.normal(size=s), "float32")
            for s in (shape, kernel_shape)
        ]
        times = zip(
            *(
                measure(convolve, arrays, stride, padding)
                for convolve in (
                    jax_convolution.convolve_by_xla,
                    jax_convolution.convolve,
                )
            )
        )
        cells = [f"{a:.1f}, {b:.1f}" for a, b in times]
        print(f"| {shape} | {kernel_shape} | {stride} | {' | '.join(cells)} |")


def measure(convolve, arrays, stride, padding):
    """Returns the milliseconds of the value and of both gradients."""

    def value(x, kernel):
        return convolve(x, kernel, stride, padding)

    def gradient(argument):
        def function(x, kernel, dy):
            both = [x, kernel]

            def of_one(a):
                both[argument] = a
                return value(*both)

            return jax.vjp(of_one, both[argument])[1](dy)[0]

        return function

    dy = value(*arrays)
    return [
        fastest(value, arrays),
        fastest(gradient(1), [*arrays, dy]),
        fastest(gradient(0), [*arrays, dy]),
    ]


def fastest(function, arguments):
    """Returns the milliseconds of the fastest of nine calls."""
    compiled = jax.jit(function)
    jax.block_until_ready(compiled(*arguments))
    times = []
    for _ in range(9):
        start = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


if __name__ == "__main__":
    main()
