"""Copies of layers."""

from keras import ops


def rebuild(layer, **changes):
    """Returns a new layer of the same class, built for the same inputs.

    Its variables have initial values.

    Args:
        layer: A built `keras.layers.Layer`.
        **changes: Entries of the config that differ.
    """
    copy = type(layer).from_config({**layer.get_config(), **changes})
    copy.build_from_config(layer.get_build_config())
    return copy


def assign(targets, values):
    """Assigns values to variables, both in the same order.

    Args:
        targets: Variables.
        values: As many variables or tensors. They may live on: the targets
            get copies, because JAX donates the buffers of variables.
    """
    for target, value in zip(targets, values, strict=True):
        value = ops.convert_to_tensor(value)
        target.assign(ops.copy(ops.cast(value, target.dtype)))
