r"""Compares the speed of SAGAN on our backends with other implementations.

    python benchmarks/bench.py --resolution=64 --width=32 --batch=16 \
        --studiogan=PATH --biggan_pytorch=PATH --out=outputs/bench.json

Every contender runs in its own process. All are warmed up, and then they take
turns: in each round, each one trains for about `--seconds` and then samples.
The medians over the rounds are printed. Nothing else may be running, because it
slows PyTorch down tenfold. The contenders are:

    ours/BACKEND     `SAGAN.fit` and `SAGAN.generate`
    limit/BACKEND    only the convolutions and matrix products of our step
    before/BACKEND   `ours` of an earlier version, from the checkout --before
    studiogan, biggan_pytorch    networks of other authors, from a checkout

The names of studiogan and biggan_pytorch can have options, such as
studiogan/channels_last/threads=2/keep_memory: the memory format, the number of
PyTorch's threads, and malloc settings that keep freed memory (`SAGAN.fit` makes
these itself). /compile uses `torch.compile`. ours/torch/graph runs the step as
a graph. On PyTorch, /cudnn_benchmark lets cuDNN try its convolutions to find
the fastest. With --count, the launches and waits of a step are counted as well.
"""

import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
from importlib import metadata

from absl import app
from absl import flags

_HERE = pathlib.Path(__file__).resolve().parent

_RESOLUTION = flags.DEFINE_integer("resolution", 64, "Side of the images.")
_WIDTH = flags.DEFINE_integer("width", 32, "Base channels.", 1)
_BATCH = flags.DEFINE_integer("batch", 16, "Images per step.", 1)
_CLASSES = flags.DEFINE_integer("classes", 10, "Classes.", 1)
_ATTENTION = flags.DEFINE_integer(
    "attention", None, "Side of its map; 0: none. Default: 32, or half.", 0
)
_PRECISION = flags.DEFINE_enum(
    "precision", "float32", ["float32", "mixed_bfloat16"], "Precision."
)
_FUSED = flags.DEFINE_bool("fused", True, "Ours with fused resampling.")
_JIT = flags.DEFINE_enum(
    "jit_compile", "auto", ["auto", "on", "off"], "Ours: `jit_compile`."
)
_FORM = flags.DEFINE_enum(
    "form", "released", ["released", "paper"], "Ours: form of the attention."
)
_CONTENDERS = flags.DEFINE_list(
    "contenders",
    ["ours/tensorflow", "ours/jax", "ours/torch"],
    "What to time; see above.",
)
_STUDIOGAN = flags.DEFINE_string("studiogan", None, "Checkout of StudioGAN.")
_BIGGAN = flags.DEFINE_string(
    "biggan_pytorch", None, "Checkout of BigGAN-PyTorch."
)
_BEFORE = flags.DEFINE_string("before", None, "Checkout of another version.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds.", 1)
_SECONDS = flags.DEFINE_float("seconds", 4.0, "Seconds per turn.", 0.1)
_SAMPLES = flags.DEFINE_integer("samples", 64, "Images to sample; 0: no.", 0)
_COUNT = flags.DEFINE_bool("count", False, "Count operations on PyTorch.")
_OUT = flags.DEFINE_string("out", None, "JSON file to append the run to.")


# Makes glibc keep freed memory, as `keras_sagan.backends.memory` does.
_KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_ARENA_MAX": "1",
}


