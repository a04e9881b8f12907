"""A plain generator as an ONNX graph, written node by node.

Feature maps are `(B, C, H, W)`, as in ONNX, and the output images are
`(B, H, W, C)`. The graph is written from the layers, and not traced from what a
backend runs, so it is the same on every backend.
"""

import keras
import numpy as np
from keras import ops

from keras_sagan.layers import AddUpsampled
from keras_sagan.layers import BatchNorm
from keras_sagan.layers import ConditionalBatchNorm
from keras_sagan.layers import SelfAttention2D
from keras_sagan.layers import UpsampleConv2D
from keras_sagan.layers.add import Add
from keras_sagan.layers.convolutions import Conv2D
from keras_sagan.layers.dense import Dense
from keras_sagan.models.cloning import is_graph
from keras_sagan.models.generator import Tanh

OPSET, IR_VERSION = 17, 8  # From 2022: current runtimes read them.


# Smaller arrays stay in float32: they would save nothing; some are sums.
_LEAST_IN_FLOAT16 = 256


class Graph:
    """The nodes and constants of a graph, in the order of computation.

    Args:
        dtype: `"float32"` or `"float16"`, the type in which large arrays are
            stored. Computation is in float32.
    """

    def __init__(self, dtype="float32"):
        self.nodes = []
        self.constants = {}
        self.dtype = dtype
        self.scores = {}  # The outputs of attention layers, by their names.

    def node(self, kind, *inputs, **attributes):
        """Adds a node, and returns the name of its output."""
        import onnx

        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(
            onnx.helper.make_node(kind, list(inputs), [output], **attributes)
        )
        return output

    def constant(self, value, dtype="float32"):
        """Adds an array, and returns its name."""
        value = np.ascontiguousarray(value, dtype)
        name = f"constant_{len(self.constants)}"
        narrow = dtype == "float32" and value.size >= _LEAST_IN_FLOAT16
        if narrow and self.dtype == "float16":
            self.constants[name] = value.astype("float16")
            return self.node("Cast", name, to=1)  # TensorProto.FLOAT
        self.constants[name] = value
        return name

    def conv(self, x, layer):
        kernel = array(layer.kernel).transpose(3, 2, 0, 1)  # (D, C, h, w)
        inputs = [x, self.constant(kernel)]
        if layer.use_bias:
            inputs.append(self.constant(array(layer.bias)))
        pad = kernel.shape[-1] // 2
        return self.node("Conv", *inputs, pads=[pad] * 4)

    def upsample(self, x):
        return self.node(
            "Resize",
            x,
            "",
            self.constant([1, 1, 2, 2]),
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )


def array(x):
    return ops.convert_to_numpy(x)


def _dense(graph, layer, x):
    inputs = [x, graph.constant(array(layer.kernel))]
    if layer.use_bias:
        inputs.append(graph.constant(array(layer.bias)))
    return graph.node("Gemm", *inputs)


def _reshape(graph, layer, x):
    shape = graph.constant([0, *layer.target_shape], "int64")  # 0: keep it.
    return graph.node(
        "Transpose", graph.node("Reshape", x, shape), perm=[0, 3, 1, 2]
    )


def _upsample_conv(graph, layer, x):
    # One 4x4 kernel would do the same, but the file would grow.
    return graph.conv(graph.upsample(x), layer)


def _batch_norm(graph, layer, x, labels=None):
    gain, offset, mean, variance = (
        array(v).astype("float64")
        for v in (
            layer.gamma,
            layer.beta,
            layer.moving_mean,
            layer.moving_variance,
        )
    )
    gain /= np.sqrt(variance + layer.epsilon)
    offset -= mean * gain
    if labels is None:
        gain, offset = (
            graph.constant(t[:, None, None]) for t in (gain, offset)
        )
    else:
        gain, offset = (
            graph.node(
                "Unsqueeze",
                graph.node("Gather", graph.constant(table), labels),
                graph.constant([2, 3], "int64"),
            )
            for table in (gain, offset)
        )  # (B, C, 1, 1)
    return graph.node("Add", graph.node("Mul", x, gain), offset)


