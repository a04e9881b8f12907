"""Figures as text."""

_TITLES = {
    "fid": ("FID", "{:.4f}"),
    "is": ("Inception Score", "{:.4f}"),
    "kid": ("KID", "{:.6f}"),
    "precision": ("precision", "{:.4f}"),
    "recall": ("recall", "{:.4f}"),
    "density": ("density", "{:.4f}"),
    "coverage": ("coverage", "{:.4f}"),
    "intra_fid": ("intra-FID", "{:.4f}"),
}


def report(results):
    """Makes text of what `evaluate` gave: a line per figure, and its protocol.

    Args:
        results: Dict, of `evaluate`.

    Returns:
        A string of some lines.

    Example:
    >>> x = np.zeros((8, 8, 8, 3), "uint8")
    >>> results = keras_sagan.metrics.evaluate(
    ...     x, x, ["density_coverage"],
    ...     feature_extractor=lambda images: images.mean(axis=(1, 2)))
    >>> print(keras_sagan.metrics.report(results).splitlines()[0])
    density            1.6000
    """
    protocol = results["protocol"]
    lines = []
    for name, (title, form) in _TITLES.items():
        if name not in results:
            continue
        figure = form.format(results[name])
        if f"{name}_std" in results:
            figure += " +- " + form.format(results[f"{name}_std"])
        if "inception-2015" not in protocol["extractor"]:
            # Not of the network that gives FID and KID their names.
            title = {
                "fid": "Frechet distance",
                "intra_fid": "within classes",
                "kid": "kernel distance",
            }.get(name, title)
        lines.append(f"{title:18} {figure}")
    counts = [
        f"{protocol[name]:,} {name}"
        for name in ("generated", "real")
        if protocol.get(name)
    ]
    lines += [
        f"features: {protocol['extractor']}",
        f"protocol {protocol['name']}: {', '.join(counts)}; "
        f"{'uint8' if protocol['quantised'] else 'not quantised'}; "
        f"{protocol['resize']}; {_details(results, protocol)}",
    ]
    return "\n".join(lines)


def _details(results, protocol):
    details = [f"seed {protocol['seed']}"]
    if "is" in results:
        details.append(
            f"IS: {protocol['is_splits']} splits, {protocol['logits']} logits"
        )
    if "kid" in results:
        details.append(
            f"KID: {protocol['kid_subsets']} subsets of "
            f"{protocol['kid_subset_size']}"
        )
    if "precision" in results:
        details.append(f"precision: k = {protocol['precision_recall_k']}")
    if "density" in results:
        details.append(f"density: k = {protocol['density_coverage_k']}")
    if "intra_fid" in results:
        details.append(
            f"intra-FID: {len(results['intra_fid_per_class'])} classes, "
            f"{protocol['images_per_class']:,} generated of each"
        )
    for name in ("ema", "truncation", "standing_statistics"):
        if name in protocol:
            details.append(f"{name} {protocol[name]}")
    return "; ".join(details)
