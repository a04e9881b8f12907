"""Protocols: how metrics are computed, without which a value says nothing."""

from keras_sagan.arguments import check_choice

PROTOCOLS = {
    # The numbers of torch-fidelity 0.4.0, which equal those of the TensorFlow
    # code of FID up to its rounding.
    "torch-fidelity": {
        "description": "torch-fidelity 0.4.0: uint8 images, all real ones",
        "quantised": True,
        "resize": "TensorFlow 1 bilinear to 299, then (x - 128) / 128",
        "channels": "gray repeated, alpha laid on white",
        "logits": "unbiased",
        "is_splits": 10,
        "is_seed": 2020,
        "kid_subsets": 100,
        "kid_subset_size": 1000,
        "kid_degree": 3,
        "kid_seed": 2020,
        "precision_recall_k": 3,
        "density_coverage_k": 5,
        "real_images": None,
        "images_per_class": 5000,
    },
    # What the SAGAN release's `eval_imagenet.py` and `utils_ori.py` do, at
    # the counts of the paper.
    "paper": {
        "description": "the SAGAN release: images as they leave the "
        "generator, 50,000 real ones, IS in one piece",
        "quantised": False,
        "resize": "TensorFlow 1 bilinear to 299, of images in [-1, 1]",
        "channels": "gray repeated, alpha laid on white",
        "logits": "biased",
        "is_splits": 1,
        "is_seed": None,
        "kid_subsets": 100,
        "kid_subset_size": 1000,
        "kid_degree": 3,
        "kid_seed": 2020,
        "precision_recall_k": 3,
        "density_coverage_k": 5,
        "real_images": 50_000,
        "images_per_class": 5000,
    },
}


def get_protocol(protocol):
    """Returns a protocol as a new dict.

    Args:
        protocol: `"torch-fidelity"` or `"paper"`, or a dict with the same
            keys, which is copied.

    Raises:
        ValueError: If there is no such protocol, or if a dict lacks keys or has
            unknown ones.

    Example:

    >>> keras_sagan.metrics.get_protocol("paper")["is_splits"]
    1
    """
    if isinstance(protocol, dict):
        # Protocols that were saved before this key existed still work.
        protocol = {"channels": PROTOCOLS["paper"]["channels"], **protocol}
        missing = sorted(set(PROTOCOLS["paper"]) - set(protocol))
        if missing:
            raise ValueError(
                "`protocol` must have the keys of 'torch-fidelity'. "
                f"Received: a dict without {', '.join(missing)}"
            )
        known = {"name", *PROTOCOLS["paper"]}
        unknown = sorted(str(key) for key in protocol if key not in known)
        if unknown:
            raise ValueError(
                "`protocol` must have no other keys than 'torch-fidelity', "
                "because they would have no effect. "
                f"Received: a dict with {', '.join(unknown)}"
            )
        return {**protocol, "name": _name(protocol)}
    check_choice("protocol", protocol, PROTOCOLS)
    return {"name": protocol, **PROTOCOLS[protocol]}


def _name(protocol):
    """Returns the name of a protocol given as a dict, and what it changes."""
    name = protocol.get("name")
    if name not in PROTOCOLS:
        return name or "of your own"
    changed = [k for k, v in PROTOCOLS[name].items() if protocol[k] != v]
    return f"{name}, but for {', '.join(changed)}" if changed else name
