"""A feature extractor for tests, without weights."""

import numpy as np


def quadrants(images):
    """12 features and 3 logits of any images: mean colours."""
    h, w = images.shape[1] // 2, images.shape[2] // 2
    parts = [
        images[:, y : y + h, x : x + w].mean(axis=(1, 2))
        for y in (0, h)
        for x in (0, w)
    ]
    return np.concatenate(parts, axis=1), images.mean(axis=(1, 2)) / 10
