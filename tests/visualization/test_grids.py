import io

import numpy as np
import pytest
from PIL import Image

from keras_sagan import callbacks
from keras_sagan import files
from keras_sagan import metrics
from keras_sagan import visualization


def test_grid_puts_each_image_in_its_place(tmp_path, rng):
    images = rng.integers(256, size=(5, 4, 6, 3), dtype="uint8")
    path = tmp_path / "new" / "grid.png"
    grid = visualization.image_grid(images, columns=3, scale=2, path=path)
    assert grid.shape == (2 * 9 + 1, 3 * 13 + 1, 3)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), grid)
    np.testing.assert_array_equal(grid[10:18:2, 14:26:2], images[4])
    assert (grid[0] == 255).all() and (grid[10:18, 27:39] == 255).all()
    assert len(list(path.parent.iterdir())) == 1


def test_names_of_columns_and_rows(rng):
    images = rng.integers(256, size=(6, 20, 30, 3), dtype="uint8")
    plain = np.asarray(visualization.image_grid(images, columns=3))
    named = visualization.image_grid(
        images, columns=3, row_names=["a", "b"], column_names=["x", "yy", "z"]
    )
    height, width = plain.shape[:2]
    assert np.array_equal(named[-height:, -width:], plain)
    above, left = named[:-height, -width:], named[-height:, :-width]
    for i in range(3):  # Dark letters above each column, white between them.
        column = above[:, 1 + 31 * i : 31 * (i + 1)]
        assert column.min() < 100
    for i in range(2):
        assert left[1 + 21 * i : 21 * (i + 1)].min() < 100
    assert (named[:-height, :-width] == 255).all()
    with pytest.raises(ValueError, match="`column_names` must be as many as"):
        visualization.image_grid(images, columns=3, column_names=["x"])


@pytest.mark.parametrize(
    ("images", "kwargs", "message"),
    [
        (np.zeros((2, 4, 4, 3)), {}, "`images` must be uint8"),
        (np.zeros((2, 4, 4, 2), "uint8"), {}, "`images` must be uint8"),
        (np.zeros((0, 4, 4, 3), "uint8"), {}, "`images` must be uint8"),
        (np.zeros((2, 4, 4, 3), "uint8"), {"scale": 0}, "from 1 to 1000"),
        (
            np.zeros((2, 4, 4, 3), "uint8"),
            {"columns": -1},
            "a positive integer",
        ),
    ],
)
def test_grid_refuses(images, kwargs, message):
    with pytest.raises(ValueError, match=message):
        visualization.image_grid(images, **kwargs)


def test_curves(tmp_path):
    history = {
        name: [1.0, 0.5, 0.25]
        for name in (
            "discriminator_loss",
            "generator_loss",
            "real_logits",
            "generator_attention_8_gamma",
            "largest_sigma",
        )
    }
    path = tmp_path / "curves.png"
    shown = visualization.training_curves(history, path, steps_per_epoch=10)
    saved = np.asarray(Image.open(path).convert("RGB"))
    assert saved.shape[1] == 1200
    np.testing.assert_array_equal(saved, shown)
    assert shown._repr_png_().startswith(b"\x89PNG")  # In a notebook.
    assert visualization.training_curves(history).shape == shown.shape
    with pytest.raises(ValueError, match=r"must hold what `SAGAN\.fit` logs"):
        visualization.training_curves({"generator_loss": []}, path)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(OSError), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise OSError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with files.replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


def test_sample_grid_refuses_bad_arguments(tmp_path):
    with pytest.raises(ValueError, match="`every` must be a positive"):
        callbacks.SampleGrid(tmp_path, every=0)
    with pytest.raises(ValueError, match="`columns` must be a positive"):
        callbacks.SampleGrid(tmp_path, columns=0)


@pytest.mark.no_backend
def test_neighbours_stand_beside_their_sample(rng, tmp_path):
    images = rng.integers(0, 256, (20, 4, 4, 3), "uint8")
    samples = images[[7, 2]]
    grid = visualization.nearest_neighbors(
        samples, images, count=3, scale=2, path=tmp_path / "a.png"
    )
    assert (tmp_path / "a.png").exists()
    # 8 pixels an image, 1 between; 8 white ones after the samples.
    for row, sample in enumerate(samples):
        y = slice(1 + 9 * row, 9 + 9 * row)
        enlarged = sample.repeat(2, axis=0).repeat(2, axis=1)
        assert (grid[y, 1:9] == enlarged).all()
        assert (grid[y, 19:27] == enlarged).all()  # It is among the images.
        indices, _ = metrics.nearest_neighbors(samples, images, 3)
        last = images[indices[row, 2]].repeat(2, axis=0).repeat(2, axis=1)
        assert (grid[y, 37:45] == last).all()
    assert grid.shape == (19, 46, 3)


def test_a_notebook_shows_the_picture(rng):
    images = rng.integers(256, size=(4, 8, 8, 3)).astype("uint8")
    for grid in (
        visualization.image_grid(images),
        visualization.nearest_neighbors(images, images, 2),
    ):
        png = grid._repr_png_()
        np.testing.assert_array_equal(Image.open(io.BytesIO(png)), grid)
    # What is no picture is shown as an array.
    assert grid[0]._repr_png_() is None
    assert (grid / 2)._repr_png_() is None


@pytest.mark.no_backend
def test_long_names_of_columns_are_shortened():
    """A name is drawn within its own column, also beside another long one."""
    images = np.zeros((2, 64, 64, 3), "uint8")

    def names(*column_names):
        grid = visualization.image_grid(
            images, columns=2, column_names=column_names
        )
        return grid[: -64 - 1]

    long = names("immunohistochemistry", "")
    assert (long[:, :66] < 255).any()
    assert (long[:, 66:] == 255).all()
    # The start of the name is what can be read.
    other = names("immunohistology", "")
    np.testing.assert_array_equal(long, other)
    assert (long != names("hubble_deep_field", "")).any()
