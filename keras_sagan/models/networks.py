"""Any two Keras models as generator and discriminator."""

import keras
import numpy as np

from keras_sagan.arguments import check_integer
from keras_sagan.layers.calls import call
from keras_sagan.layers.copies import assign
from keras_sagan.layers.nested import layers_with


def examine(generator, discriminator, num_classes, latent_dim):
    """Returns the number of classes, the latent size and the image shape.

    Raises:
        ValueError: If the networks do not fit each other or the arguments.
    """
    num_classes = find_num_classes(generator, discriminator, num_classes)
    latent_dim = find_latent_dim(generator, latent_dim)
    shape = find_image_shape(generator, discriminator, latent_dim, num_classes)
    return num_classes, latent_dim, shape


def find_num_classes(generator, discriminator, num_classes):
    """Returns the number of classes that was given or that layers know.

    Layers that know it have an attribute `num_classes`, such as
    `ConditionalBatchNorm`.

    Raises:
        ValueError: If the numbers differ, or if the networks take labels and
            the number is unknown.
    """
    takes_labels = _number_of_inputs(generator) != 1
    layers = [
        layer
        for network in (generator, discriminator)
        for layer in layers_with(network, "num_classes")
        if layer.num_classes is not None and takes_labels
    ]
    known = {layer.num_classes for layer in layers}
    if num_classes is not None:
        if not isinstance(num_classes, (int, np.integer)) or num_classes < 1:
            raise ValueError(
                "`num_classes` must be a positive integer or None. "
                f"Received: num_classes={num_classes!r}"
            )
        known.add(int(num_classes))
    if len(known) > 1:
        raise ValueError(
            "`generator`, `discriminator` and `num_classes` must agree on the "
            f"number of classes. Received: num_classes={num_classes}, and "
            + ", ".join(f"{x.num_classes} in {x.name}" for x in layers)
        )
    if not known and _number_of_inputs(generator) == 2:
        raise ValueError(
            "`num_classes` must be given: the networks take labels, and none "
            "of their layers knows the number of classes. "
            "Received: num_classes=None"
        )
    return known.pop() if known else None


def find_latent_dim(generator, latent_dim):
    """Returns the number of entries of a latent vector.

    Raises:
        ValueError: If it is unknown, or `latent_dim` differs from it.
    """
    check_integer("latent_dim", latent_dim, 1, optional=True)
    inputs = getattr(generator, "inputs", None)
    known = tuple(inputs[0].shape[1:]) if inputs else (latent_dim,)
    if len(known) != 1 or known[0] is None or latent_dim not in (None, *known):
        raise ValueError(
            "`latent_dim` must be the number of entries of a latent vector; "
            "(batch, latent_dim) is the generator's first input. It must "
            "be given for a subclassed generator. Received: "
            f"latent_dim={latent_dim}, a generator whose first input has the "
            f"shape {(None, *known)}"
        )
    return known[0]


def find_image_shape(generator, discriminator, latent_dim, num_classes):
    """Builds both networks, and returns the shape of an image `(H, W, C)`.

    Networks that are not functional are run on one example.

    Raises:
        ValueError: If the networks do not fit each other.
    """
    for name, network in (
        ("generator", generator),
        ("discriminator", discriminator),
    ):
        _check_network(name, network, 1 if num_classes is None else 2)
    labels = None if num_classes is None else np.zeros(1, "int32")
    latents = np.zeros((1, latent_dim), keras.config.floatx())
    shape = _output_shape("generator", generator, latents, labels)
    if len(shape) != 4 or None in shape[1:]:
        raise ValueError(
            "`generator` must return images (batch, height, width, channels), "
            "of which only the batch may be unknown. Received: an output of "
            f"shape {shape}"
        )
    taken = getattr(discriminator, "inputs", None)
    if taken and tuple(taken[0].shape[1:]) != shape[1:]:
        raise ValueError(
            "`discriminator` must take images of the shape that `generator` "
            f"returns. Received: a generator of {shape}, a discriminator for "
            f"{tuple(taken[0].shape)}"
        )
    images = np.zeros((1, *shape[1:]), keras.config.floatx())
    logits = _output_shape("discriminator", discriminator, images, labels)
    if len(logits) not in (1, 2, 4) or (len(logits) > 1 and logits[-1] != 1):
        raise ValueError(
            "`discriminator` must return a logit for each image, (batch, 1), "
            "or a map of logits, (batch, height, width, 1). Received: an "
            f"output of shape {logits}"
        )
    return shape[1:]


def copy_of(network, latent_dim, num_classes):
    """Returns a generator with the same layers and values."""
    copy = keras.models.clone_model(network)
    if not copy.built or len(copy.variables) != len(network.variables):
        latents = np.zeros((1, latent_dim), keras.config.floatx())
        labels = None if num_classes is None else np.zeros(1, "int32")
        call(copy, latents, labels, training=False)
    assign(copy.variables, network.variables)
    return copy


def _number_of_inputs(network):
    """Returns the number of inputs of a network; None if it is subclassed."""
    inputs = getattr(network, "inputs", None)
    return len(inputs) if inputs else None


def _check_network(name, network, inputs):
    half = [x.name for x in network.trainable_variables if x.dtype == "float16"]
    if half:
        raise ValueError(
            f"`{name}` must not have weights in float16, which small updates "
            "do not change: build it with 'mixed_float16'. Received: "
            f"{len(half)} weights in float16, such as {half[0]}"
        )
    if _number_of_inputs(network) not in (None, inputs):
        what = {"generator": "latents", "discriminator": "images"}[name]
        rule = f"only {what}" if inputs == 1 else f"[{what}, labels]"
        raise ValueError(
            f"`{name}` must take {rule}, according to `num_classes`. Received: "
            f"a {name} with {_number_of_inputs(network)} inputs"
        )
    if inputs == 2 and isinstance(getattr(network, "input", None), dict):
        raise ValueError(
            f"`{name}` must take its inputs by position, as a list: a dict "
            f"has no order. Received: inputs {list(network.input)}"
        )


def _output_shape(name, network, x, labels):
    if getattr(network, "inputs", None):
        shape = network.output_shape
    else:
        output = call(network, x, labels, training=False)
        shape = getattr(output, "shape", output)
    if not all(isinstance(n, (int, type(None))) for n in shape):
        raise ValueError(
            f"`{name}` must have one output. Received: outputs {shape}"
        )
    return (None, *tuple(shape)[1:])
