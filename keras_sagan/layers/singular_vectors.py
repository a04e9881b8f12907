"""Singular vectors of matrices, and of the blocks of a matrix."""

from keras import ops

from keras_sagan import backends
from keras_sagan.backends.precision import at_least_float32


def leading_singular_vector(matrix):
    """Returns the right singular vector of the largest singular value.

    It is computed from the smaller of the two Gram matrices.

    Args:
        matrix: Float tensor `(rows, columns)`, or matrices `(groups, rows,
            columns)`.

    Returns:
        A unit vector `(columns,)`, or one for each matrix, `(groups,
        columns)`, in at least float32. Its sign is arbitrary. For a matrix of
        zeros, it is some unit vector.

    Example:

    >>> matrix = np.array([[0.0, 2.0], [1.0, 0.0]], "float32")
    >>> u = keras_sagan.layers.singular_vectors.leading_singular_vector(
    ...     keras.ops.convert_to_tensor(matrix))
    >>> np.abs(keras.ops.convert_to_numpy(u)).round(3).tolist()
    [0.0, 1.0]
    """
    matrix = ops.cast(matrix, at_least_float32(matrix.dtype))
    rows, columns = matrix.shape[-2:]
    transposed = ops.swapaxes(matrix, -1, -2)
    if columns <= rows:
        return ops.linalg.eigh(transposed @ matrix)[1][..., -1]
    left = ops.linalg.eigh(matrix @ transposed)[1][..., -1:]
    u = (transposed @ left)[..., 0]
    # A power iteration would never leave a vector of zeros.
    otherwise = columns**-0.5
    if len(matrix.shape) == 2:
        return backends.normalize(u, 0.0, otherwise)
    flat = normalize_groups(ops.reshape(u, (-1,)), u.shape[0], 0.0, otherwise)
    return ops.reshape(flat, u.shape)


def normalize_groups(vector, groups, epsilon, otherwise):
    """Divides each group's part by its norm; see `backends.normalize`."""
    shape = groups, vector.shape[0] // groups
    parts = ops.reshape(vector, shape)
    norms = ops.sqrt(ops.sum(ops.square(parts), axis=1, keepdims=True))
    units = parts / ops.maximum(norms, epsilon)
    otherwise = ops.cast(otherwise, vector.dtype)
    if len(otherwise.shape):
        otherwise = ops.reshape(otherwise, shape)
    return ops.reshape(ops.where(norms > 0, units, otherwise), vector.shape)


def of_group(vector, chosen):
    """Returns a vector with zeros in all groups but one."""
    parts = ops.reshape(vector, (len(chosen), -1))
    return ops.reshape(parts * chosen[:, None], (-1,))


# These use `@`: `keras.ops.matmul` rounds float64 to float32 on PyTorch. On
# TensorFlow, a slice takes four operations, and `reshape` two.


def row(vector, matrix):
    """Returns `vector @ matrix`: `(rows,) @ (rows, columns)`."""
    product = backends.reshape(vector, (1, -1)) @ matrix
    return backends.reshape(product, (-1,))


def column(matrix, vector):
    """Returns `matrix @ vector`: `(rows, columns) @ (columns,)`."""
    product = matrix @ backends.reshape(vector, (-1, 1))
    return backends.reshape(product, (-1,))
