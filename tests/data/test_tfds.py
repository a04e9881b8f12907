"""Sets of tensorflow-datasets, as its own mock data."""

import io
import sys
import types

import numpy as np
import pytest

from keras_sagan import data
from keras_sagan.data.images import read_image
from keras_sagan.data.pixels import crop_and_resize
from keras_sagan.data.tfds import decode

tensorflow = pytest.importorskip("tensorflow")
tfds = pytest.importorskip("tensorflow_datasets")
pytestmark = pytest.mark.no_backend


@pytest.fixture
def mock():
    with tfds.testing.mock_data(num_examples=20):
        yield


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_downsizing_is_pillows(file_format):
    """tf.data against the path of folders and of `prepare`, to 1/255."""
    from PIL import Image
    from skimage.data import astronaut
    from skimage.data import chelsea

    for pixels in (astronaut(), chelsea(), chelsea()[:100, :60]):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, file_format, quality=90)
        for resolution in (32, 64, 128):
            expected = crop_and_resize(read_image(stream), resolution)
            found = decode(stream.getvalue(), resolution).numpy()
            difference = np.abs(found.astype("int32") - expected)
            assert difference.max() <= 1


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", ["L", "LA", "RGB", "RGBA"])
def test_every_kind_of_image_is_read_as_pillow_reads_it(kind, channels):
    """Gray and transparent files, as any channels, also not square."""
    from PIL import Image
    from skimage.data import chelsea

    picture = Image.fromarray(chelsea()).convert(kind)
    if kind in ("LA", "RGBA"):
        width, height = picture.size
        alpha = np.zeros((height, width), "uint8")
        alpha[:, width // 3 :] = np.linspace(0, 255, height)[:, None]
        picture.putalpha(Image.fromarray(alpha))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    for resolution in (64, (32, 48), None):
        expected = np.asarray(read_image(stream, channels))
        if resolution is not None:
            expected = crop_and_resize(expected, resolution)
        found = decode(stream.getvalue(), resolution, channels).numpy()
        pair = [
            x.reshape(found.shape).astype("float64") for x in (found, expected)
        ]
        if channels == 4:
            alphas = [x[..., 3:] for x in pair]
            assert np.abs(alphas[0] - alphas[1]).max() <= 1
            assert all(
                (x[..., :3] * (x[..., 3:] == 0) == 0).all() for x in pair
            )
            # Pillow rounds the products of colours and alpha; compare those.
            pair = [x[..., :3] * a / 255 for x, a in zip(pair, alphas)]
        assert np.abs(pair[0] - pair[1]).max() <= 2


@pytest.mark.parametrize("name", ["imagenet2012", "cifar10", "imagenette"])
def test_reads_any_classification_set(name, mock):
    dataset = data.from_tfds(name, 32, batch_size=4)
    images, labels = next(iter(dataset))
    assert images.shape == (4, 32, 32, 3) and images.dtype == "uint8"
    assert labels.shape == (4,) and labels.dtype == "int32"
    source = data.open_images(f"tfds:{name}")
    native = 32 if name == "cifar10" else None
    assert source.native_resolution == native and not source.random_access
    assert source.at(16)[3][0].shape == (16, 16, 3)
    assert len(source) == 20
    assert len(source.class_names) == {"imagenet2012": 1000}.get(name, 10)


def row(dataset, steps):
    found = []
    for images, _ in dataset.take(steps).as_numpy_iterator():
        found += [image.tobytes() for image in images]
    return found


def test_goes_on_where_it_was(mock):
    def make(**kwargs):
        return data.from_tfds("imagenet2012", 16, batch_size=6, **kwargs)

    whole = row(make(), 10)
    for i in range(0, 60, 20):
        assert len(set(whole[i : i + 20])) == 20  # Once in each pass.
    assert whole[:20] != whole[20:40]
    assert row(make(start_step=4), 6) == whole[24:]
    assert row(make(seed=1), 3) != whole[:18]
    parts = [row(make(start_step=4, shard=(i, 2)), 2) for i in range(2)]
    assert parts[0][:3] + parts[1][:3] == whole[24:30]
    assert parts[0][3:] + parts[1][3:] == whole[30:36]


def test_augmentation_gets_the_number_of_the_batch(mock):
    dataset = data.from_tfds(
        "cifar10",
        16,
        batch_size=4,
        start_step=3,
        augment=lambda images, number: images * 0 + number,
    )
    means = [x.mean() for x, _ in dataset.take(3).as_numpy_iterator()]
    assert means == [3, 4, 5]


def test_prepare(mock, tmp_path):
    source = data.TfdsImages("imagenet2012")
    prepared = data.prepare(source, tmp_path, 16, shard_size=8)
    source = source.at(16)
    assert len(prepared) == 20 and prepared.class_names[0] == "n01440764"
    for i in (0, 7, 8, 19):
        np.testing.assert_array_equal(prepared[i][0], source[i][0])
        assert prepared[i][1] == source[i][1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("imagenet_of_dreams", 32),
            "that of a data set of tensorflow",
        ),
        (("coco/2017", 32), "an `image` and a `label` in each example"),
    ],
)
def test_refuses(arguments, message, mock):
    with pytest.raises(ValueError, match=message):
        data.from_tfds(*arguments)


def test_an_installation_that_does_not_work(monkeypatch):
    """As on Colab with its protobuf: the import succeeds, but is empty."""
    empty = types.ModuleType("tensorflow_datasets")
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", empty)
    with pytest.raises(ImportError, match="tensorflow-metadata=="):
        data.TfdsImages("cifar10")
