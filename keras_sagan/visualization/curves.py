"""Curves of a training run."""

from keras_sagan.files import replacing

_PANELS = (
    ("hinge loss", ("discriminator_loss", "generator_loss")),
    ("mean logit", ("real_logits", "fake_logits")),
    ("attention gamma", ("_gamma",)),
    ("largest sigma", ("largest_sigma",)),
)


def training_curves(history, path, steps_per_epoch=None):
    """Plots losses, logits, attention gammas and the largest sigma.

    Args:
        history: A `keras.callbacks.History`, or a dict of lists of floats by
            the names that `SAGAN.fit` logs.
        path: File to save to; the suffix decides the format.
        steps_per_epoch: Training steps per entry: the horizontal axis is then
            in steps. None: in epochs.

    Raises:
        ValueError: If there is nothing to plot.
        ImportError: If matplotlib is missing.
    """
    history = getattr(history, "history", history)
    panels = [
        (title, [k for k in history if any(k.endswith(n) for n in names)])
        for title, names in _PANELS
    ]
    panels = [(title, names) for title, names in panels if names]
    if not panels:
        raise ValueError(
            "`history` must hold what `SAGAN.fit` logs, such as "
            f"'generator_loss'. Received: history of {sorted(history)}"
        )
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "Plots need matplotlib: pip install 'keras_sagan[plots]'"
        ) from error
    figure = Figure(figsize=(10, 2.6 * ((len(panels) + 1) // 2)))
    for i, (title, names) in enumerate(panels):
        axes = figure.add_subplot((len(panels) + 1) // 2, 2, i + 1)
        for name in names:
            values = history[name]
            steps = [
                (j + 1) * (steps_per_epoch or 1) for j in range(len(values))
            ]
            axes.plot(steps, values, label=name.removesuffix("_gamma"))
        axes.set_title(title)
        axes.set_xlabel("step" if steps_per_epoch else "epoch")
        axes.grid(alpha=0.3)
        if len(names) > 1:
            axes.legend(fontsize="small")
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
