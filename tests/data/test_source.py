"""What every source of images can do, whatever it is made of."""

import numpy as np
import pytest
from PIL import Image

from keras_sagan import data
from keras_sagan.data.pixels import crop_and_resize

pytestmark = pytest.mark.no_backend
KINDS = ("array", "prepared", "folder")


@pytest.fixture
def pixels(rng):
    return rng.integers(256, size=(6, 32, 32, 3), dtype="uint8")


def opened(kind, pixels, folder):
    """The images as a source of some kind; the first three are of class 0."""
    labels = np.arange(6) // 3
    array = data.ArrayImages(pixels, labels)
    if kind == "array":
        return array
    if kind == "prepared":
        return data.prepare(array, folder / "prepared")
    for i, image in enumerate(pixels):
        path = folder / "pictures" / str(labels[i]) / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return data.open_images(folder / "pictures")


@pytest.mark.parametrize("kind", KINDS)
def test_every_source_knows_what_it_is(kind, pixels, tmp_path):
    source = opened(kind, pixels, tmp_path)
    assert isinstance(source, data.Source)
    assert len(source) == len(source.names) == 6 and not source.skipped
    assert (source.native_resolution, source.channels) == (32, 3)
    assert source.class_names == ("0", "1")
    assert source.one_size and source.ready == (kind != "folder")


@pytest.mark.parametrize("resolution", [16, 32, 48])
@pytest.mark.parametrize("kind", KINDS)
def test_resolution_is_chosen_where_it_is_used(
    kind, resolution, pixels, tmp_path
):
    source = opened(kind, pixels, tmp_path)
    view = source.at(resolution)
    assert view.one_size and view.native_resolution == resolution
    assert view.names == source.names and view.class_names == ("0", "1")
    prepared = data.prepare(source, tmp_path / "again", resolution)
    for i in range(6):
        expected = crop_and_resize(pixels[i], resolution)
        np.testing.assert_array_equal(view[i][0], expected)
        np.testing.assert_array_equal(prepared[i][0], expected)
        assert view[i][1] == prepared[i][1] == i // 3
    # The source itself has not changed.
    assert source.native_resolution == 32 and source[0][0].shape[0] == 32
    images, labels = data.from_source(source, 6, resolution=resolution)[0]
    assert images.shape == (6, resolution, resolution, 3)
    same_images, same_labels = data.from_source(view, 6)[0]
    np.testing.assert_array_equal(images, same_images)
    np.testing.assert_array_equal(labels, same_labels)


def test_a_view_of_a_view_is_one_of_the_source(pixels):
    source = data.ArrayImages(pixels)
    np.testing.assert_array_equal(
        source.at(8).at(16)[0][0], crop_and_resize(pixels[0], 16)
    )
    assert source.at(8).at(32) is source.at() is source
    assert source.at(8).at().native_resolution == 8


def test_bundled_images_at_a_resolution():
    digits = data.open_images("digits").at(16)
    expected, labels = data.load_digits(16)
    for i in range(0, 1797, 100):
        np.testing.assert_array_equal(digits[i][0], expected[i])
        assert digits[i][1] == labels[i]
    photographs = data.open_images("photographs")
    assert (photographs.native_resolution, photographs.one_size) == (128, True)
    expected, labels = data.load_photographs(32)
    source = photographs.at(32)
    np.testing.assert_array_equal(source.images, expected)
    np.testing.assert_array_equal(source.labels, labels)
    with pytest.raises(ValueError, match="`resolution` must be from 16 to 128"):
        photographs.at(256)


def test_images_of_several_sizes_need_a_resolution(tmp_path):
    for i in range(3):
        path = tmp_path / "images" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (40 + i, 30)).save(path)
    source = data.open_images(tmp_path / "images")
    message = "`resolution` must be given .* of about 30 pixels"
    for function in (
        source.at,
        lambda: data.from_source(source, 2),
        lambda: data.prepare(source, tmp_path / "out"),
    ):
        with pytest.raises(ValueError, match=message):
            function()
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="`resolution` must be a positive int"):
        source.at(0)
    oblong = data.ArrayImages(np.zeros((4, 20, 30, 3), "uint8"))
    assert oblong.native_resolution == (20, 30) and oblong.one_size
    assert oblong.at(16)[0][0].shape == (16, 16, 3)
    assert oblong.at((10, 16))[0][0].shape == (10, 16, 3)


class Mine(data.Source):
    """As little as a source can define."""

    def __len__(self):
        return 40

    def __getitem__(self, index):
        if index == 3:
            raise data.UnreadableImage("lost")
        return np.full((20 + index, 24, 3), index, "uint8"), 0


def test_a_source_of_your_own(tmp_path):
    source = Mine()
    assert (source.native_resolution, source.class_names) == (None, None)
    dataset = data.from_source(source, 40, resolution=16)
    assert dataset.batch(0).shape == (40, 16, 16, 3)
    assert dataset.skipped == {"image 3": "lost"}
    prepared = data.prepare(source, tmp_path / "mine", 16)
    assert len(prepared) == 39 and prepared.skipped == [("image 3", "lost")]
    with pytest.raises(ValueError, match="of unknown size"):
        source.at()
    for function in (data.from_source, lambda x: data.prepare(x, tmp_path)):
        with pytest.raises(ValueError, match=r"a keras_sagan\.data\.Source"):
            function([1, 2])


def test_names_and_classes_can_be_arrays(tmp_path):
    images, labels = np.zeros((4, 16, 16, 3), "uint8"), np.arange(4) % 2
    source = data.ArrayImages(images, labels, np.array(["cat", "dog"]))
    assert source.class_names == ("cat", "dog")
