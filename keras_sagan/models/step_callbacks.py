"""Calls callbacks after each step without waiting for the device."""

import math

import keras

from keras_sagan import backends

# A progress bar reads the numbers once in this many steps.
STEPS_BETWEEN_LOOKS = 10


class StepLogs(dict):
    """The logs of a step, which stay on the device until they are read.

    For a reader this is a dict of floats. Reading any value moves all of them
    to the host at once, and waits until the device has computed them. Reading
    only the names does not wait.

    Args:
        logs: Dict of scalars, which may be tensors. If a value is a function,
            it is called when the values are read, after the device has
            computed them.
    """

    def __init__(self, logs):
        super().__init__(sorted(_flat(logs or {})))
        self._is_read = False

    def read(self):
        """Moves the values to the host, unless this was done before."""
        if self._is_read:
            return
        self._is_read = True
        values = backends.to_host(dict.values(self))
        values = [x() if callable(x) else x for x in values]
        self.update(zip(dict.keys(self), map(_as_float, values)))


def _as_float(value):
    try:
        return float(value)
    except (TypeError, ValueError):  # A user's log may be anything.
        return value


def _flat(logs):
    """Yields the names and values of a dict, and of the dicts in it."""
    for name, value in logs.items():
        if isinstance(value, dict):
            yield from _flat(value)
        else:
            yield name, value


def _reading(name):
    """Returns a method of `dict` that first moves the values to the host."""
    method = getattr(dict, name)

    def read_and_call(self, *args, **kwargs):
        self.read()
        return method(self, *args, **kwargs)

    read_and_call.__name__ = name
    return read_and_call


for _name in (
    "__eq__",
    "__getitem__",
    "__iter__",  # `dict(logs)` asks for it.
    "__ne__",
    "__or__",
    "__repr__",
    "__ror__",
    "copy",
    "get",
    "items",
    "pop",
    "popitem",
    "setdefault",
    "values",
):
    setattr(StepLogs, _name, _reading(_name))


class StepCallbacks(keras.callbacks.CallbackList):
    """A list of callbacks that get `StepLogs` after each step.

    If a callback is called after each step, the list of Keras 3.15.1 converts
    each value to a float then, or calls the callbacks in other threads, out of
    order.
    """

    def on_train_batch_end(self, batch, logs=None):
        logs = StepLogs(logs)
        for callback in self.callbacks:
            callback.on_train_batch_end(batch, logs)

    def on_test_batch_end(self, batch, logs=None):
        logs = StepLogs(logs)
        for callback in self.callbacks:
            callback.on_test_batch_end(batch, logs)


class KerasBar(keras.callbacks.ProgbarLogger):
    """Keras' progress bar, with the numbers of every tenth step."""

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self._looks, self._numbers = Looks(), {}

    def on_test_begin(self, logs=None):
        super().on_test_begin(logs)
        self._looks, self._numbers = Looks(), {}

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, self._seen(batch, logs))

    def on_test_batch_end(self, batch, logs=None):
        super().on_test_batch_end(batch, self._seen(batch, logs))

    def _seen(self, batch, logs):
        if self.verbose == 1 and self._looks.is_due(batch + 1):
            self._numbers = dict(logs or {})
        return self._numbers


class Looks:
    """Decides when a progress bar reads the numbers and waits for them."""

    def __init__(self):
        self._last = None

    def is_due(self, step):
        """Returns whether to read now: at first, and then each tenth step."""
        before, self._last = self._last, step // STEPS_BETWEEN_LOOKS
        return before is None or before < self._last


def callback_list(model, callbacks, verbose, epochs, steps, in_fit):
    """Returns the `StepCallbacks` for Keras' `fit` or `evaluate`.

    Args:
        model: The `SAGAN`.
        callbacks: List of `keras.callbacks.Callback`.
        verbose: As in Keras.
        epochs: Positive integer, the number of epochs.
        steps: Number of steps in an epoch, or None if it is unknown.
        in_fit: Whether this is for `fit`, which keeps a history.
    """
    has_bar = any(
        isinstance(x, keras.callbacks.ProgbarLogger) for x in callbacks
    )
    if verbose != 0 and not has_bar:
        callbacks = [*callbacks, KerasBar()]
    return StepCallbacks(
        callbacks,
        add_history=in_fit,
        model=model,
        verbose=verbose,
        epochs=epochs,
        steps=steps,
    )


def steps_in_epoch(x, batch_size, steps, validation_split=0.0):
    """Returns the number of steps in an epoch, or None if it is unknown.

    Args:
        x: Data of `fit`: an array of images or a dataset.
        batch_size: Number of images per batch of an array. If `None`, defaults
            to 32, as in Keras.
        steps: The user's `steps_per_epoch`, or None.
        validation_split: Share of an array that is not used for training.
    """
    if steps is not None:
        return steps
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches
    if hasattr(x, "shape"):
        images = math.floor(len(x) * (1 - validation_split))
        return math.ceil(images / (batch_size or 32))
    if hasattr(x, "cardinality"):  # A `tf.data.Dataset`; negative: unknown.
        steps = int(x.cardinality())
        return steps if steps >= 0 else None
    try:
        return len(x)
    except TypeError:
        return None
