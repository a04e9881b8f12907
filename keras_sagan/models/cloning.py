"""Copies of networks in which some layers are replaced."""

import keras

from keras_sagan.layers.copies import assign
from keras_sagan.layers.nested import flatten_layers


def is_graph(network):
    """Whether Keras knows the layers of a network and how they are called.

    It does for functional and Sequential models, not for subclassed ones.
    """
    return getattr(network, "inputs", None) is not None


def clone_network(
    network, replace=None, call=None, change_config=None, inputs=None
):
    """Returns a copy of a network, of models inside of it too.

    The copy has the values of the network, except in the layers that
    `replace` gives: these keep their own.

    Args:
        network: A built `keras.Model`. A subclassed one is copied through its
            config, as a whole.
        replace: Function from a layer to the one in its place, or to None for
            a copy. Not for subclassed networks.
        call: Function `(layer, *args, **kwargs)` that calls a layer of the
            copy, or does not, and returns its outputs. For functional networks
            alone.
        change_config: Function from a config to the one that a copy is made
            from.
        inputs: Symbolic tensors that the copy of a functional network is made
            from. None: new ones.

    Raises:
        ValueError: If the network cannot be copied, or if an argument is not
            for networks of its kind.
    """
    change_config = change_config or (lambda config: config)
    if not is_graph(network):
        if replace or call:
            raise ValueError(
                "`network` must be a functional or Sequential model, whose "
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
        if getattr(target, "built", True):  # `call` may leave a layer out.
            _copy_values(source, target)
    return copy


def folded(layer):
    """Returns what a layer says it is in inference, or None if it says nothing.

    For `replace` of `clone_network`.
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
    # What a graph calls may be an operation, which has no variables.
    sources = getattr(source, "variables", ())
    targets = getattr(target, "variables", ())
    if [v.shape for v in sources] != [v.shape for v in targets]:
        raise ValueError(
            "A network must be one that its config describes: a copy must "
            "have the same variables. Received: "
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
    # Layers that a subclassed model makes take the policy from here.
    keras.config.set_dtype_policy("float32")
    try:
        return clone_network(generator, change_config=_float32_config)
    finally:
        keras.config.set_dtype_policy(policy)


def _float32_config(config):
    """A config whose layers, inner ones too, compute in float32."""
    if type(config) in (list, tuple):
        return type(config)(map(_float32_config, config))
    if type(config) is not dict:
        return config
    if config.get("class_name") == "DTypePolicy":
        return {**config, "config": {"name": "float32"}}
    return {key: _float32_config(value) for key, value in config.items()}
