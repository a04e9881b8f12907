"""Calls networks with labels in the form that each network expects."""

import numpy as np
from keras import ops

from keras_sagan.layers import direct
from keras_sagan.layers.together import normalizing_together


def call(network, x, labels, training):
    """Calls a network on latents or images, and on labels if there are any.

    Args:
        network: A `keras.Model`.
        x: Tensor, latents `(batch, latent_dim)` or images.
        labels: Integers `(batch,)`, or None.
        training: Whether to run in training mode.
    """
    with normalizing_together(network, training):
        inputs = network_inputs(network, x, labels)
        return direct.run(network, inputs, training)


def network_inputs(network, x, labels):
    """Returns the inputs of a network: `x`, or `[x, labels]`.

    The labels have the form that the second input of a functional network
    expects: integers `(batch,)` or `(batch, 1)`, or one-hot rows `(batch,
    classes)`. A subclassed network gets integers `(batch,)`.
    """
    if labels is None:
        return x
    inputs = getattr(network, "inputs", None) or ()
    shape = tuple(inputs[1].shape) if len(inputs) > 1 else (None,)
    if shape == (None, 1):
        labels = labels[:, None]
    elif len(shape) == 2:
        dtype = inputs[1].dtype
        if isinstance(labels, np.ndarray):
            labels = np.eye(shape[1], dtype=dtype)[labels]
        else:
            labels = ops.one_hot(labels, shape[1], dtype=dtype)
    return [x, labels]
