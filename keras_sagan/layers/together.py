"""Spectral normalization of all kernels of a network in few operations.

Computed layer by layer, power iterations and norms are half of the operations
of a training step, and a fast device waits for the host to launch them. If the
backend fuses operations, this module is not needed.
"""

import contextlib
import itertools

from keras import ops

from keras_sagan import backends
from keras_sagan.layers.nested import layers_with

_prepared = {}  # The keys are ids of layers.


class _Prepared:
    """The results for a layer's next training call: kernel, `u` and `v`."""

    def __init__(self, layer, matrix, u, v):
        self.layer, self.matrix = layer, matrix
        self.vectors = u, v
        self.is_taken = False


@contextlib.contextmanager
def normalizing_together(network, training):
    """Prepares the kernels of a network for a call inside the block.

    A layer that is not called keeps its `u` and `v`, and a layer that is called
    once more iterates by itself. All numbers are those of single layers, except
    for the order of rounding in sums.

    Args:
        network: A `keras.Model`.
        training: Whether the network is called in training mode. If `False`,
            there is nothing to prepare.
    """
    if not training or not backends.RUNS_EAGERLY:
        yield
        return
    ours = {}
    for layers, matrices, u, v in _groups(network):
        u, v, sigma = backends.iterate_together(
            [ops.stop_gradient(x) for x in matrices], u, v, layers[0].epsilon
        )
        normalized = backends.divide_together(matrices, sigma, u, v)
        for layer, *values in zip(layers, normalized, u, v):
            ours[id(layer)] = _Prepared(layer, *values)
    _prepared.update(ours)
    try:
        yield
        left = [_prepared[key] for key in ours if key in _prepared]
        _store([x for x in left if x.is_taken])
    finally:
        for key in ours:
            _prepared.pop(key, None)


def prepared_matrix(layer):
    """Returns the normalized matrix that is ready for a layer, or None."""
    prepared = _prepared.get(id(layer))
    if prepared is None:
        return None
    if not prepared.is_taken:
        prepared.is_taken = True
        return prepared.matrix
    _store([_prepared.pop(id(layer))])  # From now on it iterates by itself.
    return None


def after_averaging(network, momentum):
    """Calls `after_averaging(momentum)` of the layers that have it.

    Layers with spectral normalization run together if this is faster.
    """
    done = set()
    if backends.RUNS_EAGERLY:
        for layers, matrices, *before in _groups(network):
            *after, _ = backends.iterate_together(
                matrices, *before, layers[0].epsilon
            )
            variables = [[x.u for x in layers], [x.v for x in layers]]
            backends.assign_together(
                [*itertools.chain(*variables)],
                [*itertools.chain(*after)],
                where=momentum > 0,
            )
            done.update(map(id, layers))
    for layer in layers_with(network, "after_averaging()"):
        if id(layer) not in done:
            layer.after_averaging(momentum)


def _groups(network):
    """Yields groups of layers, and the matrices, `u` and `v` of each group."""
    groups = {}
    for layer in layers_with(network, "iterates_together"):
        if layer.iterates_together is True:
            key = layer.epsilon, layer.variable_dtype
            groups.setdefault(key, []).append(layer)
    for layers in groups.values():
        yield (
            layers,
            [layer.matrix() for layer in layers],
            [ops.convert_to_tensor(layer.u) for layer in layers],
            [ops.convert_to_tensor(layer.v) for layer in layers],
        )


def _store(prepared):
    variables = [v for x in prepared for v in (x.layer.u, x.layer.v)]
    if variables:
        backends.assign_together(
            variables, [value for x in prepared for value in x.vectors]
        )
