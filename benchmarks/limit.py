"""Runs only the convolutions and matrix products of a step, in a row.

They are recorded from a forward pass of our networks, at the framework's own
functions, and then run with gradients, in the order and number of the step. The
rest of the time of a step is spent on everything else.
"""

import contextlib
import os
from unittest import mock

import numpy as np
from contenders import Ours

BACKEND = os.environ.get("KERAS_BACKEND")


class Limit:
    """Runs each product of a training step on arrays of noise."""

    import_seconds = None

    def __init__(self, size):
        model = Ours(size).model
        from keras_sagan import backends

        backends.prepare_training()  # The memory settings of `fit`.
        self.parameters = lambda: (0, 0)
        n = size.batch_size
        dtype = size.precision.removeprefix("mixed_")
        g = record(model.generator, n)
        d = record(model.discriminator, n)
        both = record(model.discriminator, 2 * n)
        # Products, and whether to take gradients of their inputs and kernels.
        passes = [(g, False, False), (both, True, True)]
        passes += [(d, True, False), (g, True, True)]
        products = []
        for group, of_input, of_kernel in passes:
            for i, product in enumerate(group):
                # The input of the first layer needs no gradient, except in the
                # generator's update, where it leads to the generator.
                first = i == 0 and group is not d
                products.append(
                    prepare(product, of_input and not first, of_kernel, dtype)
                )
        self.step = in_a_row(products)
        self.sampling = in_a_row(
            prepare(product, False, False, dtype)
            for product in record(model.generator, 64)
        )

    def train(self, steps):
        for _ in range(steps):
            self.step()

    def sample(self, n):
        self.sampling()


def record(network, n):
    """Returns `(function, shapes, rest of its arguments)` of each product."""
    import keras

    products = []
    inputs = [
        np.zeros((n, *x.shape[1:]), x.dtype.replace("bfloat16", "float32"))
        for x in network.inputs
    ]
    with contextlib.ExitStack() as stack:
        for owner, name in _functions():
            stack.enter_context(_recorded(owner, name, products))
        network(inputs, training=False)
    from keras_sagan.layers import SelfAttention2D
    from keras_sagan.layers.nested import flatten_layers

    for layer in flatten_layers(network):
        if isinstance(layer, keras.layers.Dense):
            products.insert(
                0 if network.name == "generator" else len(products),
                (
                    _matmul,
                    [(n, layer.kernel.shape[0]), layer.kernel.shape],
                    (),
                    {},
                ),
            )
        if isinstance(layer, SelfAttention2D):
            _, height, width, channels = layer.output.shape
            locations = height * width
            keys = locations // layer.pool_size**2
            narrow, value = (
                channels // layer.query_ratio,
                channels // layer.value_ratio,
            )
            for rows, columns in (
                ((n, locations, narrow), (n, narrow, keys)),
                ((n, locations, keys), (n, keys, value)),
            ):
                products.append((_matmul, [rows, columns], (), {}))
    return products


@contextlib.contextmanager
def _recorded(owner, name, products):
    function = getattr(owner, name)

    def recording(x, kernel, *args, **kwargs):
        products.append(
            (function, [tuple(x.shape), tuple(kernel.shape)], args, kwargs)
        )
        return function(x, kernel, *args, **kwargs)

    with mock.patch.object(owner, name, recording):
        yield


def _matmul(a, b):
    return a @ b


def _functions():
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return [(tf.nn, "conv2d"), (tf.nn, "conv2d_transpose")]
    if BACKEND == "jax":
        import jax

        return [(jax.lax, "conv_general_dilated")]
    from torch.nn import functional

    return [(functional, "conv2d"), (functional, "conv_transpose2d")]


def prepare(product, of_input, of_kernel, dtype):
    """Returns a function that runs the product and its gradients."""
    function, shapes, args, kwargs = product
    rng = np.random.default_rng(0)
    x, kernel = (rng.standard_normal(s).astype("float32") for s in shapes)
    wanted = [i for i, w in enumerate((of_input, of_kernel)) if w]
    prepare_one = globals()[f"_prepare_{BACKEND}"]
    return prepare_one(function, [x, kernel], args, kwargs, wanted, dtype)


def in_a_row(products):
    """Returns a function that runs all of them, and waits for the last."""
    return globals()[f"_in_a_row_{BACKEND}"](list(products))


def _prepare_tensorflow(function, operands, args, kwargs, wanted, dtype):
    import tensorflow as tf

    operands = [tf.Variable(tf.cast(x, dtype)) for x in operands]

    def run():
        tensors = [tf.convert_to_tensor(x) for x in operands]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            y = function(*tensors, *args, **kwargs)
        if not wanted:
            return [y]
        return [y, *tape.gradient(y, [tensors[i] for i in wanted])]

    return run


def _in_a_row_tensorflow(products):
    import tensorflow as tf

    @tf.function
    def run():
        done = tf.zeros(())
        for product in products:
            with tf.control_dependencies([done]):
                # Use one element of each result, or it is not computed.
                ends = [tf.reshape(x, [-1])[0] for x in product()]
                ends = [tf.cast(x, "float32") for x in ends]
                done = tf.add_n([done, *ends])
        return done

    return lambda: run().numpy()


def _prepare_jax(function, operands, args, kwargs, wanted, dtype):
    import jax

    operands = [jax.numpy.asarray(x, dtype) for x in operands]

    @jax.jit
    def run(operands):
        y, pullback = jax.vjp(
            lambda *x: function(*x, *args, **kwargs), *operands
        )
        if not wanted:
            return y
        gradients = pullback(jax.numpy.ones_like(y))
        return y, [gradients[i] for i in wanted]

    return lambda: run(operands)


def _in_a_row_jax(products):
    import jax

    def run():
        for product in products:
            result = product()
        jax.block_until_ready(result)

    return run


def _prepare_torch(function, operands, args, kwargs, wanted, dtype):
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    operands = [
        torch.tensor(x, dtype=getattr(torch, dtype), device=device)
        for x in operands
    ]
    if operands[0].ndim == 4:  # As in our layers.
        operands = [
            x.contiguous(memory_format=torch.channels_last) for x in operands
        ]
    for i in wanted:
        operands[i].requires_grad_()

    def run():
        y = function(*operands, *args, **kwargs)
        if wanted:
            torch.autograd.grad(
                y, [operands[i] for i in wanted], torch.ones_like(y)
            )

    return run


def _in_a_row_torch(products):
    import torch

    def run():
        for product in products:
            product()
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return run
