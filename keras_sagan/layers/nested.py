"""The layers inside a network, at any depth."""


def flatten_layers(network):
    """Returns all layers inside a layer or model, including nested ones.

    The layers inside wrappers, blocks and models are included; `network`
    itself is not.

    Args:
        network: A `keras.Layer` or `keras.Model`.

    Returns:
        A list of `keras.Layer`.
    """
    # Keras has no public way to reach layers deeper than `Model.layers`.
    return network._flatten_layers(include_self=False)


def layers_with(network, *names):
    """Returns the layers inside a network that have these attributes.

    The package finds layers in this way: by what a layer can do, and not by
    its type, so that a user's own layers are found, too.

    Args:
        network: A `keras.Layer` or `keras.Model`.
        *names: Names of attributes. With parentheses, as in `"name()"`, the
            attribute must be callable.

    Returns:
        A list of `keras.Layer`.
    """
    return [
        layer
        for layer in flatten_layers(network)
        if all(_has(layer, name) for name in names)
    ]


def _has(layer, name):
    if name.endswith("()"):
        return callable(getattr(layer, name[:-2], None))
    return hasattr(layer, name)
