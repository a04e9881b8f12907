"""The results of an evaluation as text."""

from keras_sagan.metrics.built_in import METRICS
from keras_sagan.metrics.built_in import get_metrics


def report(results, metrics=()):
    """Converts results to text: a line for each value, and the protocol.

    Args:
        results: Dict, as `evaluate` returns it.
        metrics: Your own `Metric` objects that the results come from. A value
            of a metric that is neither built-in nor given here is shown with
            its name instead of a title.

    Returns:
        A string of several lines.

    Example:

    >>> x = np.zeros((8, 8, 8, 3), "uint8")
    >>> results = keras_sagan.metrics.evaluate(
    ...     x, x, ["density_coverage"],
    ...     feature_extractor=lambda images: images.mean(axis=(1, 2)))
    >>> print(keras_sagan.metrics.report(results).splitlines()[0])
    density            1.6000
    """
    protocol = results["protocol"]
    own = [] if not metrics else get_metrics(metrics)
    known = {metric.name: metric for metric in (*METRICS.values(), *own)}
    used = [m for m in known.values() if m.values[0].name in results]
    is_inception = "inception-2015" in protocol["extractor"]
    lines = _lines(results, used, is_inception)
    counts = [
        f"{protocol[name]:,} {name}"
        for name in ("generated", "real")
        if protocol.get(name)
    ]
    details = ["uint8" if protocol["quantised"] else "not quantised"]
    if is_inception:  # Another extractor gets the images as they are.
        details.append(protocol["resize"])
    details.append(f"seed {protocol['seed']}")
    details += [x for m in used if (x := m.details(results, protocol))]
    for name in ("ema", "truncation", "standing_statistics"):
        if name in protocol:
            details.append(f"{name} {protocol[name]}")
    lines += [
        f"features: {protocol['extractor']}",
        f"protocol {protocol['name']}: {', '.join(counts)}; "
        + "; ".join(details),
    ]
    return "\n".join(lines)


def _lines(results, metrics, is_inception):
    """Returns a line for each value: its title, and the formatted value."""
    rows, told = [], set()
    for value in (value for metric in metrics for value in metric.values):
        title = value.title
        if not is_inception and value.generic_title:
            title = value.generic_title
        text = format(results[value.name], value.format)
        deviation = results.get(f"{value.name}_std")
        if deviation is not None:
            text += " +- " + format(deviation, value.format)
        rows.append((title, text))
        told |= {value.name, f"{value.name}_std"}
    rows += [
        (name, f"{value:.4f}")
        for name, value in results.items()
        if isinstance(value, float) and name not in told
    ]
    width = max([18, *(len(title) + 1 for title, _ in rows)])
    return [f"{title:{width}} {text}" for title, text in rows]
