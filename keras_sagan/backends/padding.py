"""Pads a batch so that it can be split into equal parts."""

import keras
import numpy as np


def pad_rows(inputs, divisor):
    """Pads inputs to a multiple of `divisor` rows.

    The first row is repeated at the end.

    Returns:
        The padded inputs, and the number of rows before the padding.
    """
    n = len(keras.tree.flatten(inputs)[0])
    padding = -n % divisor

    def fill(x):
        # This runs on the host, where most inputs are.
        return np.concatenate([x, np.repeat(x[:1], padding, axis=0)])

    return keras.tree.map_structure(fill, inputs) if padding else inputs, n
