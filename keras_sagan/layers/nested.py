"""The layers inside of a network, at any depth."""


def flatten_layers(network):
    """Returns every layer inside of a layer or model, nested ones too.

    The layers of wrappers, blocks and models inside are among them; `network`
    itself is not.

    Args:
        network: A `keras.Layer` or `keras.Model`.

    Returns:
        A list of `keras.Layer`.
    """
    # Keras has no public way to reach what lies deeper than `Model.layers`.
    return network._flatten_layers(include_self=False)


def layers_with(network, *names):
    """Returns the layers inside of a network that have these attributes.

    This is how features find the layers that they need: by what a layer can
    do, and not by its type, so that a user's own layers take part.

    Args:
        network: A `keras.Layer` or `keras.Model`.
        *names: Names of attributes; `"name()"` is a method without required
            arguments, which an attribute of the same name is not.

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
