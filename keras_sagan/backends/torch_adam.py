"""Keras' Adam in one pass over memory, on a CPU.

Keras computes the update in thirteen operations, each on all variables. They
are larger than the cache of a CPU, so that each operation reads and writes all
of them again. PyTorch has one operation for the whole update.
"""

import contextlib
import functools

import keras
import torch


@contextlib.contextmanager
def in_one_pass(optimizer):
    """In this block, `optimizer.apply` updates in one pass if it is Adam.

    The rest of `apply`, such as the clipping of gradients, is Keras' own. Other
    optimizers stay as they are, also subclasses of Adam.
    """
    # A backend's Adam is not the class `keras.optimizers.Adam` itself, but is
    # derived from it. Nothing can be created here to find that class: the step
    # may be inside a `keras.StatelessScope`.
    is_adam = keras.optimizers.Adam in type(optimizer).__bases__
    if not is_adam or optimizer.amsgrad:
        yield
        return
    optimizer._parallel_update_step = functools.partial(_update, optimizer)
    try:
        yield
    finally:
        del optimizer._parallel_update_step


def _update(optimizer, gradients, variables, learning_rate):
    indices = [optimizer._get_variable_index(x) for x in variables]
    values = [x.value for x in variables]
    m = [optimizer._momentums[i].value for i in indices]
    v = [optimizer._velocities[i].value for i in indices]
    gradients = [x.contiguous() for x in gradients]
    dtype = values[0].dtype
    # PyTorch's operation takes numbers in the order of the memory. A kernel of
    # Keras' `Orthogonal` can be a transposed tensor.
    if not all(
        x.dtype == dtype and x.device.type == "cpu" and x.is_contiguous()
        for x in (*values, *gradients, *m, *v)
    ):
        update = type(optimizer)._parallel_update_step
        return update(optimizer, gradients, variables, learning_rate)
    # PyTorch's `epsilon` is added after the correction of the bias, and
    # Keras' before it. After infinitely many steps there is nothing to correct,
    # so the correction can be given as a part of the learning rate.
    rate = keras.ops.cast(learning_rate, dtype)
    step = keras.ops.cast(optimizer.iterations + 1, dtype)
    correction = torch.sqrt(1 - optimizer.beta_2**step)
    torch._fused_adam_(
        values,
        gradients,
        m,
        v,
        [],
        [_infinity()] * len(values),
        lr=rate * correction / (1 - optimizer.beta_1**step),
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        weight_decay=0.0,
        eps=optimizer.epsilon,
        amsgrad=False,
        maximize=False,
    )


@functools.cache
def _infinity():
    return torch.tensor(float("inf"))
