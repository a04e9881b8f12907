import h5py
import keras
import numpy as np
import pytest
import scipy.linalg
from keras import ops

from keras_sagan.layers import SpectralNormalization
from keras_sagan.layers import UpsampleConv2D
from keras_sagan.layers.spectral_normalization import leading_singular_vector
from tests.helpers import array
from tests.helpers import gradients
from tests.helpers import relative_error
from tests.helpers import same
from tests.helpers import values

IMAGES = np.random.default_rng(1).normal(size=(2, 8, 8, 4)).astype("float32")
ROWS = np.random.default_rng(2).normal(size=(5, 12)).astype("float32")

CASES = {
    "conv2d": (lambda: keras.layers.Conv2D(6, 3), IMAGES),
    "conv2d_transpose": (lambda: keras.layers.Conv2DTranspose(6, 3), IMAGES),
    "conv1d": (lambda: keras.layers.Conv1D(6, 3), IMAGES[0]),
    "dense": (lambda: keras.layers.Dense(7), ROWS),
    "einsum_dense": (lambda: keras.layers.EinsumDense("ab,bc->ac", 7), ROWS),
    "einsum_outputs_first": (
        lambda: keras.layers.EinsumDense("ab,cdb->acd", (3, 5)),
        ROWS,
    ),
    "einsum_heads": (  # One matrix for each of the 8 columns of the map.
        lambda: keras.layers.EinsumDense("bhwc,wcd->bhwd", (8, 8, 5)),
        IMAGES,
    ),
    "depthwise": (
        lambda: keras.layers.DepthwiseConv2D(3, depth_multiplier=2),
        IMAGES,
    ),
    "groups": (lambda: keras.layers.Conv2D(6, 3, groups=2), IMAGES),
    "embedding": (
        lambda: keras.layers.Embedding(9, 5),
        np.arange(4, dtype="int32"),
    ),
    "upsample_conv2d": (lambda: UpsampleConv2D(6), IMAGES),
}


@pytest.fixture(params=CASES)
def case(request):
    make_layer, inputs = CASES[request.param]
    layer = SpectralNormalization(make_layer())
    layer(inputs)
    return layer, inputs


def matrix_of(layer, kernel):
    """Returns the matrix of a kernel that the papers mean, by NumPy."""
    kernel = array(kernel)
    if isinstance(layer.layer, keras.layers.Embedding):
        return kernel.T
    if isinstance(layer.layer, keras.layers.Conv2DTranspose):
        kernel = np.moveaxis(kernel, 2, 3)
    equation = getattr(layer.layer, "equation", None)
    if equation == "ab,cdb->acd":
        return kernel.reshape(-1, kernel.shape[-1]).T
    if equation == "bhwc,wcd->bhwd":
        return scipy.linalg.block_diag(*kernel)
    if isinstance(layer.layer, keras.layers.DepthwiseConv2D):
        return scipy.linalg.block_diag(
            *(kernel[:, :, i].reshape(9, 2) for i in range(4))
        )
    if getattr(layer.layer, "groups", 1) == 2:
        blocks = np.split(kernel, 2, axis=-1)
        return scipy.linalg.block_diag(*(x.reshape(18, 3) for x in blocks))
    return kernel.reshape(-1, kernel.shape[-1])


def number_of_groups(layer):
    """How many blocks the matrix of the layer's kernel has."""
    if isinstance(layer.layer, keras.layers.DepthwiseConv2D):
        return 4
    if getattr(layer.layer, "equation", None) == "bhwc,wcd->bhwd":
        return 8
    return getattr(layer.layer, "groups", 1)


def units(vector, groups):
    """Divides the part of each group by its norm; returns the norms, too."""
    parts = vector.reshape(groups, -1)
    norms = np.linalg.norm(parts, axis=1)
    return (parts / norms[:, None]).reshape(-1), norms


def spectral_norm(matrix):
    return np.linalg.svd(np.float64(matrix), compute_uv=False)[0]


def test_norm_is_one_from_the_first_call_on(case):
    layer, inputs = case
    for training in (False, True, False):
        layer(inputs, training=training)
        normalized = matrix_of(layer, layer.normalized_kernel())
        assert abs(spectral_norm(normalized) - 1) < 1e-3


def test_random_vectors_are_seeded_and_converge(case):
    exact, inputs = case
    first, again, other = (
        SpectralNormalization(exact.layer, initial_vectors="random", seed=seed)
        for seed in (1, 1, 2)
    )
    for layer in (first, again, other):
        layer.build(inputs.shape)
    assert all(same(values([first.u, first.v]), values([again.u, again.v])))
    assert not np.array_equal(array(first.u), array(other.u))
    _, norms = units(array(first.u), number_of_groups(first))
    np.testing.assert_allclose(norms, 1, rtol=1e-5)
    assert array(first.sigma()) < array(exact.sigma()) * (1 - 1e-4)
    for _ in range(300):
        first.iterate()
    np.testing.assert_allclose(
        array(first.sigma()), array(exact.sigma()), rtol=1e-3
    )


