"""Several processes on PyTorch, one per device, as torchrun starts them.

Each process has all weights and a part of each batch. In a training or
evaluation step, gradients, logs and moments are averaged over the parts.
Outside a step, each process computes by itself.
"""

import atexit
import contextlib
import os
import sys

import keras
import numpy as np
import torch
from torch import distributed

from keras_sagan.backends.torch_adam import in_one_pass
from keras_sagan.backends.torch_host import ConstantsStay

_stepping = False


def start_engine():
    """Joins the processes that torchrun started, if it was used."""
    if "RANK" not in os.environ or distributed.is_initialized():
        return
    if torch.cuda.is_available():
        # The device "cuda" of Keras is then the device of this process.
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        distributed.init_process_group("nccl")
    else:
        distributed.init_process_group("gloo")
    atexit.register(_leave_engine)


def _leave_engine():
    """Ends the engine's threads before Python ends.

    Otherwise the threads of gloo can abort the process; see docs/design.md.
    NCCL is left alone: it might wait here for other processes, which may have
    failed.
    """
    if not distributed.is_initialized() or hasattr(sys, "last_value"):
        return  # After an error, the other processes may never get here.
    if distributed.get_backend() == "gloo":
        distributed.destroy_process_group()


def process():
    """Returns the index of this process, and the number of processes."""
    if not distributed.is_initialized():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def replicas():
    """Returns the number of devices that share a batch."""
    return process()[1]


def gather(array):
    """Returns the arrays of all processes, stacked, on the host."""
    array = np.asarray(array)
    if replicas() == 1:
        return array[None]
    # Exchange bytes, because PyTorch lacks some of NumPy's types.
    mine = torch.frombuffer(bytearray(array.tobytes()), dtype=torch.uint8)
    mine = mine.to("cuda" if torch.cuda.is_available() else "cpu")
    every = [torch.empty_like(mine) for _ in range(replicas())]
    distributed.all_gather(every, mine)
    every = [
        np.frombuffer(x.cpu().numpy().tobytes(), array.dtype) for x in every
    ]
    return np.stack(every).reshape(-1, *array.shape)


@contextlib.contextmanager
def step():
    """In this block, all processes run the same step, each on its part."""
    global _stepping
    before, _stepping = _stepping, replicas() > 1
    try:
        yield
    finally:
        _stepping = before


def global_batch_size(n):
    """Returns the rows of the whole batch, of which this process has `n`."""
    return n * replicas() if _stepping else n


def local_slice(x):
    """Returns this process' rows of values drawn for a whole batch."""
    if not _stepping:
        return x
    index, n = process()
    return torch.chunk(x, n)[index]


def mean_over_replicas(tensors):
    """Averages tensors, in any structure, in one exchange."""
    if not _stepping:
        return tensors
    flat = keras.tree.flatten(tensors)
    mean = total(torch.cat([x.reshape(-1) for x in flat])) / replicas()
    parts = mean.split([x.numel() for x in flat])
    return keras.tree.pack_sequence_as(
        tensors, [p.view_as(x).to(x.dtype) for p, x in zip(parts, flat)]
    )


def apply_gradients(optimizer, gradients, variables):
    with ConstantsStay(), in_one_pass(optimizer):
        optimizer.apply(gradients, variables)


def total(x):
    """Returns the sum of the tensors of all processes, without a gradient."""
    x = x.detach().clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(x)
    return x


def every(x):
    """Returns the tensors of all processes stacked, without a gradient."""
    tensors = [torch.empty_like(x) for _ in range(replicas())]
    distributed.all_gather(tensors, x.detach())
    return torch.stack(tensors)


def stepping():
    return _stepping


def broadcast(variables):
    """Gives all processes the values of the first one."""
    if replicas() > 1:
        for variable in variables:
            distributed.broadcast(variable.value.data, 0)


def alone():
    """Does nothing: outside a step, a process works by itself anyway."""
    return contextlib.nullcontext()


def predict(network, inputs):
    """Runs a network in inference mode in this process alone.

    `predict_on_batch` of Keras 3.16 would use all processes together.
    """
    with torch.no_grad():
        outputs = network(inputs, training=False)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)
