"""Copies of networks in which some layers are replaced."""

import keras

from keras_sagan.layers.copies import assign
from keras_sagan.layers.nested import flatten_layers


def is_graph(network):
    """Returns whether Keras knows the graph of the layers of a network.

    This is so for functional and Sequential models, not for subclassed ones.
    """
    return getattr(network, "inputs", None) is not None


def clone_network(
    network, replace=None, call=None, change_config=None, inputs=None
):
    """Returns a copy of a network, including the models inside it.

    The copy has the values of the network, except in the layers that
    `replace` returns, which keep their own values.

    Args:
        network: A built `keras.Model`. A subclassed one is copied as a whole
            from its config.
        replace: Function that gets a layer and returns the layer for its
            place, or None for a copy. Not for subclassed networks.
        call: Function `(layer, *args, **kwargs)` that returns the outputs of a
            layer of the copy, and may call it or not. Only for functional
            networks.
        change_config: Function that gets a config and returns the one from
            which the copy is made.
        inputs: Symbolic tensors, the inputs of the copy of a functional
            network. If `None`, new ones are made.

    Raises:
        ValueError: If the network cannot be copied, or if an argument does not
            apply to this kind of network.
    """
    change_config = change_config or (lambda config: config)
    if not is_graph(network):
        if replace or call:
            raise ValueError(
                "`network` must be a functional or Sequential model, so that "
                "layers can be replaced. Received: the subclassed model "
                f"'{network.name}'"
            )
        return _clone_whole(network, change_config)
    pairs = []

    def clone_layer(layer):
        new = None if replace is None else replace(layer)
        if new is None:
            new = type(layer).from_config(change_config(layer.get_config()))
            pairs.append((layer, new))
        return new

    copy = keras.models.clone_model(
        network,
        input_tensors=inputs,
        clone_function=clone_layer,
        call_function=call,
        recursive=True,
    )
    for source, target in pairs:
        if getattr(target, "built", True):  # `call` may skip a layer.
            _copy_values(source, target)
    return copy


def folded(layer):
    """Returns `layer.folded()`, or None if the layer has no such method.

    This is a function for `replace` of `clone_network`.
    """
    return layer.folded() if hasattr(layer, "folded") else None


def _clone_whole(network, change_config):
    config = keras.saving.serialize_keras_object(network)
    copy = keras.saving.deserialize_keras_object(
        change_config(config),
        custom_objects={type(network).__name__: type(network)},
    )
    _copy_values(network, copy)
    return copy


def _copy_values(source, target):
    # A graph may also call operations, which have no variables.
    sources = getattr(source, "variables", ())
    targets = getattr(target, "variables", ())
    if [v.shape for v in sources] != [v.shape for v in targets]:
        raise ValueError(
            "The config of a network must describe it completely, so that a "
            "copy has the same variables. Received: "
            f"'{source.name}' with {len(sources)} variables, whose copy has "
            f"{len(targets)}, or other shapes"
        )
    assign(targets, sources)


def in_float32(generator):
    """Returns the generator itself, or a copy that computes in float32."""
    layers = flatten_layers(generator)
    if all(layer.compute_dtype == "float32" for layer in layers):
        return generator
    policy = keras.config.dtype_policy()
    # Layers that a subclassed model creates use the global policy.
    keras.config.set_dtype_policy("float32")
    try:
        return clone_network(generator, change_config=_float32_config)
    finally:
        keras.config.set_dtype_policy(policy)


def _float32_config(config):
    """Returns a config with all layers, also inner ones, in float32."""
    if type(config) in (list, tuple):
        return type(config)(map(_float32_config, config))
    if type(config) is not dict:
        return config
    if config.get("class_name") == "DTypePolicy":
        return {**config, "config": {"name": "float32"}}
    return {key: _float32_config(value) for key, value in config.items()}
