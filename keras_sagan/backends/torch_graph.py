"""The training step as a graph of PyTorch operations.

Keras' layers run Python code for every call. In small steps, and on fast
devices, this takes more time than the arithmetic. Here the step runs once in a
tracer that records the operations of PyTorch, including those of the
gradients. After that, the recorded operations are run in the same order.
Unlike `torch.compile`, this needs no compiler, and recording takes seconds.
"""

import warnings

import keras
import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode


class GraphOfStep:
    """Runs `model.learn` as a graph, one for each shape of its arguments.

    Latents and labels are drawn outside the graph, because seeds are Python
    numbers. Steps that read values on the host cannot be recorded, because
    the values would be constants in the graph. Keras' `Dropout` reads its seed,
    and some optimizers and losses read variables. Such steps run without a
    graph, and there is a warning.
    """

    def __init__(self, model):
        self.model = model
        self.graphs = {}
        self.tracing = False

    def run(self, inputs):
        """Runs the step on its `StepInputs`; returns the logs.

        Values that are not tensors, such as labels that are None, or whether a
        penalty is due, are constants in a graph: there is one graph for each
        value.
        """
        tensors = [
            x if x is None or isinstance(x, bool) else torch.as_tensor(x)
            for x in keras.tree.flatten(inputs)
        ]
        key = tuple(
            (x.shape, x.dtype) if torch.is_tensor(x) else x for x in tensors
        )
        if key not in self.graphs:
            self.graphs[key] = self._trace(tensors, inputs)
        variables, graph = self.graphs[key]
        if graph is None:
            return self.model.learn(inputs)
        values, logs = graph([v.value.detach() for v in variables], tensors)
        for variable, value in zip(variables, values):
            # A value that was not updated in place is a new tensor. The
            # variable takes its memory, and nothing is copied.
            variable.value.data = value
        return logs

    def _trace(self, tensors, structure):
        model = self.model
        variables = [
            *model.trainable_variables,
            *model.non_trainable_variables,
            *model.optimizer.variables,
            *model.metrics_variables,
        ]
        variables = list({id(v): v for v in variables}.values())

        def step(values, tensors):
            inputs = keras.tree.pack_sequence_as(structure, tensors)
            mapping = list(zip(variables, values))
            with keras.StatelessScope(mapping) as scope:
                logs = model.learn(inputs)
            return [scope.get_current_value(v) for v in variables], logs

        # Use copies: tracing runs the operations, some of them in place.
        values = [v.value.detach().clone() for v in variables]
        self.tracing, graph = True, None
        try:
            with _RefuseReads():
                graph = make_fx(step)(values, tensors)
            reason = "a layer draws random numbers with a seed, as Dropout does"
        # An error of the step itself is raised when it runs without a graph.
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
        finally:
            self.tracing = False
        if graph is None or _holds_a_generator(graph):
            warnings.warn(
                "`jit_compile=True` has no effect, because the step cannot be "
                f"recorded as a graph of operations: {reason}",
                stacklevel=2,
            )
            return variables, None
        return variables, _without_detach(graph)


class _RefuseReads(TorchFunctionMode):
    """In this block, an error is raised if a tensor is read on the host."""

    _reads = {
        torch.Tensor.__array__,
        torch.Tensor.__bool__,
        torch.Tensor.__complex__,
        torch.Tensor.__float__,
        torch.Tensor.__index__,
        torch.Tensor.__int__,
        torch.Tensor.item,
        torch.Tensor.numpy,
        torch.Tensor.tolist,
    }

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in self._reads:
            raise RuntimeError(
                "a layer, a loss or an optimizer reads the value of a tensor "
                f"on the host ({function.__name__})"
            )
        return function(*args, **kwargs or {})


def traced_value_and_gradients(loss_fn, variables, all_variables):
    """`value_and_gradients` for variables whose values are in a scope."""
    ids = {id(v) for v in variables}
    others = [v for v in all_variables if id(v) not in ids]
    before = [v.value for v in others]
    leaves = [v.value.detach().requires_grad_() for v in variables]
    mapping = [*zip(variables, leaves), *zip(others, before)]
    with torch.enable_grad(), keras.StatelessScope(mapping) as scope:
        loss, aux = loss_fn()
    gradients = gradients_of(loss, leaves)
    for variable, old in zip(others, before):
        new = scope.get_current_value(variable)
        if new is not old:
            variable.assign(new.detach())
    return (loss.detach(), detached(aux)), gradients


def gradients_of(loss, values):
    """Returns the gradients of a loss with respect to values.

    They are zeros for weights that a network does not use.
    """
    if not values:  # The whole network is frozen.
        return []
    return torch.autograd.grad(
        loss, values, allow_unused=True, materialize_grads=True
    )


def detached(logs):
    """Returns a dict of tensors without their graph."""
    return {name: torch.as_tensor(x).detach() for name, x in logs.items()}


def _holds_a_generator(graph):
    """Returns whether the graph would draw random numbers without a seed."""
    nodes = graph.graph.nodes
    return any(x.kwargs.get("generator") is not None for x in nodes)


def _without_detach(graph):
    """Removes the operations that matter only for recording gradients."""
    for node in list(graph.graph.nodes):
        if node.target is torch.ops.aten.detach.default:
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
    graph.recompile()
    return graph
