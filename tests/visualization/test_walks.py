"""Walks pass through the images of their stations; grids name their rows."""

import numpy as np
import pytest

from keras_sagan import visualization
from tests.helpers import tiny_model


@pytest.mark.no_backend
def test_spherical_interpolation(rng):
    go = visualization.spherical_interpolation
    a, b = rng.normal(size=(2, 5, 8)).astype("float32")
    np.testing.assert_array_equal(go(a, b, 0.0), a)
    np.testing.assert_array_equal(go(a, b, 1.0), b)
    unit = [x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b)]
    middle = go(*unit, 0.25)
    np.testing.assert_allclose(np.linalg.norm(middle, axis=-1), 1, rtol=1e-5)
    whole = np.arccos(np.sum(unit[0] * unit[1], axis=-1))
    quarter = np.arccos(np.sum(unit[0] * middle, axis=-1))
    np.testing.assert_allclose(quarter, whole / 4, rtol=1e-3)
    np.testing.assert_allclose(go(a, 3 * a, 0.5), 2 * a, rtol=1e-5)
    np.testing.assert_allclose(go(a, np.zeros_like(a), 0.5), a / 2, rtol=1e-5)


def test_latent_walk_passes_through_its_seeds(model):
    walk = visualization.latent_walk(model, (4, 1, 7), labels=[0, 2], steps=3)
    assert walk.shape == (7, 2, 16, 16, 3) and walk.dtype == np.uint8
    for frame, seed in ((0, 4), (3, 1), (6, 7)):
        expected = model.generate([0, 2], seed=seed)
        assert np.abs(walk[frame].astype(int) - expected).max() <= 1
    assert not np.array_equal(walk[0], walk[1])
    drawn = visualization.latent_walk(model, (4, 1), num_images=2, steps=1)
    expected = model.generate(num_images=2, seed=4)
    assert np.abs(drawn[0].astype(int) - expected).max() <= 1


def test_class_walk_passes_through_its_classes(model):
    walk = visualization.class_walk(
        model, (2, 0, 1), num_images=2, seed=5, steps=2
    )
    assert walk.shape == (5, 2, 16, 16, 3)
    for frame, label in ((0, 2), (2, 0), (4, 1)):
        expected = model.generate(label, num_images=2, seed=5)
        assert np.abs(walk[frame].astype(int) - expected).max() <= 1
    halfway = np.array([[0.5, 0.0, 0.5]] * 2)
    expected = model.generate(class_weights=halfway, seed=5)
    assert np.abs(walk[1].astype(int) - expected).max() <= 1
    assert not any(np.array_equal(walk[1], walk[i]) for i in (0, 2))


def test_class_grid_has_a_class_a_row(model):
    grid = visualization.class_grid(
        model, [2, 0], columns=3, seed=1, class_names=["a", "bb", "ccc"]
    )
    images = model.generate([2, 2, 2, 0, 0, 0], seed=1)
    plain = visualization.image_grid(images, columns=3)
    np.testing.assert_array_equal(grid[:, -plain.shape[1] :], plain)
    names = grid[:, : -plain.shape[1]]
    assert (names[1:17] < 128).any() and (names[18:34] < 128).any()


def test_class_grid_can_share_latents(model):
    """The images at one position then have the same latents."""
    arguments = {"classes": [2, 0, 2], "columns": 3, "seed": 4}
    grid = visualization.class_grid(model, share_latents=True, **arguments)
    images = model.generate([2, 2, 2], seed=4)
    plain = visualization.image_grid(images, columns=3).astype(int)
    height, width = plain.shape[:2]
    rows = [grid[i * 17 :][:height, -width:] for i in range(3)]
    for row, same in zip(rows, (True, False, True)):
        assert (np.abs(row - plain).max() <= 1) == same
    grid = visualization.class_grid(model, **arguments)
    assert np.abs(grid[34:][:height, -width:] - plain).max() > 1


def test_truncation_grid_keeps_labels_and_seed(model):
    grid = visualization.truncation_grid(
        model, (0.5, None), columns=4, seed=2, scale=2
    )
    _, labels = model.draw_inputs(num_images=4, seed=2)
    images = [
        model.generate(labels, seed=2, truncation=0.5),
        model.generate(num_images=4, seed=2),
    ]
    plain = visualization.image_grid(np.concatenate(images), 4, scale=2)
    grid = grid[:, -plain.shape[1] :].astype(int)
    assert np.abs(grid - plain).max() <= 1


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        ("latent_walk", {"seeds": (1,)}, "`seeds` must be two or more"),
        ("latent_walk", {"steps": 0}, "`steps` must be an integer from 1"),
        ("class_walk", {"classes": (0, 3)}, r"\[0, 3\).* with 3"),
        ("class_walk", {"classes": (0,)}, "`classes` must be two or more"),
        ("class_grid", {"class_names": ["a"]}, "must be 3 names, .* 1 names"),
        (
            "class_grid",
            {"share_latents": 1},
            "`share_latents` must be True or False",
        ),
        ("class_grid", {"columns": 0}, "`columns` must be a positive integer"),
        ("class_grid", {"classes": [5]}, r"\[0, 3\).* with 5"),
        ("truncation_grid", {"truncations": ()}, "must be one or more"),
        ("truncation_grid", {"truncations": (0,)}, "must be a float"),
    ],
)
def test_refuses(name, kwargs, message, model):
    with pytest.raises(ValueError, match=message):
        getattr(visualization, name)(model, **kwargs)


def test_without_classes(any_singular_vector):
    model = tiny_model(num_classes=None, compiled=False)
    walk = visualization.latent_walk(model, num_images=2, steps=2)
    assert walk.shape == (3, 2, 16, 16, 3)
    assert len(visualization.truncation_grid(model, (None,), columns=2)) == 18
    with pytest.raises(ValueError, match="`model` must have classes"):
        visualization.class_grid(model)
    with pytest.raises(ValueError, match="this SAGAN has no classes"):
        visualization.class_walk(model)
