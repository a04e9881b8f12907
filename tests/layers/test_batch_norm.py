import keras
import numpy as np
import pytest
from keras import ops

from keras_sagan.layers import BatchNorm
from keras_sagan.layers import ConditionalBatchNorm
from tests.helpers import array
from tests.helpers import gradients
from tests.helpers import relative_error

X = np.random.default_rng(4).normal(2, 3, (6, 4, 5, 3)).astype("float32")
LABELS = np.array([0, 1, 2, 2, 1, 0], "int32")


def conditional(rng=None, **kwargs):
    layer = ConditionalBatchNorm(3, momentum=0.9, **kwargs)
    layer.build(X.shape)
    if rng is not None:
        layer.gamma.assign(rng.normal(size=(3, 3)))
        layer.beta.assign(rng.normal(size=(3, 3)))
    return layer


def reference(x, gain, offset, mean, variance, epsilon=1e-5):
    gain, offset = gain[:, None, None], offset[:, None, None]
    return gain * (x - mean) / np.sqrt(variance + epsilon) + offset


def test_training_is_the_formula(rng):
    layer = conditional(rng)
    gain, offset = array(layer.gamma)[LABELS], array(layer.beta)[LABELS]
    mean, variance = X.mean((0, 1, 2)), X.var((0, 1, 2))
    np.testing.assert_allclose(
        array(layer(X, LABELS, training=True)),
        reference(X, gain, offset, mean, variance),
        atol=1e-4,
    )
    np.testing.assert_allclose(array(layer.moving_mean), 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(
        array(layer.moving_variance), 0.9 + 0.1 * variance, rtol=1e-5
    )


def test_inference_uses_what_is_stored_and_changes_nothing(rng):
    layer = conditional(rng)
    mean, variance = np.array([1.0, 2, 3]), np.array([4.0, 5, 6])
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(variance)
    gain, offset = array(layer.gamma)[LABELS], array(layer.beta)[LABELS]
    np.testing.assert_allclose(
        array(layer(X, LABELS)),
        reference(X, gain, offset, mean, variance),
        atol=1e-4,
    )
    np.testing.assert_array_equal(array(layer.moving_mean), mean)
    np.testing.assert_array_equal(array(layer.moving_variance), variance)


def test_plain_is_conditional_of_one_class():
    plain, one = BatchNorm(0.9), ConditionalBatchNorm(1, 0.9)
    labels = np.zeros(6, "int32")
    for training in (True, False):
        np.testing.assert_allclose(
            array(plain(X, training=training)),
            array(one(X, labels, training=training)),
            atol=1e-6,
        )


def test_agrees_with_keras_where_keras_is_right():
    ours, theirs = (
        BatchNorm(0.9),
        keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
    )
    for training in (True, False):
        np.testing.assert_allclose(
            array(ours(X, training=training)),
            array(theirs(X, training=training)),
            atol=1e-4,
        )


def test_small_variance_around_a_large_mean(rng):
    """E[x^2] - E[x]^2 is negative or 0 here in float32."""
    x = rng.normal(100, 0.01, (16, 8, 8, 2)).astype("float32")
    layer = BatchNorm(momentum=0.0, epsilon=1e-12)
    y = array(layer(x, training=True))
    np.testing.assert_allclose(
        array(layer.moving_variance), x.astype("float64").var((0, 1, 2)), 1e-2
    )
    assert abs(y.std() - 1) < 1e-2


def test_moments_are_float32_under_mixed_bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    layer = ConditionalBatchNorm(3, momentum=0.0)
    x = keras.ops.cast(X, "bfloat16")
    y = layer(x, LABELS, training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    assert {v.dtype for v in layer.variables} == {"float32"}
    exact = array(keras.ops.cast(x, "float32")).mean((0, 1, 2))
    np.testing.assert_allclose(array(layer.moving_mean), exact, rtol=1e-5)


def test_gradient_is_finite_differences(rng):
    layer = conditional(rng)
    weights = rng.normal(size=X.shape).astype("float32")

    def loss():
        return ops.sum(ops.multiply(layer(X, LABELS, training=True), weights))

    (gradient,) = gradients(loss, [layer.gamma], layer.variables)
    x_hat = (X - X.mean((0, 1, 2))) / np.sqrt(X.var((0, 1, 2)) + 1e-5)
    expected = np.zeros((3, 3))
    for i, label in enumerate(LABELS):
        expected[label] += np.sum(x_hat[i] * weights[i], axis=(0, 1))
    assert relative_error(gradient, expected) < 1e-4


def test_spectrally_normalized_tables_are_studiogans(rng):
    layer = conditional(spectral_normalization=True, spectral_epsilon=1e-6)
    layer.moving_mean.assign(np.zeros(3))
    y = array(layer(X, LABELS))
    tables = [
        array(table.kernel) / np.linalg.svd(array(table.kernel))[1][0]
        for table in (layer.gamma, layer.beta)
    ]
    expected = reference(
        X, 1 + tables[0][LABELS], tables[1][LABELS], 0.0, np.ones(3)
    )
    np.testing.assert_allclose(y, expected, atol=1e-4)
    layer.gamma.u.assign(np.ones(3))
    layer(X, LABELS, training=True)
    assert not np.array_equal(array(layer.gamma.u), np.ones(3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConditionalBatchNorm(0), "`num_classes` must be a positive"),
        (lambda: ConditionalBatchNorm(-3), "Received: num_classes=-3"),
        (lambda: BatchNorm(momentum=1.5), r"`momentum` must be in \[0, 1\]"),
        (lambda: BatchNorm(epsilon=0), "`epsilon` must be positive"),
    ],
)
def test_refuses_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "labels", [np.zeros((6, 1), "int32"), np.zeros(6, "float32")]
)
def test_refuses_bad_labels(labels):
    with pytest.raises(ValueError, match="`labels` must be integers of shape"):
        ConditionalBatchNorm(3)(X, labels)


def test_inference_in_bfloat16_is_not_far_off(rng):
    """A rounded offset would move every location of a channel."""
    x = rng.normal(10, 1, (64, 4, 4, 8)).astype("float32")
    x = array(ops.cast(ops.cast(x, "bfloat16"), "float32"))
    layer = BatchNorm(momentum=0.0, dtype="mixed_bfloat16")
    layer(x, training=True)
    y = array(ops.cast(layer(x), "float32"))
    mean, variance = array(layer.moving_mean), array(layer.moving_variance)
    expected = (x - mean) / np.sqrt(variance + layer.epsilon)
    assert np.abs((y - expected).mean((0, 1, 2))).max() < 2e-3


@pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="JAX sees the whole batch"
)
def test_parts_of_a_batch_that_cannot_be_equal_are_one(monkeypatch, rng):
    from keras_sagan.backends import jax_replicas

    monkeypatch.setattr(jax_replicas, "replicas", lambda: 2)
    x = rng.normal(size=(3, 4, 4, 2)).astype("float32")
    y = array(BatchNorm(synchronized=False)(x, training=True))
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-6)
