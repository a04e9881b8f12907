"""Rows of a batch, shared among devices."""

import keras
from keras import ops


def filled_up(inputs, devices):
    """Returns inputs with as many rows for each device, and how many count.

    The first row is repeated at the end.
    """
    n = len(keras.tree.flatten(inputs)[0])
    padding = -n % devices

    def fill(x):
        return ops.concatenate([x, ops.repeat(x[:1], padding, axis=0)])

    return keras.tree.map_structure(fill, inputs) if padding else inputs, n
