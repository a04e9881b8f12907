"""The points of an image at which its attention is shown."""

import numpy as np


def check_queries(queries, shape):
    """Returns points (x, y) as integers `(N, Q, 2)`, one row per image.

    Args:
        queries: Integers `(Q, 2)` or `(N, Q, 2)`, Q at least 1.
        shape: `(N, height, width)` of the images.

    Raises:
        ValueError: If they are not such points, or lie outside the images.
    """
    n, height, width = shape
    points = np.asarray(queries)
    if points.ndim == 2:
        points = np.broadcast_to(points, (n, *points.shape))
    if (
        points.ndim != 3
        or points.shape[0] != n
        or points.shape[1] < 1
        or points.shape[2] != 2
        or not np.issubdtype(points.dtype, np.integer)
    ):
        raise ValueError(
            "`queries` must be a positive integer or integer points (x, y) of "
            f"shape (Q, 2) or ({n}, Q, 2). Received: queries={queries}"
        )
    outside = (points < 0) | (points >= (width, height))
    if outside.any():
        point = tuple(points[outside.any(-1)][0].tolist())
        raise ValueError(
            f"`queries` must be points (x, y) from (0, 0) to ({width - 1}, "
            f"{height - 1}), pixels of the images. Received: {point}"
        )
    return points


def representative_queries(scores, count, size):
    """Chooses points of each image that represent all its locations.

    The points are greedy medoids: each new point is the one that makes the sum
    of the distances of all locations to their nearest chosen point smallest.
    The distance of two locations has two parts of equal weight: how much their
    maps differ (squared Hellinger distance) and how far apart they are (squared
    distance over squared diagonal).

    Args:
        scores: Floats `(N, H, W, h, w)`.
        count: Positive integer, at most `H * W`.
        size: `(height, width)` of the images in pixels.

    Returns:
        Integers `(N, count, 2)`, points (x, y) in pixels.
    """
    rows, columns = scores.shape[1:3]
    if not 1 <= count <= rows * columns:
        raise ValueError(
            f"`queries` must be from 1 to {rows * columns}, the locations of "
            f"the attention's map, or points. Received: queries={count}"
        )
    # N locations: all of a map up to 32x32, otherwise a regular subset.
    stride = max(1, -(-max(rows, columns) // 32))
    i, j = np.meshgrid(
        np.arange(stride // 2, rows, stride),
        np.arange(stride // 2, columns, stride),
        indexing="ij",
    )
    places = np.stack([i.ravel(), j.ravel()], axis=-1)  # (N, 2)
    chosen = [
        places[_medoids(image[places[:, 0], places[:, 1]], places, count)]
        for image in scores
    ]
    centres = (np.array(chosen) + 0.5) * np.divide(size, (rows, columns))
    return centres.astype(int)[..., ::-1]  # (x, y)


def _medoids(maps, places, count):
    """Returns indices of `count` medoids; maps `(N, h, w)`, places `(N, 2)`."""
    roots = np.sqrt(maps.reshape(len(maps), -1))
    difference = places[:, None] - places[None]
    apart = np.sum(difference**2, axis=-1)  # (N, N)
    distance = 1 - roots @ roots.T + apart / max(1, apart.max())
    nearest = np.full(len(maps), np.inf)
    chosen = []
    for _ in range(count):
        remaining = np.minimum(distance, nearest).sum(axis=1)
        remaining[chosen] = np.inf
        chosen.append(int(np.argmin(remaining)))
        nearest = np.minimum(nearest, distance[chosen[-1]])
    return chosen
