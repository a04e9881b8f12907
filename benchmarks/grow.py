r"""How the cost of a step grows with resolution, batch and width.

    python benchmarks/grow.py --contenders=ours/tensorflow --out=grow.jsonl

Runs `bench.py` once per setting, one after the other, and prints a table.
"""

from absl import app
from absl import flags
from runs import run_bench

# Each setting changes one thing in the middle one.
_MIDDLE = {"resolution": 64, "batch": 16, "width": 16}
_SETTINGS = [
    _MIDDLE,
    *({**_MIDDLE, "resolution": r} for r in (32, 128)),
    *({**_MIDDLE, "batch": b} for b in (4, 64)),
    *({**_MIDDLE, "width": w} for w in (8, 32)),
]

_CONTENDERS = flags.DEFINE_list(
    "contenders", ["ours/tensorflow"], "As in bench.py."
)
_OUT = flags.DEFINE_string("out", None, "JSON file to append the runs to.")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Rounds.", 1)


def run(setting, contender):
    """Returns the result of one setting, a dict."""
    (result,) = run_bench(
        _OUT.value,
        contenders=contender,
        rounds=_ROUNDS.value,
        samples=0,
        **setting,
    )
    return result


def main(_):
    print("| | resolution | batch | width | step, ms | peak memory, GB |")
    print("|---|---|---|---|---|---|")
    for contender in _CONTENDERS.value:
        for setting in _SETTINGS:
            result = run(setting, contender)
            print(
                f"| {contender} | {setting['resolution']} |"
                f" {setting['batch']} | {setting['width']} |"
                f" {result['train_seconds'] * 1000:.0f} |"
                f" {result['peak_memory'] / 1e9:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    app.run(main)
