"""Tables, tests and curves of the runs that examples/ablation.py made.

    python examples/ablation_report.py outputs/ablation

reads the results of all runs in the folder, prints a table of their means and
standard errors and what a paired test over the seeds says about each claim of
the paper, and writes them and the curves to the folder. Nothing is trained.
`examples/ablation.py` does the same when its runs are done.
"""

import itertools
import json
import pathlib
import sys

import numpy as np

from keras_sagan.files import replacing

BASELINE = "SN in both + TTUR"
FIGURES = {
    "distance": ("Frechet distance", 2),
    "recognised": ("recognised", 3),
    "precision": ("precision", 3),
    "recall": ("recall", 3),
    "coverage": ("coverage", 3),
}


def maps(resolution):
    """Returns the sides of the maps at which both networks can attend."""
    # The generator's first convolutions are at 8x8.
    return [size for size in (8, 16, 32, 64) if size < resolution]


def cell_names(resolution):
    """Returns the three cells of Figure 3, then those of Table 1."""
    return [
        "SN in D",
        "SN in both",
        BASELINE,
        *(f"attention at {size}" for size in maps(resolution)),
        *(f"residual at {size}" for size in maps(resolution)),
    ]


def claims(resolution):
    """Yields claims of the paper, with the better cell and the worse one."""
    yield (
        "SN in both networks is better than in D alone (Figure 3)",
        "SN in both",
        "SN in D",
    )
    yield (
        "TTUR is better than one learning rate (Figure 3)",
        BASELINE,
        "SN in both",
    )
    for size in maps(resolution):
        here = f"attention at {size}"
        yield f"{here} is better than none (Table 1)", here, BASELINE
        control = f"residual at {size}"
        yield f"{here} is better than its control (Table 1)", here, control
    for small, large in itertools.pairwise(maps(resolution)):
        names = f"attention at {large}", f"attention at {small}"
        yield "{} is better than {} (Table 1)".format(*names), *names


def read(folder):
    """Returns the results of each cell's runs, and the size of the images."""
    settings = json.loads((folder / "settings.json").read_text())
    results = {name: [] for name in cell_names(settings["resolution"])}
    for path in folder.glob("*_*.json"):
        run = json.loads(path.read_text())
        results[run["cell"]].append(run)
    return {
        name: sorted(runs, key=lambda run: run["seed"])
        for name, runs in results.items()
        if runs
    }, settings["resolution"]


def write(folder):
    """Prints and writes the table, the tests and the curves of a folder."""
    results, resolution = read(folder)
    text = f"{table(results)}\n{verdicts(results, resolution)}"
    with replacing(folder / "table.md") as temporary:
        temporary.write_text(text)
    print(text)
    plot(results, folder / "ablation.png")
    print(f"Look at {folder}/ablation.png, table.md and the grids")


def table(results):
    """Returns means and standard errors over the seeds, as Markdown."""
    titles = [title for title, _ in FIGURES.values()]
    lines = [f"| cell | seeds | {' | '.join(titles)} |", "|---" * 7 + "|"]
    for name, runs in results.items():
        columns = []
        for key, (_, digits) in FIGURES.items():
            x = [run[key][-1] for run in runs]
            column = f"{np.mean(x):.{digits}f}"
            if len(x) > 1:
                column += f" ± {standard_error(x):.{digits}f}"
            columns.append(column)
        lines.append(f"| {name} | {len(runs)} | {' | '.join(columns)} |")
    return "\n".join(lines) + "\n"


def standard_error(runs):
    return np.std(runs, axis=0, ddof=1) / len(runs) ** 0.5


def verdicts(results, resolution):
    """Returns what a paired t-test over the seeds says about the claims.

    It compares logarithms, because a run that fails has a distance many times
    as large as the others. Fewer than three pairs decide nothing: the scatter
    of two may be small by chance.
    """
    from scipy import stats

    lines = []
    for claim, *names in claims(resolution):
        better, worse = (
            {run["seed"]: run["distance"][-1] for run in results.get(name, ())}
            for name in names
        )
        seeds = sorted(better.keys() & worse.keys())
        if len(seeds) < 2:
            continue
        difference = np.log([better[s] / worse[s] for s in seeds])
        p = stats.ttest_1samp(difference, 0).pvalue
        word = "agrees" if difference.mean() < 0 else "disagrees"
        if p >= 0.05 or len(seeds) < 3:
            word = "cannot be told"
        lines.append(
            f"- {claim[0].upper()}{claim[1:]}: **{word}**. The distance is "
            f"{np.exp(difference.mean()):.2f} times as large "
            f"(p = {p:.3f}, {len(seeds)} pairs)."
        )
    return "\n".join(lines) + "\n"


def plot(results, path):
    """Draws what was recorded in training: means, with standard errors."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(17, 5))
    distances, gammas, sigmas = figure.subplots(1, 3)
    for i, (name, runs) in enumerate(results.items()):
        style = {"color": f"C{i}", "label": name}
        if name.startswith("residual"):
            style["linestyle"] = "--"
        steps = runs[0]["steps"]
        for axes, key in ((distances, "distance"), (sigmas, "largest_sigma")):
            draw_mean(axes, steps, [run[key] for run in runs], style)
        for network in runs[0]["gammas"]:
            # A layer works as well with the opposite sign.
            x = np.abs([run["gammas"][network] for run in runs])
            label = f"{name}, {network}"
            marker = {"generator": "o", "discriminator": "s"}[network]
            draw_mean(gammas, steps, x, style | {"label": label}, marker)
    for axes, label in (
        (distances, "Frechet distance"),
        (gammas, "|gamma|"),
        (sigmas, "largest spectral norm of a kernel"),
    ):
        axes.set_xlabel("step")
        axes.set_ylabel(f"{label}, mean and standard error")
        if axes.lines:
            axes.legend()
    distances.set_yscale("log")
    sigmas.set_yscale("log")
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def draw_mean(axes, steps, runs, style, marker=None):
    """Draws the mean of some runs as a line, with a band of its error."""
    x = np.array(runs)
    mean = x.mean(axis=0)
    axes.plot(steps, mean, marker=marker, **style)
    if len(x) > 1:
        error = standard_error(x)
        band = mean - error, mean + error
        axes.fill_between(steps, *band, color=style["color"], alpha=0.15)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: ablation_report.py FOLDER")
    write(pathlib.Path(sys.argv[1]))
