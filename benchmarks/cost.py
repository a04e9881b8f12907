r"""Estimates the cost of a run on ImageNet on 1, 8 and 64 GPUs.

    python benchmarks/cost.py                    # prints the table
    python benchmarks/cost.py --images_per_second=700   # one GPU, measured
    python benchmarks/cost.py --check

A step on n GPUs takes

    compute      batch / n images, at the rate of one GPU. This is a measured
                 rate, or the operations per second that a GPU sustains
                 (assumed), divided by the operations per image, which PyTorch
                 counts in a step that it runs here;
    gradients    4 bytes for each parameter of both networks. A ring moves
                 2 (n - 1) / n of them through each link; nothing overlaps;
    moments      a small exchange for each batch norm and pass, and one more if
                 there is a gradient, each at the latency of the links.

Everything except the parameters and the exchanges is an assumption, which a
flag can change. `--check` compares this model with measurements on this machine
with PyTorch. It measures the step of a process while another one trains by
itself (here they share the bandwidth of the memory, unlike GPUs), an exchange
of as many bytes, and a small exchange. From these three, the model predicts the
step of two processes that train together, which is measured as well.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import time

from absl import app
from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_string("preset", "imagenet_128", "The recipe.")
flags.DEFINE_integer("steps", 1_000_000, "Steps of the run.", 1)
flags.DEFINE_integer("batch_size", None, "Default: as in the preset.", 1)
flags.DEFINE_float("tflops", 40.0, "TFLOP/s of a GPU (assumed).", 0.0)
flags.DEFINE_float(
    "images_per_second", None, "Measured rate of one GPU, if known.", 0.0
)
flags.DEFINE_integer("gpus_per_host", 8, "GPUs in a machine.", 1)
flags.DEFINE_float("link", 150.0, "GB/s between GPUs of a host (assumed).")
flags.DEFINE_float("network", 25.0, "GB/s between hosts (assumed).")
flags.DEFINE_float("latency", 30.0, "Microseconds per exchange in a host.")
flags.DEFINE_float("network_latency", 80.0, "The same, between hosts.")
flags.DEFINE_float("price", 2.5, "Dollars per GPU hour (assumed).")
flags.DEFINE_bool("check", False, "Measure on two processes of this machine.")
flags.DEFINE_integer("check_batch", 8, "Images per process, 64 pixels.", 1)
flags.DEFINE_bool("worker", False, "Used by --check.")

BATCH_NORMS = {16: 5, 32: 7, 64: 9, 128: 11, 256: 13}


def exchanges(resolution, discriminator_steps, accumulation):
    """Returns the number of small exchanges of a step."""
    # Passes of the generator: one per discriminator step, its own, and back.
    return (discriminator_steps + 2) * accumulation * BATCH_NORMS[resolution]


def step_seconds(compute, gigabytes, small, n, bandwidth, latency):
    """Returns the seconds of compute, gradients and moments of a step."""
    if n == 1:
        return compute, 0.0, 0.0
    return compute, gigabytes * 2 * (n - 1) / n / bandwidth, small * latency


def operations(name):
    """Returns the operations per image of a training step of the preset."""
    import numpy as np
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from torch.utils.flop_counter import sdpa_backward_flop_count
    from torch.utils.flop_counter import sdpa_flop_count

    import keras_sagan

    aten = torch.ops.aten  # 2.13.0 does not count a CPU's attention.
    attention = aten._scaled_dot_product_flash_attention_for_cpu
    backward = aten._scaled_dot_product_flash_attention_for_cpu_backward
    counts = {
        attention: lambda q, k, v, *_, **__: sdpa_flop_count(q, k, v),
        backward: lambda dy, q, k, v, *_, **__: sdpa_backward_flop_count(
            dy, q, k, v
        ),
    }
    model = keras_sagan.SAGAN.from_preset(name)
    n = 2 * model.discriminator_steps * model.gradient_accumulation_steps
    images = np.zeros((n, *model.discriminator.inputs[0].shape[1:]), "uint8")
    counter = FlopCounterMode(display=False, custom_mapping=counts)
    with counter:
        model.train_on_batch(images, np.zeros(n, "int32"))
    return counter.get_total_flops() / n


def table():
    import keras_sagan

    preset = keras_sagan.get_preset(FLAGS.preset)
    gigabytes = 4e-9 * sum(preset["parameters"])
    small = exchanges(
        preset["generator"]["resolution"],
        preset["model"].get("discriminator_steps", 1),
        preset["model"].get("gradient_accumulation_steps", 1),
    )
    rate = FLAGS.images_per_second
    if not rate:
        count = operations(FLAGS.preset)
        rate = 1e12 * FLAGS.tflops / count
        print(f"{count / 1e9:.1f} GFLOP per image in a step")
    batch = FLAGS.batch_size or preset["batch_size"]
    print(
        f"{FLAGS.preset}: batch {batch}, {FLAGS.steps:,} steps, {rate:.0f} "
        f"images/s on one GPU, {gigabytes:.3f} GB of gradients and {small} "
        "small exchanges per step\n"
        "| GPUs | compute, ms | gradients, ms | moments, ms | days | "
        "efficiency | GPU hours | dollars |\n|---|---|---|---|---|---|---|---|"
    )
    for n in (1, 8, 64):
        inside = n <= FLAGS.gpus_per_host
        seconds = step_seconds(
            batch / n / rate,
            gigabytes,
            small,
            n,
            FLAGS.link if inside else FLAGS.network,
            1e-6 * (FLAGS.latency if inside else FLAGS.network_latency),
        )
        hours = sum(seconds) * FLAGS.steps / 3600
        print(
            f"| {n} | "
            + " | ".join(f"{1e3 * s:.1f}" for s in seconds)
            + f" | {hours / 24:.1f} | {seconds[0] / sum(seconds):.0%} | "
            f"{hours * n:,.0f} | {hours * n * FLAGS.price:,.0f} |"
        )


def measure():
    """Prints the median seconds of a step and of the exchanges."""
    import keras
    import numpy as np

    import keras_sagan
    from keras_sagan import backends

    devices = keras_sagan.distribution.start()
    keras.utils.set_random_seed(0)
    model = keras_sagan.SAGAN(
        keras_sagan.models.build_generator(64, 10, base_channels=16),
        keras_sagan.models.build_discriminator(64, 10, base_channels=16),
        seed=0,
    )
    model.compile()
    rng = np.random.default_rng(devices.process)
    n = FLAGS.check_batch
    batch = rng.integers(256, size=(n, 64, 64, 3), dtype="uint8")
    labels = rng.integers(10, size=n)
    model.broadcast_variables()
    keras_sagan.backends.prepare_training()  # As `fit` does.
    step = median(lambda: model.train_on_batch(batch, labels), 12)
    parameters = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    result = {"step": step, "gigabytes": 4e-9 * parameters}
    if devices.processes > 1:
        import torch

        from keras_sagan.backends import torch_replicas

        for name, size in (("gradients", parameters), ("small", 256)):
            tensor = torch.ones(size)
            with torch_replicas.step():
                result[name] = median(
                    lambda x=tensor: backends.mean_over_replicas([x]), 30
                )
    if devices.is_first:
        print(json.dumps(result))


def median(function, times):
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[2:])


def run(processes, together):
    """Runs processes, together or not; returns what the first one measures."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if together:
        environment["WORLD_SIZE"] = str(processes)
        environment["MASTER_ADDR"] = "127.0.0.1"
        environment["MASTER_PORT"] = str(port)
    started = [
        subprocess.Popen(
            [
                sys.executable,
                __file__,
                "--worker",
                f"--check_batch={FLAGS.check_batch}",
            ],
            env={**environment, "RANK": str(i)} if together else environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(processes)
    ]
    outputs = [process.communicate()[0] for process in started]
    return json.loads(outputs[0].strip().split("\n")[-1])


def check():
    one = run(1, together=False)
    beside, two = run(2, together=False), run(2, together=True)
    small = exchanges(64, 1, 1)
    # The measured exchange gives the bandwidth.
    bandwidth = two["gigabytes"] / two["gradients"]
    foretold = step_seconds(
        beside["step"], two["gigabytes"], small, 2, bandwidth, two["small"]
    )
    print(
        f"{FLAGS.check_batch} images: {1e3 * one['step']:.0f} ms alone, "
        f"{1e3 * beside['step']:.0f} ms beside another process. Two together, "
        f"with as many each: predicted {1e3 * sum(foretold):.0f} ms, of which "
        f"gradients {1e3 * foretold[1]:.1f} ({two['gigabytes'] * 1e3:.1f} MB) "
        f"and moments {1e3 * foretold[2]:.1f} ({small} of "
        f"{1e6 * two['small']:.0f} us); measured {1e3 * two['step']:.0f} ms, "
        f"{two['step'] / sum(foretold):.2f} times that; "
        f"{2 * one['step'] / two['step']:.2f} times the images/s of one"
    )


def main(_):
    os.environ["KERAS_BACKEND"] = "torch"
    if FLAGS.worker:
        measure()
    elif FLAGS.check:
        check()
    else:
        table()


if __name__ == "__main__":
    app.run(main)
