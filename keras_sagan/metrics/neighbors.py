"""The training images that are nearest to generated ones."""

import numpy as np

from keras_sagan.arguments import check_callable
from keras_sagan.arguments import check_integer
from keras_sagan.metrics.features import run
from keras_sagan.metrics.images import Images
from keras_sagan.metrics.manifold import squares
from keras_sagan.metrics.progress import progress


def nearest_neighbors(
    samples, images, count=5, feature_extractor=None, batch_size=256
):
    """Finds the images that are nearest to each sample.

    If a generator has memorized its training images, its samples are at a
    distance of nearly 0 from some of them. The training images are read once,
    batch by batch.

    Args:
        samples: uint8 `(N, H, W, channels)`.
        images: Training images, as `real` in `metrics.evaluate`.
        count: Positive integer, number of neighbours of each sample.
        feature_extractor: As in `metrics.evaluate`. Distances are those of its
            features, or of pixels in [0, 1] if it is None.
        batch_size: Positive integer.

    Returns:
        Indices into `images` and Euclidean distances, both `(N, count)`, with
        the nearest first.

    Raises:
        ValueError: If there are fewer images than `count`, or an argument is
            invalid.

    Example:

    >>> x = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), "uint8")
    >>> indices, distances = keras_sagan.metrics.nearest_neighbors(x[3:5], x, 1)
    >>> indices.tolist(), distances.tolist()
    ([[3], [4]], [[0.0], [0.0]])
    """
    samples, images = Images("samples", samples), Images("images", images)
    check_integer("count", count, 1, len(images))
    check_integer("batch_size", batch_size, 1)
    check_callable("feature_extractor", feature_extractor, optional=True)
    of = _pixels if feature_extractor is None else feature_extractor
    x = np.concatenate(
        [_vectors(of, batch) for batch, _ in samples.batches(batch_size)]
    )
    distances = np.full((len(x), count), np.inf)
    indices = np.zeros((len(x), count), int)
    batches, begin = images.batches(batch_size), 0
    for batch, _ in progress(
        batches, "neighbours", -(-len(images) // batch_size)
    ):
        y = _vectors(of, batch)
        if x.shape[1] != y.shape[1]:
            raise ValueError(
                "`samples` and `images` must be of one size. "
                f"Received: {x.shape[1]} and {y.shape[1]} values each"
            )
        new = squares(x)[:, None] + squares(y) - 2 * x @ y.T
        both = np.concatenate([distances, new], axis=1)
        places = np.tile(begin + np.arange(len(y)), (len(x), 1))
        places = np.concatenate([indices, places], axis=1)
        order = np.argsort(both, axis=1, kind="stable")[:, :count]
        distances = np.take_along_axis(both, order, axis=1)
        indices = np.take_along_axis(places, order, axis=1)
        begin += len(y)
    # Squared distances as small as this are rounding errors of 0.
    rounding = 1e-12 * squares(x)[:, None]
    distances = np.where(distances < rounding, 0.0, distances)
    return indices, np.sqrt(distances)


def _vectors(extractor, images):
    return run(extractor, images)["features"].astype("float64")


def _pixels(images):
    return images.reshape(len(images), -1) / 255.0
