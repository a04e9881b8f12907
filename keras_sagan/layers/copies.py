"""Copies of layers."""

from keras import ops


def rebuild(layer, **changes):
    """Returns a new layer of the same class, built for the same inputs.

    Its variables have their initial values.

    Args:
        layer: A built `keras.layers.Layer`.
        **changes: Entries of the config to change.
    """
    copy = type(layer).from_config({**layer.get_config(), **changes})
    copy.build_from_config(layer.get_build_config())
    return copy


def blend(rows, table):
    """Returns `rows @ table`, computed in NumPy.

    Args:
        rows: Floats `(new, old)`, such as rows of zeros with a single one.
        table: Variable or tensor `(old, columns)`.
    """
    return rows.astype("float64") @ ops.convert_to_numpy(table)


def assign(targets, values):
    """Assigns values to variables in the same order.

    Args:
        targets: Variables.
        values: Variables or tensors, one for each target. They can still be
            used afterwards: the targets get copies, because JAX donates the
            buffers of variables.
    """
    for target, value in zip(targets, values, strict=True):
        value = ops.convert_to_tensor(value)
        target.assign(ops.copy(ops.cast(value, target.dtype)))
