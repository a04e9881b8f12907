"""Runs the layers of a network without the checks that Keras makes per call.

`keras.Layer.__call__` looks through its arguments again and again. Where each
operation runs on its own, these checks take a quarter of the host's time in a
training step, and a fast device waits for the host. Here each layer's `call`
runs directly. The operations and their order are the same.

This is done only in networks that consist of layers of this package and of a
few layers of Keras. All others run as Keras runs them.
"""

import dataclasses
import inspect
import weakref

import keras
from keras import ops

from keras_sagan import backends

_OF_KERAS = (
    keras.layers.Add,
    keras.layers.AveragePooling2D,
    keras.layers.InputLayer,
    keras.layers.ReLU,
    keras.layers.Reshape,
)
_plans = weakref.WeakKeyDictionary()


def run(network, inputs, training):
    """Returns the outputs of a network.

    Args:
        network: A `keras.Model`.
        inputs: A tensor, or a list of tensors.
        training: Whether to run in training mode.
    """
    if backends.RUNS_EAGERLY:
        if network not in _plans:
            _plans[network] = _plan_of(network)
        plan = _plans[network]
        given = inputs if isinstance(inputs, list) else [inputs]
        if plan and plan.fits(given) and not backends.has_hooks(network):
            return plan.run(given, training)
    return network(inputs, training=training)


@dataclasses.dataclass(frozen=True)
class _Step:
    """The call of a layer with the outputs of the layers in `arguments`."""

    layer: keras.Layer
    arguments: list  # of names, or of lists of names
    has_training: bool

    def run(self, values, training):
        arguments = [self._get(values, name) for name in self.arguments]
        if self.has_training:
            return self.layer.call(*arguments, training=training)
        return self.layer.call(*arguments)

    def _get(self, values, name):
        if isinstance(name, list):
            return [self._get(values, each) for each in name]
        return _as_input(self.layer, values[name])


@dataclasses.dataclass(frozen=True)
class _Plan:
    """The layers of a network in the order of their calls."""

    inputs: dict  # from the name of an input to its symbolic tensor
    steps: dict  # from the name of a layer to its _Step
    output: str

    def fits(self, given):
        """Returns whether Keras would only call the layers, one by one."""
        return (
            len(given) == len(self.inputs)
            and all(map(_is_like, given, self.inputs.values()))
            and all(_is_plain(step.layer) for step in self.steps.values())
        )

    def run(self, given, training):
        values = dict(zip(self.inputs, given))
        for name, step in self.steps.items():
            values[name] = step.run(values, training)
        return values[self.output]


def _plan_of(network):
    """Returns the `_Plan` of a network, or None if Keras must run it."""
    if not _is_functional(network) or not all(map(_is_known, network.layers)):
        return None
    try:
        config = network.get_config()
    except (TypeError, NotImplementedError):
        return None  # For instance, an initializer has no config.
    inputs, outputs = (
        _layer_names(config[key]) for key in ("input_layers", "output_layers")
    )
    if inputs is None or outputs is None or len(outputs) != 1:
        return None
    steps, layers = {}, {layer.name: layer for layer in network.layers}
    for each in config["layers"]:
        layer = layers.get(each["name"])  # None: a function of `keras.ops`.
        if isinstance(layer, keras.layers.InputLayer):
            continue
        arguments = _arguments(each["inbound_nodes"])
        if layer is None or arguments is None:
            return None
        has_training = "training" in inspect.signature(layer.call).parameters
        steps[each["name"]] = _Step(layer, arguments, has_training)
    return _Plan(dict(zip(inputs, network.inputs)), steps, outputs[0])


def _arguments(calls):
    """Returns the arguments of a layer as names, or None if there are others.

    Args:
        calls: The calls of the layer, as they are in the config of a network.
    """
    if len(calls) != 1 or set(calls[0]["kwargs"]) - {"training"}:
        return None
    try:
        return [_names(x) for x in calls[0]["args"]]
    except (KeyError, TypeError):
        return None  # An argument is no tensor, or one of several outputs.


def _names(argument):
    if isinstance(argument, (list, tuple)):
        return [_names(each) for each in argument]
    name, *index = argument["config"]["keras_history"]
    if any(index):
        raise TypeError("an output that is not the only one of its layer")
    return name


def _layer_names(keys):
    """Returns the names of input or output layers; None if they are a dict."""
    if not isinstance(keys, list):
        return None
    keys = [keys] if isinstance(keys[0], str) else keys  # ["images", 0, 0]
    return [key[0] for key in keys]


def _is_functional(network):
    """Returns whether a network is no more than a graph of its layers."""
    kind = type(network)
    return kind.__name__ == "Functional" and kind.__module__.startswith(
        "keras."
    )


def _is_known(layer):
    """Returns whether `layer.call` casts the variables of the layer itself."""
    if isinstance(layer, keras.layers.Wrapper):
        return _is_ours(layer) and _is_ours(layer.layer)
    return _is_ours(layer) or type(layer) in _OF_KERAS


def _is_ours(layer):
    return type(layer).__module__.startswith("keras_sagan.")


def _is_plain(layer):
    """Returns whether Keras does nothing around `layer.call`."""
    return (
        layer.built
        and layer.activity_regularizer is None
        and layer.quantization_mode is None
        and "call" not in vars(layer)
        and not backends.has_hooks(layer)
        # There is no public way to see that a layer was made in a
        # `keras.RematScope`, which recomputes its values for the gradient.
        and not getattr(layer, "_remat_mode", None)
    )


def _is_like(x, symbolic):
    """Returns whether Keras would neither cast nor reshape an input."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    return len(x.shape) == len(symbolic.shape) and dtype == symbolic.dtype


def _as_input(layer, x):
    """Casts floats to the dtype that a layer computes in, as Keras does."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    if not layer.autocast or dtype == layer.compute_dtype:
        return x
    return ops.cast(x, layer.compute_dtype) if "float" in dtype else x
