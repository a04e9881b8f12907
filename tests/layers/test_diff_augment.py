"""DiffAugment against NumPy, image by image."""

import keras
import numpy as np
import pytest

from keras_sagan.layers import DiffAugment
from tests.helpers import array
from tests.helpers import gradients


def reference(policy, x, u):
    x = x.astype("float64")
    n = x.shape[0]
    for name in policy:
        if name == "color":
            x = x + (u[0] - 0.5)
            gray = x.mean(-1, keepdims=True)
            x = gray + (x - gray) * 2 * u[1]
            x = x.mean() + (x - x.mean()) * (0.5 + u[2])
        elif name == "translation":
            shifts = [int(np.floor(v * (2 * (n // 8) + 1))) - n // 8 for v in u]
            moved = np.zeros_like(x)
            for i in range(n):
                for j in range(n):
                    a, b = i - shifts[3], j - shifts[4]
                    if 0 <= a < n and 0 <= b < n:
                        moved[i, j] = x[a, b]
            x = moved
        else:
            x = x.copy()
            top, left = (int(np.floor(v * n)) - n // 4 for v in u[5:])
            x[
                max(top, 0) : max(top + n // 2, 0),
                max(left, 0) : max(left + n // 2, 0),
            ] = 0
    return x


@pytest.mark.parametrize(
    "policy",
    [("color",), ("translation",), ("cutout",), ("cutout", "color")],
)
def test_matches_numpy(policy, rng):
    images = rng.uniform(-1, 1, (6, 16, 16, 3)).astype("float32")
    draws = rng.uniform(0, 1, (6, 7)).astype("float32")
    result = array(DiffAugment(policy)(images, draws=draws))
    for x, u, y in zip(images, draws, result):
        np.testing.assert_allclose(y, reference(policy, x, u), atol=1e-5)


@pytest.mark.parametrize(("u", "kept"), [(0.0, slice(14)), (1, slice(2, 16))])
def test_extremes_of_translation(u, kept):
    draws = np.full((1, 7), min(u, 1 - 1e-7), "float32")
    layer = DiffAugment(("translation",))
    y = array(layer(np.ones((1, 16, 16, 3), "float32"), draws=draws))[0]
    assert y.sum() == y[kept, kept].sum() == 14 * 14 * 3


def test_gradient_of_a_sum_is_what_stays(rng):
    # Without colour the layer moves and drops: 1 for a pixel that is seen.
    images = keras.Variable(rng.uniform(-1, 1, (2, 16, 16, 3)))
    draws = rng.uniform(0, 1, (2, 7)).astype("float32")
    layer = DiffAugment(("translation", "cutout"))
    ones = array(layer(np.ones((2, 16, 16, 3), "float32"), draws=draws))
    (gradient,) = gradients(
        lambda: keras.ops.sum(layer(images, draws=draws)), [images]
    )
    assert set(np.unique(gradient)) == {0.0, 1.0}
    assert gradient.sum() == ones.sum()


def test_draws_differ_by_image_and_call():
    layer = DiffAugment(seed=3)
    first, second = array(layer.draw(64)), array(layer.draw(64))
    assert first.shape == (64, 7)
    assert len(np.unique(first, axis=0)) == 64
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("policy", ["color", ("rotation",)])
def test_refuses(policy):
    with pytest.raises(ValueError, match="`policy` must be a tuple"):
        DiffAugment(policy)


def test_positions_are_exact_in_bfloat16():
    layer = DiffAugment(("translation",), seed=1, dtype="mixed_bfloat16")
    y = array(keras.ops.cast(layer(np.ones((4, 512, 8, 1))), "float32"))
    assert set(np.unique(y)) == {0, 1}


def test_seeds():
    layer = DiffAugment(seed=keras.random.SeedGenerator(1))
    again = DiffAugment.from_config(layer.get_config())
    np.testing.assert_array_equal(array(layer.draw(2)), array(again.draw(2)))
    np.testing.assert_array_equal(
        array(layer.draw(2, seed=0)), array(layer.draw(2, seed=0))
    )
