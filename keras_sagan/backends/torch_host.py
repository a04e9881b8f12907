"""Functions of the host that do not wait for the device.

Reading a value waits until the device has finished all of its work. So does
moving a number to the device: PyTorch returns when the number is there.
"""

import functools
import numbers

import keras
import numpy as np
import torch
from torch.overrides import TorchFunctionMode


def constant(array, like):
    """Returns a float32 NumPy array as a tensor, moved to a device once.

    It has the dtype and the device of the tensor `like`.
    """
    return _constant(array.tobytes(), array.shape, like.dtype, like.device)


@functools.lru_cache(maxsize=256)
def _constant(data, shape, dtype, device):
    array = np.frombuffer(data, "float32").reshape(shape).copy()
    return torch.as_tensor(array, dtype=dtype, device=device)


def to_device(data, device):
    """Starts to move a batch to a device, and does not wait for it.

    The memory must be pinned, so that the device can read it by itself.
    """

    def start(x):
        if x is None:
            return None
        x = torch.as_tensor(x)
        if x.device.type != "cpu" or device.type != "cuda":
            return x
        return x.pin_memory().to(device, non_blocking=True)

    return keras.tree.map_structure(start, data)


class ConstantsStay(TorchFunctionMode):
    """In this block, a number is moved to a device only once.

    If it is converted again, the result is a copy of the first tensor, because
    the caller may change it in place. This inspects each call of PyTorch, so it
    is meant for a few calls, as in an optimizer.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is not torch.as_tensor or not _is_number(args):
            return function(*args, **kwargs)
        number = args[0]
        if isinstance(number, np.ndarray):  # An older Keras makes arrays.
            number = number[()]
        # 1 and 1.0, and 0.0 and -0.0, are equal keys.
        key = repr(number), tuple(sorted(kwargs.items(), key=str))
        return _tensor_of(number, *key).clone()


@functools.lru_cache(maxsize=256)
def _tensor_of(number, text, arguments):
    return torch.as_tensor(number, **dict(arguments))


def _is_number(args):
    if len(args) != 1:
        return False
    if isinstance(args[0], np.ndarray):
        return args[0].ndim == 0
    return isinstance(args[0], numbers.Number)


class HostCopy:
    """The value of a variable, read again only after an assignment to it.

    Args:
        variable: A `keras.Variable` of integers.
    """

    def __init__(self, variable):
        self._variable = variable
        self._value = self._seen = None

    def read(self):
        """Returns the value: an integer, or a list of them."""
        if self._seen is None or not _is_same(self._seen, self._state()):
            self.has_become(self._variable.value.tolist())
        return self._value

    def has_become(self, value):
        """Sets the current value, without reading the variable again."""
        self._value, self._seen = value, self._state()

    def _state(self):
        # PyTorch counts the operations that write to a tensor in place.
        tensor = self._variable.value
        return tensor, tensor._version


def _is_same(first, second):
    return first[0] is second[0] and first[1] == second[1]


_ONE_MORE = np.array([0, 1], "float32")


class SeedGenerator(keras.random.SeedGenerator):
    """Keras' seed generator without waits, and with the same numbers.

    The host knows the seed. Keras (3.15.1) reads it from the device for each
    draw.
    """

    def __init__(self, seed=None, name=None, **kwargs):
        super().__init__(seed, name, **kwargs)
        self._on_host = HostCopy(self.state)

    def next(self, ordered=True):
        if not ordered:
            return super().next(ordered)
        seed, count = self._on_host.read()
        state = self.state.value
        self.state.assign(state + constant(_ONE_MORE, state))
        self._on_host.has_become([seed, count + 1])
        # Keras adds the two, and the sum overflows like an int32.
        return (seed + count + 2**31) % 2**32 - 2**31, 0
