"""Other classes for a trained model: the method `with_classes`."""

import re
from functools import partial

import keras
import numpy as np

from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_strings
from keras_sagan.layers.copies import assign
from keras_sagan.layers.nested import flatten_layers
from keras_sagan.layers.nested import layers_with
from keras_sagan.models.cloning import clone_network
from keras_sagan.models.cloning import is_graph
from keras_sagan.models.discriminator import project


def with_classes(
    model, classes, from_classes=None, freeze_discriminator=0, **overrides
):
    """Returns a model with other classes, to be trained on them.

    Everything else that was learned is kept: the weights of both networks and
    of the EMA generator, the statistics of the batch norms and the vectors of
    the spectral norms. The new model has trained for 0 steps, and its
    optimizers are new. This model is not changed. The class tables of the
    conditional batch norms and the embedding of the discriminator get a row
    for each new class: the row of a class of this model, or the mean of all
    rows.

    If this model has no classes, they can be added: each new class starts from
    the batch norms of this model, and the embedding is new. If it has classes,
    they can be removed: the new model gets the mean of all classes.

    Args:
        model: The `SAGAN`. Its networks must be functional, and the layers
            that know the classes must have a method `with_classes`, as in
            `build_generator` and `build_discriminator`.
        classes: Positive integer, the number of the new classes; or their
            names, a list of strings; or None for a model without classes.
        from_classes: List with an entry for each new class: an integer, the
            class of this model whose rows it starts from, or None for the
            mean of all. If `None`, all new classes start from the mean.
        freeze_discriminator: Non-negative integer k. The first k blocks of the
            discriminator are not trained (FreezeD), which helps if there are
            few images. All other layers are trained.
        **overrides: Arguments of `SAGAN` that replace those of this model,
            such as `augmentation`. `ema_start_step` defaults to 0, because
            the averaging continues.

    Returns:
        A `SAGAN`, of the same subclass if `model` is one. If this model is
        compiled, the new one is compiled in the same way.

    Raises:
        ValueError: If an argument is out of range, or if the networks are not
            as described above.

    Example:

    >>> digits = keras_sagan.SAGAN.from_preset("digits")
    >>> letters = digits.with_classes(["o", "l", "z"], from_classes=[0, 1, 2])
    >>> letters.generate(labels=[2], seed=0).shape
    (1, 16, 16, 3)

    References: Mo, Cho and Shin, "Freeze the Discriminator: a Simple Baseline
    for Fine-Tuning GANs", arXiv 2002.10964; Wang et al., "Transferring GANs",
    arXiv 1805.01677.
    """
    if isinstance(classes, (list, tuple)):
        check_strings("classes", classes)
        classes = len(classes)
    if "num_classes" in overrides:
        raise ValueError(
            "`num_classes` must be given as `classes`. "
            f"Received: num_classes={overrides['num_classes']}"
        )
    check_integer("classes", classes, 1, 10**6, optional=True)
    rows = _rows(from_classes, classes, model.num_classes)
    model.sync_variables()
    generator, ema_generator = (
        _convert(network, model.num_classes, classes, rows, _add_to_generator)
        for network in (model.generator, model.ema_generator)
    )
    discriminator = _convert(
        model.discriminator,
        model.num_classes,
        classes,
        rows,
        _add_to_discriminator,
    )
    # Set this on each layer: on TensorFlow, Keras does nothing if an attribute
    # already has the assigned value, as that of the whole model may.
    for layer in flatten_layers(discriminator):
        layer.trainable = True
    freeze_blocks(discriminator, freeze_discriminator)
    arguments = model.get_config()
    for name in ("generator", "discriminator", "name"):
        arguments.pop(name, None)
    arguments |= {"ema_start_step": 0, "num_classes": classes}
    new = type(model)(generator, discriminator, **{**arguments, **overrides})
    assign(new.ema_generator.variables, ema_generator.variables)
    if model.compiled:
        new.compile_from_config(model.get_compile_config())
    return new


def freeze_blocks(discriminator, count):
    """Makes the first blocks of a discriminator untrainable.

    Args:
        discriminator: A functional model with layers `block_1` and so on, as
            `build_discriminator` returns it.
        count: Non-negative integer, the number of blocks.

    Raises:
        ValueError: If the discriminator has fewer blocks.
    """
    names = [layer.name for layer in discriminator.layers]
    blocks = [i for i, x in enumerate(names) if re.fullmatch(r"block_\d+", x)]
    check_integer("freeze_discriminator", count, 0, len(blocks))
    if count:
        for layer in discriminator.layers[: blocks[count - 1] + 1]:
            layer.trainable = False


def _rows(from_classes, classes, before):
    """Returns the weights of the old classes in each new one, or None."""
    if from_classes is not None and (classes is None or before is None):
        raise ValueError(
            "`from_classes` must be None if the old or the new model has no "
            f"classes. Received: from_classes={from_classes} for {classes} "
            f"classes, from {before}"
        )
    if classes is None:
        return None
    if before is None:
        return np.ones((classes, 1))
    if from_classes is None:
        from_classes = [None] * classes
    if np.ndim(from_classes) != 1 or len(from_classes) != classes:
        raise ValueError(
            f"`from_classes` must be a list of {classes} integers or None, one "
            f"for each new class. Received: from_classes={from_classes}"
        )
    rows = np.full((classes, before), 1 / before)
    for row, name in zip(rows, from_classes):
        check_integer("from_classes", name, 0, before - 1, optional=True)
        if name is not None:
            row[:] = np.arange(before) == name
    return rows


