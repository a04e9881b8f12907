r"""Measures one GPU in one call, at the size of the paper.

    python benchmarks/gpu.py --studiogan=../studiogan --out=outputs/gpu.jsonl

The networks have 128 pixels, width 64, 1,000 classes and attention at 64. For
float32 and bfloat16 and for each batch size, the table has: images per second
of JAX, PyTorch and StudioGAN, measured in turns; the share of the card's
measured matrix rate, for the 140 GFLOP per image and step of the plain network
(with SAGAN's convolutions one by one; fused ones need fewer operations, so the
card may really do less than this share); the share of the attention, from the
same networks without it; peak memory; and, for PyTorch, the launches and waits
of a step. Both sides let cuDNN try its convolutions. Ours runs as it is and as
a graph; StudioGAN runs as released, with channels last, and compiled.
"""

import subprocess
import sys

from absl import app
from absl import flags
from runs import run_bench

_FLOP_PER_IMAGE = 140e9

_STUDIOGAN = flags.DEFINE_string("studiogan", None, "Checkout of StudioGAN.")
_BATCHES = flags.DEFINE_list("batches", ["64", "128", "256"], "Batch sizes.")
_RESOLUTION = flags.DEFINE_integer("resolution", 128, "Side of the images.")
_WIDTH = flags.DEFINE_integer("width", 64, "Base channels.", 1)
_CLASSES = flags.DEFINE_integer("classes", 1000, "Classes.", 1)
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Rounds.", 1)
_OUT = flags.DEFINE_string("out", None, "JSON file to append the runs to.")

_MATRIX_RATE = """
import time, torch
device = "cuda" if torch.cuda.is_available() else "cpu"
n = 8192 if device == "cuda" else 1024
a, b = (torch.randn(n, n, device=device, dtype=torch.{dtype}) for _ in "ab")
def wait():
    if device == "cuda":
        torch.cuda.synchronize()
for i in range(30):
    if i == 10:
        wait()
        begin = time.perf_counter()
    a @ b
wait()
print(20 * 2 * n**3 / (time.perf_counter() - begin))
"""


def matrix_rate(dtype):
    """Returns the operations per second of square matrix products."""
    code = _MATRIX_RATE.format(dtype=dtype)
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(run.stdout)


def bench(contenders, batch, precision, attention):
    """Returns the results of one run of `bench.py`."""
    return run_bench(
        _OUT.value,
        resolution=_RESOLUTION.value,
        width=_WIDTH.value,
        classes=_CLASSES.value,
        batch=batch,
        precision=precision,
        attention=attention,
        contenders=",".join(contenders),
        rounds=_ROUNDS.value,
        count=True,
        samples=0,
        studiogan=_STUDIOGAN.value,
    )


def main(_):
    tried = "cudnn_benchmark"
    ours = ["ours/jax", f"ours/torch/{tried}", f"ours/torch/graph/{tried}"]
    peers = [
        f"studiogan/{tried}",
        f"studiogan/channels_last/{tried}",
        f"studiogan/channels_last/compile/{tried}",
    ]
    contenders = ours + (peers if _STUDIOGAN.value else [])
    print(
        "| | batch | precision | images/s | share of the matrix rate |"
        " attention's share | peak memory, GB | launches | waits |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    for precision in ("float32", "mixed_bfloat16"):
        rate = matrix_rate(precision.removeprefix("mixed_"))
        for batch in map(int, _BATCHES.value):
            without = {
                r["name"]: r["train_seconds"]
                for r in bench(ours, batch, precision, 0)
            }
            place = _RESOLUTION.value // 2
            for r in bench(contenders, batch, precision, place):
                seconds = r["train_seconds"]
                share = _FLOP_PER_IMAGE * batch / seconds / rate
                attention = ""
                if r["name"] in without:
                    attention = f"{1 - without[r['name']] / seconds:.0%}"
                print(
                    f"| {r['name']} | {batch} | {precision} |"
                    f" {batch / seconds:.1f} | {share:.0%} | {attention} |"
                    f" {r['peak_memory'] / 1e9:.2f} |"
                    f" {r.get('launches', '')} | {r.get('waits', '')} |",
                    flush=True,
                )


if __name__ == "__main__":
    app.run(main)
