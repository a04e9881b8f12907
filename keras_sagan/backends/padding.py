"""Rows of a batch, in equal parts."""

import keras
import numpy as np


def pad_rows(inputs, divisor):
    """Returns inputs of rows that divide by it, and how many rows count.

    The first row is repeated at the end.
    """
    n = len(keras.tree.flatten(inputs)[0])
    padding = -n % divisor

    def fill(x):
        # On the host, where most inputs are.
        return np.concatenate([x, np.repeat(x[:1], padding, axis=0)])

    return keras.tree.map_structure(fill, inputs) if padding else inputs, n
