"""Augmentation on the host; keras-cv's part in it, and its gallery."""

import sys

import numpy as np
import pytest

from keras_sagan import data


@pytest.mark.parametrize("name", ["flip", "keras", "keras_cv"])
def test_augmentation(name):
    if name == "keras_cv":
        pytest.importorskip("keras_cv")
    images, _ = data.load_photographs(32, crops=2)
    augment = data.augmentation(name, seed=1)
    first, again, other = (augment(images, step) for step in (3, 3, 4))
    assert first.dtype == np.uint8 and first.shape == images.shape
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, images)
    # The pictures are still those pictures.
    difference = np.abs(first.astype("float32") - images).mean((1, 2, 3))
    flipped = np.abs(first[:, :, ::-1].astype("float32") - images)
    least = np.minimum(difference, flipped.mean((1, 2, 3)))
    apart = np.abs(images.astype("float32") - images[::-1]).mean()
    assert least.mean() < apart


@pytest.mark.no_backend
def test_gallery_shows_the_images(tmp_path):
    pytest.importorskip("keras_cv")
    from PIL import Image

    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
    images = np.array(colours, "uint8").repeat(64, 0).reshape(4, 8, 8, 3)
    data.plot_gallery(images, columns=2, path=tmp_path / "gallery.png")
    with Image.open(tmp_path / "gallery.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    height, width = pixels.shape[:2]
    for i, colour in enumerate(colours):
        y, x = (2 * (i // 2) + 1) * height // 4, (2 * (i % 2) + 1) * width // 4
        assert tuple(pixels[y, x]) == colour
    with pytest.raises(ValueError, match="from 1 to the number of images"):
        data.plot_gallery(images, columns=5)


def test_augmentation_without_keras_cv(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_cv", None)
    with pytest.raises(ImportError, match=r"choose augmentation\('keras'\)"):
        data.augmentation("keras_cv")
    with pytest.raises(ValueError, match="`name` must be one of"):
        data.augmentation("blur")
    assert data.augmentation("none") is None
