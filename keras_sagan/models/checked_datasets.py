"""Datasets that check their batches as they come."""

import copy
import itertools

import keras

# Keras takes fewer batches to see their shapes (NUM_BATCHES_FOR_TENSOR_SPEC).
_PEEKED = 3


def peek(x, check, num_classes):
    """Returns a dataset that checks its batches, and its first batch.

    A stream gives its batch away only once: what is returned still has it.

    Args:
        x: Dataset that `fit` takes.
        check: Function that raises an error for a bad batch.
        num_classes: Number of classes, or None. The labels of a
            `tf.data.Dataset` are checked against it, in its graph.
    """
    if isinstance(x, keras.utils.PyDataset):
        return _CheckedDataset(x, check), x[0]
    if hasattr(x, "take"):  # A tf.data.Dataset, which must stay one.
        batch = next(iter(x.take(1)), None)
        if batch is None:
            raise _without_batches(x)
        if isinstance(batch, tuple) and len(batch) == 2 and num_classes:
            x = _checked_graph(x, num_classes)
        return x, batch
    iterator = iter(x)
    try:
        batch = next(iterator)
    except StopIteration:
        raise _without_batches(x) from None
    if hasattr(x, "__next__"):
        return _with_first(batch, x, check), batch
    if hasattr(x, "batch_sampler"):  # A DataLoader, which must stay one.
        return _checked_loader(x, batch, iterator, check), batch
    return x, batch


def _without_batches(x):
    return ValueError(
        "`x` must yield batches. Received: a dataset without any, of type "
        f"{type(x).__name__}"
    )


def _checked_graph(dataset, num_classes):
    """Returns a `tf.data.Dataset` that fails at a label that is no class.

    It is TensorFlow's on every backend, and runs beside the device.
    """
    import tensorflow

    def check(images, labels):
        inside = (labels >= 0) & (labels < num_classes)
        message = (
            f"Labels must be in [0, {num_classes}), as the networks were built"
        )
        right = tensorflow.debugging.Assert(
            tensorflow.reduce_all(inside), [message, labels]
        )
        with tensorflow.control_dependencies([right]):
            return images, tensorflow.identity(labels)

    return dataset.map(check)


def _with_first(batch, rest, check):
    # A generator, not `itertools.chain`: Keras knows the type.
    yield batch
    for batch in rest:
        check(batch)
        yield batch


def _checked_loader(loader, first, rest, check):
    """Returns a copy of a `DataLoader` that begins with what was begun.

    Keras takes two batches for their shapes on some backends, drops them, and
    begins again (`TorchDataLoaderAdapter`, 3.15.1): it gets them twice.
    """
    begun = [_with_first(first, rest, check)]

    class Checked(type(loader)):
        def __iter__(self):
            if begun:
                batches, given = begun.pop(), []
                try:
                    for batch in batches:
                        given = [*given, batch][:_PEEKED]
                        yield batch
                except GeneratorExit:
                    if len(given) < _PEEKED:
                        begun.append(itertools.chain(given, batches))
                    raise
                return
            for batch in super().__iter__():
                check(batch)
                yield batch

    loader = copy.copy(loader)
    loader.__class__ = Checked
    return loader


class _CheckedDataset(keras.utils.PyDataset):
    """A `PyDataset` whose batches are checked as they come."""

    def __init__(self, dataset, check):
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self.dataset = dataset
        self.check = check

    def __getitem__(self, index):
        batch = self.dataset[index]
        self.check(batch)
        return batch

    @property
    def num_batches(self):
        return self.dataset.num_batches

    @property
    def start_step(self):
        """Where a dataset of `keras_sagan.data` is; others have None."""
        return getattr(self.dataset, "start_step", None)

    @start_step.setter
    def start_step(self, step):
        self.dataset.start_step = step

    def on_epoch_begin(self):
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        self.dataset.on_epoch_end()
