"""Several training steps on JAX between two calls of the callbacks."""

import itertools

import jax
import keras
from jax import numpy as jnp

# Since 3.16, an iterator of Keras gives the batches of several steps at once:
# stacked, or in a list if they cannot be stacked.
_KERAS_STACKS = tuple(map(int, keras.__version__.split(".")[:2])) >= (3, 16)


def several_steps(train_step, n, one_step, as_scan):
    """Returns a function that runs up to `n` steps.

    Args:
        train_step: Function of a state and a batch that returns the logs and
            the next state.
        n: Integer, the number of steps.
        one_step: Function of a state and an iterator over batches that runs
            `train_step` compiled, and raises StopIteration at the end.
        as_scan: Whether the steps are one program, a `lax.scan` over batches,
            that a device runs without the host. On a CPU, XLA computes
            convolutions in a loop slowly and in one thread: 1.2 seconds per
            step instead of 0.11 for single steps (JAX 0.10.2, two cores, 32
            pixels, width 16, batch 8).

    Returns:
        A function of a state, which is donated, and an iterator. It returns
        the logs of the last step and the next state.
    """
    programs = []

    def scan(state, batches):
        def body(state, batch):
            logs, state = train_step(state, batch)
            return state, logs

        state, logs = jax.lax.scan(body, state, batches)
        return jax.tree.map(lambda x: x[-1], logs), state

    def run_scan(state, batches):
        if not programs:
            places = _places(state)
            program = jax.jit(scan, donate_argnums=0, out_shardings=places)
            programs.append(program)
        return programs[0](state, batches)

    def run(state, iterator):
        # The batches left at the end of a dataset are too few for a scan.
        if _KERAS_STACKS:
            given = next(iterator)
            if isinstance(given, list):
                batches = given
            elif as_scan and _length(given) == n:
                return run_scan(state, given)
            else:
                batches = _unstack(given)
        else:
            batches = list(itertools.islice(iterator, n))
            if as_scan and len(batches) == n and _are_alike(batches):
                return run_scan(state, _stack(*batches))
        iterator = iter(batches)
        logs, state = one_step(state, iterator)
        for _ in batches[1:]:
            logs, state = one_step(state, iterator)
        return logs, state

    return run


@jax.jit
def _stack(*batches):
    return jax.tree.map(lambda *x: jnp.stack(x), *batches)


def _length(stack):
    return len(jax.tree.leaves(stack)[0])


@jax.jit
def _unstack(stack):
    def batch(i):
        return jax.tree.map(lambda x: x[i], stack)

    return [batch(i) for i in range(_length(stack))]


def _are_alike(batches):
    def form(batch):
        return [(x.shape, x.dtype) for x in jax.tree.leaves(batch)]

    return all(form(batch) == form(batches[0]) for batch in batches)


def _places(state):
    """Returns the shardings of logs and state; the state keeps its own."""
    if keras.distribution.distribution() is None:
        return None
    return None, jax.tree.map(lambda x: x.sharding, state)