@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (4, 4)])
def test_leading_singular_vector(shape, rng):
    matrix = rng.normal(size=shape).astype("float32")
    u = array(leading_singular_vector(ops.convert_to_tensor(matrix)))
    expected = np.linalg.svd(matrix)[2][0]
    np.testing.assert_allclose(u * np.sign(u @ expected), expected, atol=1e-5)


def test_converges_after_the_kernel_changed(case, rng):
    layer, inputs = case
    layer.kernel.assign(rng.normal(size=layer.kernel.shape) * 3)
    for _ in range(300):
        layer.iterate()
    for training in (True, False):
        layer(inputs, training=training)
        normalized = matrix_of(layer, layer.normalized_kernel())
        assert abs(spectral_norm(normalized) - 1) < 1e-3


def test_training_and_inference_use_the_same_kernel(case):
    layer, inputs = case
    trained = array(layer(inputs, training=True))
    np.testing.assert_array_equal(trained, array(layer(inputs)))


def test_output_is_that_of_the_layer_on_the_normalized_kernel(case):
    layer, inputs = case
    expected = array(layer.normalized_kernel())
    wrapped = layer.layer
    output = array(layer(inputs))
    layer.kernel.assign(expected)
    np.testing.assert_allclose(
        output, array(wrapped(inputs)), rtol=1e-5, atol=1e-6
    )


def test_training_changes_u_and_v_alone_and_inference_nothing(case):
    layer, inputs = case
    layer.u.assign(np.ones(layer.u.shape))
    before = values(layer.variables)
    layer(inputs)
    assert all(same(before, values(layer.variables)))
    layer(inputs, training=True)
    changed = {
        v.name
        for v, x, y in zip(layer.variables, before, values(layer.variables))
        if not np.array_equal(x, y)
    }
    assert changed == {"u", "v"}


def test_power_iteration_is_the_published_one(case):
    layer, inputs = case
    u = np.linspace(1, 2, layer.u.shape[0])
    layer.u.assign(u)
    layer(inputs, training=True)
    matrix = matrix_of(layer, layer.kernel)
    groups = number_of_groups(layer)
    v, _ = units(matrix @ u, groups)
    u, sigmas = units(v @ matrix, groups)
    sigma = sigmas.max()
    np.testing.assert_allclose(array(layer.v), v, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(array(layer.u), u, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(array(layer.sigma()), sigma, rtol=1e-5)


def test_gradient_is_the_closed_form(case, rng):
    """dL/dW = (G - <G, W_bar> u v^T) / sigma, for a loss <G, W_bar>."""
    layer, _ = case
    weights = rng.normal(size=layer.kernel.shape).astype("float32")
    (gradient,) = gradients(
        lambda: ops.sum(ops.multiply(layer.normalized_kernel(), weights)),
        [layer.kernel],
        layer.variables,
    )
    g, w = matrix_of(layer, weights), matrix_of(layer, layer.kernel)
    groups = number_of_groups(layer)
    u, v = (array(x).reshape(groups, -1) for x in (layer.u, layer.v))
    sigmas = ((v.reshape(-1) @ w).reshape(groups, -1) * u).sum(axis=1)
    largest = np.eye(groups)[[sigmas.argmax()]].T  # The others are zero.
    u, v, sigma = (u * largest).ravel(), (v * largest).ravel(), sigmas.max()
    expected = (g - np.sum(g * w) / sigma * np.outer(v, u)) / sigma
    assert relative_error(matrix_of(layer, gradient), expected) < 1e-4


def test_gradient_flows_through_the_wrapped_call(rng):
    layer = SpectralNormalization(keras.layers.Dense(3))
    inputs = rng.normal(size=(4, 5)).astype("float32")
    layer(inputs)
    before = gradients(
        lambda: ops.sum(layer(inputs, training=True)),
        layer.trainable_variables,
        layer.variables,
    )
    # sigma is homogeneous: W and 3 W are one function, of a third the slope.
    layer.kernel.assign(layer.kernel * 3)
    after = gradients(
        lambda: ops.sum(layer(inputs, training=True)),
        layer.trainable_variables,
        layer.variables,
    )
    np.testing.assert_allclose(after[0] * 3, before[0], rtol=1e-3, atol=1e-5)
    assert abs(np.sum(before[0] * array(layer.kernel))) < 1e-3


def test_zero_kernel_gives_zero_and_recovers():
    layer = SpectralNormalization(
        keras.layers.Dense(4, kernel_initializer="zeros")
    )
    for training in (False, True):
        assert not array(layer(ROWS, training=training)).any()
    layer.kernel.assign(np.ones(layer.kernel.shape))
    layer(ROWS, training=True)
    assert abs(spectral_norm(array(layer.normalized_kernel())) - 1) < 1e-3


def test_float32_inside_under_mixed_bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    layer = SpectralNormalization(keras.layers.Conv2D(6, 3))
    output = layer(IMAGES, training=True)
    assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
    assert {v.dtype for v in layer.variables} == {"float32"}
    normalized = matrix_of(layer, layer.normalized_kernel())
    assert normalized.dtype == np.float32
    assert abs(spectral_norm(normalized) - 1) < 1e-5


def test_float32_inside_a_bfloat16_model():
    keras.config.set_dtype_policy("mixed_bfloat16")
    inputs = keras.Input((8, 8, 4))
    layer = SpectralNormalization(keras.layers.Conv2D(6, 3))
    model = keras.Model(inputs, layer(inputs))
    layer.u.assign(np.ones(6) / np.sqrt(6))
    model(IMAGES, training=True)
    matrix = matrix_of(layer, layer.kernel)
    v = matrix @ np.ones(6)
    v /= np.linalg.norm(v)
    np.testing.assert_allclose(array(layer.v), v, atol=1e-6)


def test_keeps_the_losses_and_state_of_the_layer():
    class Counting(keras.layers.Dense):
        def build(self, input_shape):
            super().build(input_shape)
            self.calls = self.add_weight(
                shape=(), trainable=False, initializer="zeros"
            )

        def call(self, inputs):
            self.calls.assign_add(1)
            return super().call(inputs)

    layer = SpectralNormalization(Counting(3, activity_regularizer="l2"))
    output = array(layer(ROWS))
    assert float(layer.layer.calls) == 1
    # Keras before 3.14 did not divide it by the batch.
    own = keras.layers.ActivityRegularization(l2=0.01)
    own(output)
    expected = array(own.losses[0])
    np.testing.assert_allclose(array(layer.losses[0]), expected, rtol=1e-4)
    assert expected > 0


def test_builds_inside_a_subclassed_model_during_fit():
    class Classifier(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = SpectralNormalization(keras.layers.Dense(4))
            self.head = keras.layers.Dense(2)

        def call(self, inputs):
            return self.head(self.hidden(inputs))

    model = Classifier()
    model.compile("sgd", "mse")
    model.fit(ROWS, np.zeros((5, 2)), epochs=1, verbose=0)
    normalized = array(model.hidden.normalized_kernel())
    assert abs(spectral_norm(normalized) - 1) < 1e-2


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"power_iterations": 0}, "`power_iterations` must be a positive"),
        ({"power_iterations": 1.5}, "`power_iterations` must be a positive"),
        ({"epsilon": -1.0}, "`epsilon` must be a non-negative"),
        ({"initial_vectors": "zeros"}, "`initial_vectors` must be"),
    ],
)
def test_refuses_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        SpectralNormalization(keras.layers.Dense(2), **kwargs)


