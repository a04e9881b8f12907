import numpy as np
import pytest

from keras_sagan import data


def test_digits_are_the_real_ones():
    from sklearn import datasets

    images, labels = data.load_digits(8)
    expected = datasets.load_digits()
    assert images.shape == (1797, 8, 8, 3) and images.dtype == np.uint8
    np.testing.assert_array_equal(labels, expected.target)
    np.testing.assert_allclose(
        images[..., 1] / 255, expected.images / 16, atol=0.003
    )
    images, _ = data.load_digits(16)
    assert images.shape == (1797, 16, 16, 3) and images.max() == 255
    with pytest.raises(ValueError, match="`resolution` must be at least 8"):
        data.load_digits(4)


def test_photographs_are_crops_of_the_real_ones():
    images, labels = data.load_photographs(64, crops=3, seed=1)
    names = data.PHOTOGRAPHS
    assert images.shape == (3 * len(names), 64, 64, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(labels, np.arange(len(names)).repeat(3))
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(
        images
    )
    # Colours, and those of the photograph: a crop is nearest to its own.
    from skimage.data import rocket

    means = images.mean((1, 2))
    assert np.abs(means[:, 0] - means[:, 2]).max() > 20
    own = means[labels == names.index("rocket")].mean(0)
    assert np.abs(own - rocket().mean((0, 1))).max() < 60
    again, _ = data.load_photographs(64, crops=3, seed=1)
    np.testing.assert_array_equal(images, again)
    other, _ = data.load_photographs(64, crops=3, seed=2)
    assert not np.array_equal(images, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resolution": 256}, "`resolution` must be from 16 to 128"),
        ({"crops": 0}, "`crops` must be a positive integer"),
    ],
)
def test_photographs_refuse_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.load_photographs(**arguments)


def test_from_arrays_normalizes_uint8(rng):
    images = rng.integers(256, size=(10, 4, 4, 3), dtype="uint8")
    batch = data.from_arrays(images, batch_size=10)[0]
    assert batch.dtype == np.float32
    pixels = np.sort(batch.ravel())
    np.testing.assert_allclose(
        pixels, np.sort(images.ravel()) / 127.5 - 1, atol=1e-6
    )
    floats = images / 127.5 - 1
    np.testing.assert_allclose(
        data.from_arrays(floats, batch_size=10)[0], batch, atol=1e-6
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((np.zeros((4, 3)),), "`images` must have shape"),
        ((np.zeros((0, 4, 4, 3)),), "N at least 1"),
        ((np.zeros((4, 8, 8, 3)), np.zeros(3, "i4")), "`labels` must be int"),
        ((np.zeros((4, 8, 8, 3)), np.zeros(4)), "dtype float64"),
        ((np.zeros((4, 8, 8, 3)), None, 5), "`batch_size` must be from 1 to 4"),
    ],
)
def test_from_arrays_refuses(args, message):
    with pytest.raises(ValueError, match=message):
        data.from_arrays(*args)