def _attention(graph, layer, x):
    # B images, N = H * W locations, M keys; C channels, D in a query.
    height, width = layer.map_size

    flat = graph.constant([0, 0, -1], "int64")
    f, g, h = (graph.conv(x, y) for y in (layer.query, layer.key, layer.value))
    if layer.pool_size > 1:
        pool = [layer.pool_size] * 2
        g, h = (
            graph.node("MaxPool", y, kernel_shape=pool, strides=pool)
            for y in (g, h)
        )
    # (B, D, N), (B, D, M), (B, C', M)
    f, g, h = (graph.node("Reshape", y, flat) for y in (f, g, h))
    f = graph.node("Transpose", f, perm=[0, 2, 1])  # (B, N, D)
    beta = graph.node("Softmax", graph.node("MatMul", f, g), axis=-1)
    graph.scores[layer.name] = beta, [height * width, _keys(layer)]
    beta = graph.node("Transpose", beta, perm=[0, 2, 1])  # (B, M, N)
    o = graph.node("MatMul", h, beta)  # (B, C', N)
    o = graph.node("Reshape", o, graph.constant([0, 0, height, width], "int64"))
    if layer.output_projection:
        o = graph.conv(o, layer.projection)  # (B, C, H, W)
    gamma = graph.constant(array(layer.gamma))
    return graph.node("Add", x, graph.node("Mul", o, gamma))


def _keys(layer):
    height, width = layer.map_size
    return height * width // layer.pool_size**2


def _add(graph, layer, x, y):
    return graph.node("Add", x, y)


EMIT = {
    Dense: _dense,
    keras.layers.Reshape: _reshape,
    Conv2D: lambda graph, layer, x: graph.conv(x, layer),
    UpsampleConv2D: _upsample_conv,
    BatchNorm: _batch_norm,
    ConditionalBatchNorm: _batch_norm,
    SelfAttention2D: _attention,
    AddUpsampled: lambda graph, layer, x, y: graph.node(
        "Add", x, graph.upsample(y)
    ),
    Add: _add,
    keras.layers.Add: _add,
    keras.layers.ReLU: lambda graph, layer, x: graph.node("Relu", x),
    Tanh: lambda graph, layer, x: graph.node("Tanh", x),
}


def onnx_model(generator, metadata, dtype="float32", attention=False):
    """Returns an `onnx.ModelProto` of a generator of plain kernels.

    Args:
        generator: A network as `plain_generator` returns it.
        metadata: Dict of strings to keep in the file.
        dtype: `"float32"` or `"float16"`, the type in which large arrays are
            stored.
        attention: Whether the scores of the attention layers are also outputs.

    Raises:
        ValueError: If `EMIT` cannot write a layer, which the message names.
    """
    import onnx

    if not is_graph(generator):
        raise _unknown(generator)
    graph = Graph(dtype)
    # Inputs are known by their position, not by their names in the network.
    names = {id(x): n for x, n in zip(generator.inputs, ("latents", "labels"))}
    for layer in generator.layers:
        if id(layer.output) in names:
            continue
        activation = getattr(layer, "activation", keras.activations.linear)
        linear = activation is keras.activations.linear
        if type(layer) not in EMIT or not linear:
            raise _unknown(layer)
        inputs = [names[id(x)] for x in keras.tree.flatten(layer.input)]
        names[id(layer.output)] = EMIT[type(layer)](graph, layer, *inputs)
    images = names[id(generator.outputs[0])]
    graph.nodes.append(
        onnx.helper.make_node(
            "Transpose", [images], ["images"], perm=[0, 2, 3, 1]
        )
    )
    outputs = [_images(generator.output_shape)]
    for name, (scores, shape) in graph.scores.items() if attention else ():
        graph.nodes.append(onnx.helper.make_node("Identity", [scores], [name]))
        outputs.append(_scores(name, shape))
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            "generator",
            _inputs(generator),
            outputs,
            [
                onnx.numpy_helper.from_array(value, name)
                for name, value in graph.constants.items()
            ],
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="keras_sagan",
    )
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    return model


def _unknown(layer):
    return ValueError(
        "`model` must have a generator of the layers of `build_generator` to "
        f"be written as ONNX. Received: '{layer.name}', {layer}"
    )


def _inputs(generator):
    import onnx

    latents, *labels = generator.inputs
    return [
        onnx.helper.make_tensor_value_info(
            "latents",
            onnx.TensorProto.FLOAT,
            ["batch", *latents.shape[1:]],
            "Standard normal numbers.",
        )
    ] + [
        onnx.helper.make_tensor_value_info(
            "labels", onnx.TensorProto.INT64, ["batch"], "Classes, from 0."
        )
        for _ in labels
    ]


def _scores(name, shape):
    import onnx

    return onnx.helper.make_tensor_value_info(
        name,
        onnx.TensorProto.FLOAT,
        ["batch", *shape],
        "Attention: for each location of the map, row by row, the weights of "
        "the keys.",
    )


def _images(shape):
    import onnx

    return onnx.helper.make_tensor_value_info(
        "images",
        onnx.TensorProto.FLOAT,
        ["batch", *shape[1:]],
        "Images in [-1, 1], channels last.",
    )
