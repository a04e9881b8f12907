r"""Draws images per second of the runs that `bench.py` wrote.

python benchmarks/plot.py --runs=outputs/bench.jsonl --out=docs/speed.png
"""

import json
import pathlib

from absl import app
from absl import flags

_RUNS = flags.DEFINE_string("runs", None, "JSON file.", required=True)
_OUT = flags.DEFINE_string("out", "docs/speed.png", "Picture to write.")

_LABELS = {
    "ours/tensorflow": "keras_sagan, TensorFlow",
    "ours/jax": "keras_sagan, JAX",
    "ours/torch": "keras_sagan, PyTorch",
    "studiogan/channels_last/keep_memory": "StudioGAN, with our malloc",
    "studiogan/channels_last": "StudioGAN, channels_last",
    "studiogan": "StudioGAN, as released",
    "biggan_pytorch": "BigGAN-PyTorch",
}


def main(_):
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    lines = pathlib.Path(_RUNS.value).read_text().splitlines()
    runs = [json.loads(line) for line in lines]
    figure, axes = pyplot.subplots(
        1,
        len(runs),
        figsize=(3.6 * len(runs), 2.6),
        layout="constrained",
        squeeze=False,
    )
    axes = axes[0]  # one row, of one picture or more
    for axis, run in zip(axes, runs):
        size = run["size"]
        rates = {
            r["name"]: size["batch_size"] / r["train_seconds"]
            for r in run["results"]
        }
        names = [name for name in _LABELS if name in rates][::-1]
        bars = axis.barh(
            range(len(names)),
            [rates[name] for name in names],
            color=[
                "tab:blue" if n.startswith("ours") else "0.7" for n in names
            ],
        )
        axis.bar_label(bars, fmt="%.1f", padding=2, fontsize=8)
        axis.margins(x=0.15)
        axis.set_yticks(range(len(names)), [_LABELS[name] for name in names])
        axis.tick_params(labelsize=8, length=0)
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_title(
            f"{size['resolution']} pixels, width {size['base_channels']}, "
            f"batch {size['batch_size']}",
            fontsize=9,
        )
        axis.set_xlabel("images per second, training", fontsize=8)
    for axis in axes[1:]:
        axis.set_yticklabels([])
    figure.savefig(_OUT.value, dpi=130)


if __name__ == "__main__":
    app.run(main)