def _convert(network, before, classes, rows, add):
    """Returns a copy of a network with other classes.

    Args:
        network: A functional `keras.Model`.
        before: Number of classes of the network, or None.
        classes: Number of classes of the copy, or None.
        rows: Floats `(classes, before)`, or None.
        add: Function that adds classes to a copy of a network without any.
    """
    if not is_graph(network):
        raise _unable(f"the subclassed model '{network.name}'")
    if before is None and classes is None:
        return clone_network(network)
    if before is None:
        return add(network, rows)
    if classes is None:
        return _without_classes(network)
    copy = clone_network(network, lambda x: _with_rows(x, rows))
    _check_classes(copy, classes)
    return copy


def _check_classes(network, classes):
    """Raises an error if a layer has other classes, or if none has any."""
    known = {
        layer.num_classes: layer.name
        for layer in layers_with(network, "num_classes")
        if layer.num_classes is not None
    }
    if set(known) != {classes}:
        others = [name for number, name in known.items() if number != classes]
        raise _unable(
            f"'{network.name}', whose layer {others[0]} has other classes"
            if others
            else f"'{network.name}' without such a layer"
        )


def _unable(received):
    return ValueError(
        "`with_classes` needs functional networks whose layers with classes "
        "have a method `with_classes`, as in `build_generator` and "
        f"`build_discriminator`. Received: {received}"
    )


def _knows_classes(layer):
    return getattr(_inside(layer), "num_classes", None) is not None


def _inside(layer):
    """Returns the layer inside a wrapper, or else the layer itself."""
    return getattr(layer, "layer", layer)


def _with_rows(layer, rows):
    """Returns a layer with other classes, or None if it has none."""
    inside = _inside(layer)
    if not _knows_classes(layer) or not hasattr(inside, "with_classes"):
        return None
    new = inside.with_classes(rows)
    return new if inside is layer else layer.around(new)


def _without_classes(network):
    """Returns a copy that takes no labels.

    Class-conditional norms become plain ones. Everything that depends only on
    the labels is removed: the embedding, the products with it, and their term
    in a sum.
    """
    plain, dropped = [], []
    if not any(map(_knows_classes, network.layers)):
        raise _unable(f"'{network.name}' without such a layer")

    def replace(layer):
        if not hasattr(layer, "without_classes"):
            return None
        plain.append(layer.without_classes())
        return plain[-1]

    def call(layer, *args, **kwargs):
        if any(layer is x for x in plain):
            return layer(args[0], **kwargs)
        given = keras.tree.flatten((args, kwargs))
        if _knows_classes(layer):
            dropped.append(given[0])  # The labels stand for what is removed.
            return given[0]
        kept = [x for x in given if not any(x is y for y in dropped)]
        if len(kept) == len(given):
            return layer(*args, **kwargs)
        if not kept or not isinstance(layer, keras.layers.Add):
            return dropped[0]
        return layer(kept) if len(kept) > 1 else kept[0]

    copy = _clone_with_labels(network, network.inputs[1], replace, call)
    if any(copy.outputs[0] is x for x in dropped):
        raise _unable(f"'{network.name}', whose whole output needs the labels")
    return keras.Model(copy.inputs[0], copy.outputs[0], name=network.name)


def _clone_with_labels(network, labels, replace, call):
    """Returns a copy from `[x, labels]`, whether or not labels are used.

    Keras 3.10 cannot make a model with an unused input. Because of this, the
    labels are also a second output here.
    """
    unused = keras.layers.Identity(name="unused_labels")

    def call_with_labels(layer, *args, **kwargs):
        is_it = layer.name == unused.name
        return (layer if is_it else partial(call, layer))(*args, **kwargs)

    x, output = network.inputs[0], network.outputs[0]
    network = keras.Model([x, labels], [output, unused(labels)])
    return clone_network(
        network,
        replace,
        call_with_labels,
        inputs=[keras.Input(x.shape[1:], name=x.name), labels],
    )


def _add_to_generator(network, rows):
    """Returns a copy whose batch norms, except the last, have classes."""
    norms = [x for x in network.layers if hasattr(x, "with_classes")]
    labels = keras.Input((), dtype="int32", name="labels")
    new = []

    def replace(layer):
        if layer not in norms[:-1]:
            return None
        new.append(layer.with_classes(rows))
        return new[-1]

    def call(layer, *args, **kwargs):
        if any(layer is x for x in new):
            return layer(*args, labels, **kwargs)
        return layer(*args, **kwargs)

    if len(norms) < 2:
        raise _unable(f"'{network.name}' without batch norms of this package")
    copy = _clone_with_labels(network, labels, replace, call)
    return keras.Model(copy.inputs, copy.outputs[0], name=network.name)


def _add_to_discriminator(network, rows):
    """Returns a copy that has the projection on classes."""
    copy = clone_network(network)
    names = [layer.name for layer in copy.layers]
    if not {"sum", "linear"} <= set(names):
        raise _unable(f"'{network.name}' without layers `sum` and `linear`")
    linear = copy.get_layer("linear")
    labels = keras.Input((), dtype="int32", name="labels")
    logits = project(
        copy.get_layer("sum").output,
        copy.outputs[0],
        labels,
        len(rows),
        lambda x: linear.around(x) if hasattr(linear, "around") else x,
    )
    return keras.Model([copy.inputs[0], labels], logits, name=network.name)
