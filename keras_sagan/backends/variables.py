"""Functions of variables, for backends without a faster way."""

from keras import ops


def move(variable, value, momentum):
    """Assigns `momentum * variable + (1 - momentum) * value`."""
    variable.assign(momentum * variable.value + (1 - momentum) * value)


def restore(variables, before, keep):
    """Restores the values of variables, unless `keep` is true."""
    for variable, old in zip(variables, before):
        variable.assign(ops.where(keep, variable.value, old))


def global_norm(gradients):
    """Returns the norm of all gradients together, a scalar."""
    return ops.sqrt(sum(ops.sum(ops.square(g)) for g in gradients))