def test_refuses_a_layer_without_a_kernel():
    with pytest.raises(ValueError, match="variable `kernel` or `embeddings`"):
        SpectralNormalization(keras.layers.ReLU())(ROWS)


def test_a_kernel_is_saved_once(tmp_path):
    inputs = keras.Input((8, 8, 4))
    layer = SpectralNormalization(keras.layers.Conv2D(16, 3))
    model = keras.Model(inputs, layer(inputs))
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    with h5py.File(path) as file:
        sizes = []
        file.visititems(lambda name, x: sizes.append(getattr(x, "size", 0)))
    assert sum(sizes) == sum(np.size(array(v)) for v in layer.variables)


def test_a_kernel_of_integers_or_with_lora_is_refused_by_name():
    quantized = SpectralNormalization(keras.layers.Dense(8))
    quantized.build((None, 8))
    quantized.layer.quantize("int8")
    with pytest.raises(ValueError, match="call `folded\\(\\)` first"):
        quantized(np.ones((2, 8), "float32"))
    adapted = SpectralNormalization(keras.layers.Dense(8))
    adapted.build((None, 8))
    adapted.layer.enable_lora(2)
    with pytest.raises(ValueError, match="and no LoRA"):
        adapted(np.ones((2, 8), "float32"))


def test_a_folded_layer_can_be_quantized(rng):
    x = rng.normal(size=(4, 8)).astype("float32")
    layer = SpectralNormalization(keras.layers.Dense(8))
    expected = array(layer(x))
    folded = layer.folded()
    folded.quantize("int8")
    np.testing.assert_allclose(array(folded(x)), expected, atol=0.05)


@pytest.mark.parametrize("filters", [2, 8])
def test_a_kernel_that_was_zero_is_normalized_later(filters, rng):
    layer = SpectralNormalization(
        keras.layers.Dense(filters, kernel_initializer="zeros")
    )
    layer.build((None, 4))
    layer.layer.kernel.assign(rng.normal(size=(4, filters)))
    for _ in range(50):
        layer(np.ones((1, 4), "float32"), training=True)
    norm = np.linalg.norm(array(layer.normalized_kernel()), 2)
    assert norm == pytest.approx(1, rel=1e-3)
