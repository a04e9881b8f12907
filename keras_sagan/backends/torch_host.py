"""What the host knows of small integer variables without asking the device.

Reading a variable waits until the device has done all that was asked of it.
"""

import keras
import torch


class HostCopy:
    """The value of a variable, read again only after someone assigned to it.

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
        """Says what the variable, which had been read, is by now."""
        self._value, self._seen = value, self._state()

    def _state(self):
        # PyTorch counts the operations that write to a tensor in place.
        tensor = self._variable.value
        return tensor, tensor._version


def _is_same(first, second):
    return first[0] is second[0] and first[1] == second[1]


class SeedGenerator(keras.random.SeedGenerator):
    """Keras' seeds, known on the host: the same numbers, and no waits.

    Keras (3.15.1) asks the device for the seed of each draw.
    """

    def __init__(self, seed=None, name=None, **kwargs):
        super().__init__(seed, name, **kwargs)
        self._on_host = HostCopy(self.state)
        self._increment = None

    def next(self, ordered=True):
        if not ordered:
            return super().next(ordered)
        seed, count = self._on_host.read()
        state = self.state.value
        if self._increment is None or self._increment.device != state.device:
            self._increment = torch.tensor(
                [0, 1], dtype=state.dtype, device=state.device
            )
        self.state.assign(state + self._increment)
        self._on_host.has_become([seed, count + 1])
        # Keras takes the sum of the two, which overflows as int32 does.
        return (seed + count + 2**31) % 2**32 - 2**31, 0
