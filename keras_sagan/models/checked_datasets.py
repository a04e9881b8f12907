"""Datasets that check each batch when it is read."""

import copy
import itertools

import keras

# Keras reads fewer batches to find shapes (NUM_BATCHES_FOR_TENSOR_SPEC).
_PEEKED = 3


def peek(x, check, num_classes):
    """Returns a dataset that checks its batches, and its first batch.

    A stream yields its first batch only once; the returned dataset still
    yields it.

    Args:
        x: A dataset for `fit`.
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
    """Returns a `tf.data.Dataset` that fails at a label that is not a class.

    TensorFlow runs the check on every backend, in parallel with the device.
    """
    import tensorflow

    def check(images, labels):
        inside = (labels >= 0) & (labels < num_classes)
        message = (
            f"Labels must be in [0, {num_classes}), the classes of the networks"
        )
        right = tensorflow.debugging.Assert(
            tensorflow.reduce_all(inside), [message, labels]
        )
        with tensorflow.control_dependencies([right]):
            return images, tensorflow.identity(labels)

    return dataset.map(check)


def _with_first(batch, rest, check):
    # This is a generator, because Keras does not know `itertools.chain`.
    yield batch
    for batch in rest:
        check(batch)
        yield batch


def _checked_loader(loader, first, rest, check):
    """Returns a copy of a `DataLoader` that first yields what was begun.

    On some backends, Keras reads two batches to find their shapes, drops them,
    and starts again (`TorchDataLoaderAdapter`, 3.15.1). It then gets the same
    batches a second time.
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
    """A `PyDataset` that checks each batch when it is read."""

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
        """Position of a dataset of `keras_sagan.data`; None for others."""
        return getattr(self.dataset, "start_step", None)

    @start_step.setter
    def start_step(self, step):
        self.dataset.start_step = step

    def on_epoch_begin(self):
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        self.dataset.on_epoch_end()