class Contender:
    """The process of a worker, as seen from its parent."""

    def __init__(self, name, size, checkouts):
        self.name = name
        self.turns = {"train": [], "sample": []}
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        kind, backend = [*name.split("/"), ""][:2]
        folder = _HERE
        if kind in ("ours", "before", "limit"):
            environment["KERAS_BACKEND"] = backend
        if kind == "before":
            folder = pathlib.Path(checkouts["before"]).resolve() / "benchmarks"
        # Import the version beside the script, not an installed one.
        environment["PYTHONPATH"] = str(folder.parent)
        if "keep_memory" in name.split("/"):
            environment.update(_KEEP_MEMORY)
        self.process = subprocess.Popen(
            [sys.executable, str(folder / "worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        known = name.replace("before/", "ours/")  # The name in that version.
        self.facts = self.ask(name=known, size=size, checkouts=checkouts)
        # A rehearsal shows how many steps fill a turn.
        seconds = (
            min(self.ask(do="train", n=2)["seconds"] for _ in range(2)) / 2
        )
        self.steps = max(1, round(_SECONDS.value / seconds))

    def ask(self, **order):
        print(json.dumps(order), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.name} failed; its message is above.")
        return json.loads(answer)

    def take_turn(self):
        answer = self.ask(do="train", n=self.steps)
        self.turns["train"].append(answer["seconds"] / self.steps)
        if _SAMPLES.value:
            answer = self.ask(do="sample", n=_SAMPLES.value)
            self.turns["sample"].append(answer["seconds"])
        self.facts["peak_memory"] = answer["peak_memory"]

    def count(self):
        """Counts the operations of a step of PyTorch."""
        kind, *options = self.name.split("/")
        if (kind == "ours" and "torch" not in options) or kind == "limit":
            return
        self.facts.update(self.ask(do="count"))

    def result(self):
        medians = {
            f"{kind}_seconds": statistics.median(turns)
            for kind, turns in self.turns.items()
            if turns
        }
        return {
            "name": self.name,
            **self.facts,
            **medians,
            "turns": self.turns,
        }

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def machine():
    """Returns what the times depend on."""
    names = ("keras", "tensorflow", "jax", "torch", "numpy")
    return {
        "date": datetime.date.today().isoformat(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in names},
    }


def _processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    return (
        f"{fields.get('model name', platform.machine())}, family "
        f"{fields.get('cpu family')}, model {fields.get('model')}"
    )


def table(results, batch_size, samples):
    """Returns the results as a Markdown table."""
    lines = [
        "| | step, ms | images/s | sampling, images/s | import, s |"
        " first step, s | peak memory, GB | launches | waits |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        imports = sum((r["import_seconds"] or {}).values())
        sampling = (
            f"{samples / r['sample_seconds']:.0f}"
            if "sample_seconds" in r
            else ""
        )
        lines.append(
            f"| {r['name']} | {r['train_seconds'] * 1000:.0f} |"
            f" {batch_size / r['train_seconds']:.1f} | {sampling} |"
            f" {imports:.1f} | {r['first_step_seconds']:.1f} |"
            f" {r['peak_memory'] / 1e9:.2f} |"
            f" {r.get('launches', '')} | {r.get('waits', '')} |"
        )
    return "\n".join(lines)


def main(_):
    attention = _ATTENTION.value
    if attention is None:
        attention = 32 if _RESOLUTION.value >= 64 else _RESOLUTION.value // 2
    size = {
        "resolution": _RESOLUTION.value,
        "base_channels": _WIDTH.value,
        "batch_size": _BATCH.value,
        "num_classes": _CLASSES.value,
        "attention_resolution": attention,
        "precision": _PRECISION.value,
        "fused": _FUSED.value,
        "jit_compile": _JIT.value,
        "form": _FORM.value,
    }
    checkouts = {
        "studiogan": _STUDIOGAN.value,
        "biggan_pytorch": _BIGGAN.value,
        "before": _BEFORE.value,
    }
    contenders = [
        Contender(name, size, checkouts) for name in _CONTENDERS.value
    ]
    for i in range(_ROUNDS.value):
        for contender in contenders:
            contender.take_turn()
        print(f"round {i + 1} of {_ROUNDS.value}", file=sys.stderr)
    if _COUNT.value:
        for contender in contenders:
            contender.count()
    results = [contender.result() for contender in contenders]
    for contender in contenders:
        contender.close()
    run = {"machine": machine(), "size": size, "results": results}
    print(run["machine"])
    print(size)
    print(table(results, _BATCH.value, _SAMPLES.value))
    if _OUT.value:
        pathlib.Path(_OUT.value).parent.mkdir(parents=True, exist_ok=True)
        with open(_OUT.value, "a") as file:
            print(json.dumps(run), file=file)


if __name__ == "__main__":
    app.run(main)
