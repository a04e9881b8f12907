"""Several processes evaluate images together, each a part of them."""

import numpy as np

from keras_sagan import backends
from keras_sagan.metrics.features import Features
from keras_sagan.metrics.features import allocate
from keras_sagan.metrics.statistics import GaussianStatistics

_ROWS = 1000  # Rows per exchange: 8 MB of features from each process.


def local_slice(images, indices, batch_size):
    """Returns the indices of the images that this process evaluates.

    They form whole pieces, so that the batches are those that a single process
    would make. The parts of the processes follow one another. A single process
    gets `indices`.
    """
    process, processes = backends.process()
    if processes == 1:
        return indices
    indices = np.arange(len(images)) if indices is None else indices
    piece = images.piece(batch_size)
    first = np.arange(0, len(indices), piece)  # The start of each piece.
    own = np.array_split(first, processes)[process]
    return indices[own[0] : own[-1] + piece] if len(own) else indices[:0]


def merge(own, keep, folder=None):
    """Returns the `Features` that a single process would have computed.

    Args:
        own: `Features` of this process' part, which may have no images.
        keep: Names of the arrays that all processes keep.
        folder: Folder for files that hold the arrays. If `None`, the arrays are
            held in memory.
    """
    counts = backends.gather(own.statistics.count)  # (processes,)
    count = int(counts.sum())
    arrays = {}
    for name in keep:
        rows = _or_none(getattr(own, name), "float32")
        into = allocate(folder, name, count, rows.shape[1])
        arrays[name] = _fill(into, rows, counts)
    labelled = backends.gather(own.labels is not None)
    if labelled[counts > 0].all():
        labels = None if own.labels is None else own.labels[:, None]
        rows = _or_none(labels, "int64")
        into = np.empty((count, 1), "int64")
        arrays["labels"] = _fill(into, rows, counts)[:, 0]
    return Features(_merge_statistics(own.statistics, counts), **arrays)


def _merge_statistics(own, counts):
    d = backends.gather(0 if own.mean is None else len(own.mean)).max()
    mean, scatter = np.zeros(d), np.zeros((0, d))
    if own.count:
        mean, scatter = own.mean, own.scatter
    means = backends.gather(mean)  # (processes, D)
    mean = counts @ means / counts.sum()
    # The scatter about the common mean is that of each part about its own
    # mean, plus that of the means.
    differences = np.sqrt(counts)[:, None] * (means - mean)
    total = differences.T @ differences  # (D, D)
    for begin, rows in _exchange(scatter, np.full(len(counts), d)):
        total[begin % d :][: len(rows)] += rows
    return GaussianStatistics.from_moments(int(counts.sum()), mean, total)


def _or_none(rows, dtype):
    """Returns the rows, or an empty array as wide as those of the others."""
    columns = backends.gather(0 if rows is None else rows.shape[1]).max()
    if rows is None:
        rows = np.empty((0, columns), dtype)
    return rows.astype(dtype, copy=False)


def _fill(into, rows, counts):
    for begin, part in _exchange(rows, counts):
        into[begin : begin + len(part)] = part
    return into


def _exchange(rows, counts):
    """Yields rows of all processes, and the index of the first among all."""
    starts = np.cumsum(counts) - counts
    for begin in range(0, counts.max(), _ROWS):
        n = min(_ROWS, counts.max() - begin)
        block = np.zeros((n, rows.shape[1]), rows.dtype)
        own = rows[begin : begin + n]
        block[: len(own)] = own
        for start, count, part in zip(starts, counts, backends.gather(block)):
            yield start + begin, part[: np.clip(count - begin, 0, n)]
