"""Functions with custom gradients on TensorFlow.

For a training step, each gradient is computed fast from the results of the
forward pass. For a gradient of that gradient, it is computed again from the
inputs, so that gradients of every order are correct.
"""

import tensorflow as tf

from keras_sagan.backends.chunked_attention import number_of_chunks


def _with_gradients_of(function, values, *inputs):
    """Returns `values()`, whose gradients are those of `function(*inputs)`.

    Both are equal, but `values` may use results that are already known.
    """

    @tf.custom_gradient
    def evaluate(*inputs):
        def gradient(*upstream):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(inputs)
                outputs = function(*inputs)
            return tape.gradient(outputs, inputs, list(upstream))

        return values(), gradient

    return evaluate(*inputs)


@tf.custom_gradient
def divide_by_norm(matrix, sigma, u, v):
    """`matrix / sigma`, where `sigma = v matrix u^T` for constant `u` and `v`.

    The value of `sigma` is already known. A matrix of zeros stays zero.
    """
    is_positive = sigma > 0
    scale = 1 / tf.where(is_positive, sigma, 1.0)
    normalized = matrix * scale

    def gradient_by(upstream, normalized, scale):
        along = tf.reduce_sum(upstream * normalized)
        along = tf.where(is_positive, along, 0.0)
        return (upstream - (along * v)[:, None] * u) * scale

    def gradient_of(upstream, matrix):
        norm = tf.reduce_sum(v * tf.linalg.matvec(matrix, u))
        scale = 1 / tf.where(is_positive, norm, 1.0)
        return gradient_by(upstream, matrix * scale, scale)

    def gradient(upstream):
        result = _with_gradients_of(
            gradient_of,
            lambda: gradient_by(upstream, normalized, scale),
            upstream,
            matrix,
        )
        return result, None, None, None

    return normalized, gradient


def attend(query, key, value):
    """Returns `softmax(query key^T) value`, a tensor `(B, N, C)`.

    The inputs are `(B, N, D)`, `(B, M, D)` and `(B, M, C)`. Attention on a
    large map is chunked: only the scores of a part of the queries are in memory
    at a time, and they are computed again for the gradient.
    """
    n, depth = query.shape[1:]
    blocks = number_of_chunks(n, key.shape[1])
    if blocks == 1:
        return _attend(query, key, value)
    query = tf.reshape(query, (-1, blocks, n // blocks, depth))
    o = tf.map_fn(  # (blocks, B, N / blocks, C)
        lambda q: _attend_again(q, key, value),
        tf.transpose(query, (1, 0, 2, 3)),
        parallel_iterations=1,
    )
    return tf.reshape(tf.transpose(o, (1, 0, 2, 3)), (-1, n, o.shape[-1]))


@tf.custom_gradient
def _attend(query, key, value):
    """Keeps the scores for the gradient."""
    inputs = query, key, value
    beta, o = _scores_and_output(*inputs)

    def gradient(upstream):
        return _with_gradients_of(
            _gradient_of_attend,
            lambda: _gradient_by_scores(upstream, *inputs, beta, o),
            upstream,
            *inputs,
        )

    return o, gradient


@tf.custom_gradient
def _attend_again(query, key, value):
    """Computes the scores again for the gradient."""
    inputs = query, key, value
    _, o = _scores_and_output(*inputs)
    return o, lambda upstream: _gradient_of_attend(upstream, *inputs)


def _scores_and_output(query, key, value):
    full = tf.float64 if query.dtype == tf.float64 else tf.float32
    scores = tf.matmul(query, key, transpose_b=True)  # (B, N, M)
    beta = tf.nn.softmax(tf.cast(scores, full))
    return beta, tf.cast(beta, value.dtype) @ value  # (B, N, C)


def _gradient_of_attend(upstream, *inputs):
    return _gradient_by_scores(upstream, *inputs, *_scores_and_output(*inputs))


def _gradient_by_scores(upstream, query, key, value, beta, o):
    # The gradient of the softmax would read all scores two more times.
    d_value = tf.matmul(tf.cast(beta, value.dtype), upstream, transpose_a=True)
    d_beta = tf.matmul(upstream, value, transpose_b=True)
    products = tf.cast(upstream, beta.dtype) * tf.cast(o, beta.dtype)
    mean = tf.reduce_sum(products, -1, keepdims=True)
    d_scores = beta * (tf.cast(d_beta, beta.dtype) - mean)
    d_scores = tf.cast(d_scores, query.dtype)
    d_key = tf.matmul(d_scores, query, transpose_a=True)
    return d_scores @ key, d_key, d_value
