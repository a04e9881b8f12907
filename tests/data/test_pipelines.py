"""Sources of images, bundled ones, and how batches are made of them."""

import numpy as np
import pytest

from keras_sagan import data
from keras_sagan.data.images import UnreadableImage

pytestmark = pytest.mark.no_backend


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
    with pytest.raises(
        ValueError, match="`resolution` must be an integer from 8"
    ):
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


class Numbered(data.Source):
    """A source whose image i is all i; some of them unreadable."""

    class_names = tuple("abc")
    native_resolution = 2
    one_size = True

    def __init__(self, n, bad=()):
        self.n = n
        self.bad = bad

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        if index in self.bad:
            raise UnreadableImage("damaged")
        return np.full((2, 2, 3), index, "uint8"), index % 3


def numbers(batch):
    images, labels = batch
    found = images[:, 0, 0, 0]
    np.testing.assert_array_equal(labels, found % 3)
    return found.tolist()


def test_every_image_once_before_any_comes_again():
    dataset = data.from_source(Numbered(10), batch_size=4, seed=5)
    row = [i for step in range(10) for i in numbers(dataset.batch(step))]
    passes = [row[i : i + 10] for i in range(0, 40, 10)]
    for each in passes:
        assert sorted(each) == list(range(10))
    assert len({tuple(each) for each in passes}) == 4
    other = data.from_source(Numbered(10), batch_size=4, seed=6)
    assert numbers(other.batch(0)) != row[:4]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_epochs_are_pieces_of_one_row(workers):
    row = data.from_source(Numbered(10), batch_size=4)
    expected = [numbers(row.batch(step)) for step in range(3, 12)]
    dataset = data.from_source(
        Numbered(10), 4, start_step=3, steps_per_epoch=3, workers=workers
    )
    dataset[0]  # As `fit` looks at one before it begins.
    found = []
    for _ in range(3):
        found += [numbers(dataset[i]) for i in range(len(dataset))]
        dataset.on_epoch_end()
    assert found == expected


@pytest.mark.parametrize("n", [1, 2, 3])
def test_processes_share_a_batch(n):
    whole = data.from_source(Numbered(15), batch_size=6)
    parts = [
        data.from_source(Numbered(15), batch_size=6, shard=(i, n))
        for i in range(n)
    ]
    row = []
    for step in range(5):
        seen = [i for part in parts for i in numbers(part.batch(step))]
        assert seen == numbers(whole.batch(step))
        row += seen
    for i in (0, 15):  # Two whole passes, nothing missed or twice.
        assert sorted(row[i : i + 15]) == list(range(15))


def test_a_file_that_breaks_is_replaced_and_named():
    dataset = data.from_source(Numbered(6, bad={2, 3}), batch_size=6)
    assert sorted(numbers(dataset.batch(0))) == [0, 1, 4, 4, 4, 5]
    assert dataset.skipped == {"image 2": "damaged", "image 3": "damaged"}
    dataset = data.from_source(Numbered(4, bad=range(4)), batch_size=2)
    with pytest.raises(ValueError, match="an image that can be read"):
        dataset[0]


def test_augmentation_gets_the_step():
    dataset = data.from_source(
        Numbered(8),
        batch_size=4,
        start_step=5,
        augment=lambda images, step: images * 0 + step,
    )
    assert dataset[2][0].max() == dataset[2][0].min() == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 9}, "at most 8, the number of images"),
        ({"batch_size": 0}, "`batch_size` must be a positive integer"),
        ({"batch_size": True}, "`batch_size` must be a positive integer"),
        ({"start_step": -1}, "`start_step` must be a non-negative integer"),
        ({"seed": 0.5}, "`seed` must be a non-negative integer"),
        ({"steps_per_epoch": 0}, "must be a positive integer or None"),
        ({"shard": (2, 2)}, r"`shard` must be \(i, n\)"),
        ({"shard": (0, 3)}, "that divides the batch of 4"),
    ],
)
def test_from_source_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.from_source(Numbered(8), **{"batch_size": 4, **arguments})


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((np.zeros((4, 3)),), "`images` must have shape"),
        ((np.zeros((0, 4, 4, 3)),), "N at least 1"),
        ((np.zeros((4, 8, 8, 3)), np.zeros(3, "i4")), "`labels` must be int"),
        ((np.zeros((4, 8, 8, 3)), np.zeros(4)), "dtype float64"),
        ((np.zeros((4, 8, 8, 3)), np.full(4, -1)), "must be from 0 to 99,999"),
        ((np.zeros((4, 8, 8, 3)), None, 5), "at most 4, the number of images"),
    ],
)
def test_from_arrays_refuses(args, message):
    with pytest.raises(ValueError, match=message):
        data.from_arrays(*args)


def test_open_images(tmp_path, rng):
    images = rng.integers(256, size=(5, 16, 16, 3), dtype="uint8")
    path = tmp_path / "a.npz"
    np.savez(
        path, images=images, labels=np.arange(5), class_names=list("vwxyz")
    )
    source = data.open_images(path)
    assert source.class_names == tuple("vwxyz") and source[3][1] == 3
    np.testing.assert_array_equal(source[3][0], images[3])
    assert source.native_resolution == 16
    with pytest.raises(ValueError, match="which is none of these"):
        data.open_images(tmp_path / "none")
    np.savez(path, pictures=images)
    with pytest.raises(ValueError, match="`path` must hold `images`, uint8"):
        data.open_images(path)
    path.write_bytes(b"PK no")
    with pytest.raises(ValueError, match="must be an"):
        data.open_images(path)
    assert data.open_images("photographs").class_names[2] == "astronaut"
    assert len(data.open_images("digits")) == 1797


def test_a_shard_may_be_a_list():
    arrays = np.zeros((8, 16, 16, 3), "uint8"), np.arange(8) % 2
    dataset = data.from_arrays(*arrays, 4, shard=[0, 2])
    assert dataset.shard == (0, 2)
