"""Folders of images as people have them: every kind of file in them."""

import errno
import io
import json
import os
import pathlib
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from keras_sagan import data
from keras_sagan.data import images as images_module
from keras_sagan.data import prepared as prepared_module
from keras_sagan.data.images import UnreadableImage
from keras_sagan.data.images import read_image
from keras_sagan.data.pixels import crop_and_resize
from keras_sagan.files import printable

pytestmark = pytest.mark.no_backend


def picture(width=40, height=30):
    """Red grows to the right, green downwards."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([x * 6, y * 8, 0 * x + 50], axis=-1)
    return Image.fromarray(pixels.astype("uint8"))


def saved(image, file_format, **options):
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    stream.seek(0)
    return stream


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def test_reads_every_kind_as_rgb():
    original = np.asarray(picture(), "int32")
    gray = picture().convert("L")
    for image, expected, most in (
        (saved(picture(), "PNG"), original, 0),
        (saved(picture(), "WEBP", lossless=True), original, 0),
        (saved(picture(), "BMP"), original, 0),
        (saved(gray, "PNG"), np.stack([gray] * 3, -1), 0),
        (saved(gray.convert("1"), "PNG"), None, 0),
        (saved(picture().convert("CMYK"), "TIFF"), original, 2),
        (saved(picture().convert("P"), "GIF"), original, 60),
        (saved(picture(), "JPEG", quality=100, subsampling=0), original, 6),
    ):
        result = read_image(image)
        assert result.mode == "RGB" and result.size == (40, 30)
        if expected is not None:
            difference = np.abs(np.asarray(result, "int32") - expected)
            assert difference.max() <= most


def test_16_bits_keep_their_brightness():
    values = (np.arange(40 * 30).reshape(30, 40) * 54).astype("uint16")
    result = np.asarray(read_image(saved(Image.fromarray(values), "PNG")))
    expected = np.rint(values / 257)
    np.testing.assert_array_equal(result, np.stack([expected] * 3, -1))


def test_transparency_is_laid_on_white():
    image = picture().convert("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    assert np.asarray(read_image(saved(image, "PNG"))).min() == 255
    image = Image.new("P", (20, 20), 3)
    image.putpalette([7] * 768)
    stream = saved(image, "PNG", transparency=3)
    assert np.asarray(read_image(stream)).min() == 255


def test_turned_by_exif():
    for orientation, turn in ((6, -90), (8, 90), (3, 180)):
        stream = saved(picture(), "PNG", exif=exif(orientation))
        expected = picture().rotate(turn, expand=True)
        np.testing.assert_array_equal(read_image(stream), expected)


def test_crop_and_resize_takes_arrays_of_any_kind(rng):
    pixels = rng.integers(256, size=(30, 40, 3), dtype="uint8")
    expected = crop_and_resize(Image.fromarray(pixels), 8)
    np.testing.assert_array_equal(crop_and_resize(pixels, 8), expected)
    floats = crop_and_resize(data.normalize(pixels), 8)
    assert floats.dtype == "float32"
    assert np.abs((floats + 1) * 127.5 - expected).max() <= 1
    assert crop_and_resize(pixels[:30, :30], 60).shape == (60, 60, 3)


def test_crop_and_resize_is_pillows_bilinear_of_the_centre():
    image = picture(40, 30)
    expected = np.asarray(image)[:, 5:35]
    np.testing.assert_array_equal(crop_and_resize(image, 30), expected)
    small = Image.fromarray(expected).resize((8, 8), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(crop_and_resize(image, 8), small)
    # Against the definition: a triangle as wide as two target pixels.
    centres = (np.arange(8) + 0.5) * 30 / 8
    weights = 1 - np.abs(np.arange(30) + 0.5 - centres[:, None]) / (30 / 8)
    weights = np.maximum(weights, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    exact = np.einsum("ia,jb,abc->ijc", weights, weights, expected)
    assert np.abs(crop_and_resize(image, 8) - exact).max() <= 1


def huge(png):
    """A PNG that says it has 65,535 x 65,535 pixels."""
    header = b"IHDR" + struct.pack(">II", 65535, 65535) + png[24:29]
    checksum = struct.pack(">I", zlib.crc32(header))
    return png[:12] + header + checksum + png[33:]


BAD = {
    "empty.jpg": (b"", "empty file"),
    "text.png": (b"no picture at all", "not an image"),
    "header.jpg": (saved(picture(), "JPEG").read()[:30], "damaged"),
    "cut.jpg": (saved(picture(400, 300), "JPEG").read()[:3000], "damaged"),
    "cut.png": (saved(picture(400, 300), "PNG").read()[:900], "damaged"),
    "pixel.png": (saved(picture(1, 1), "PNG").read(), "1x1 pixels"),
    "line.png": (saved(picture(900, 3), "PNG").read(), "900x3 pixels"),
    "float.tiff": (
        saved(Image.fromarray(np.zeros((20, 20), "float32")), "TIFF").read(),
        "floating-point pixels",
    ),
    "bomb.png": (huge(saved(picture(), "PNG").read()), "bomb"),
}
GOOD = {
    "gray.png": saved(picture().convert("L"), "PNG").read(),
    "cmyk.jpg": saved(picture().convert("CMYK"), "JPEG").read(),
    "palette.gif": saved(picture().convert("P"), "GIF").read(),
    "deep.png": saved(
        Image.fromarray(np.zeros((20, 20), "uint16")), "PNG"
    ).read(),
    "turned.jpg": saved(picture(), "JPEG", exif=exif(6)).read(),
    "no_suffix": saved(picture(), "PNG").read(),
}


@pytest.fixture
def folder(tmp_path):
    """200 images of two classes, with one of each bad kind among them."""
    for i in range(200):
        path = tmp_path / "images" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40 + i % 7, 30), (i, 255 - i, 0)).save(path)
    for name, content in {
        **{n: b for n, (b, _) in BAD.items()},
        **GOOD,
    }.items():
        (tmp_path / "images" / "a" / name).write_bytes(content)
    (tmp_path / "images" / "a" / ".hidden").write_text("no")
    (tmp_path / "images" / "stray.png").write_bytes(GOOD["gray.png"])
    return tmp_path / "images"


def test_prepare_uses_the_good_and_names_the_bad(folder, tmp_path):
    source = data.prepare(
        data.ImageFolder(folder), tmp_path / "out", 16, shard_size=50
    )
    assert source.class_names == ("a", "b")
    assert len(source) == 200 + len(GOOD)
    reasons = dict(source.skipped)
    assert set(reasons) == {f"a/{name}" for name in BAD} | {"stray.png"}
    for name, (_, reason) in BAD.items():
        assert reason in reasons[f"a/{name}"], name
    assert reasons["stray.png"] == "beside the folders of the classes"
    assert np.bincount(source.labels).tolist() == [100 + len(GOOD), 100]
    # What it holds is what a folder gives.
    direct = data.ImageFolder(folder).at(16)
    at = direct.names.index("a/turned.jpg")
    image, label = direct[at]
    assert any(
        np.array_equal(image, source[i][0]) and label == source[i][1]
        for i in range(len(source))
    )
    assert len(data.from_source(source, batch_size=16)[0][0]) == 16


def test_prepare_goes_on_where_it_was(folder, tmp_path, monkeypatch):
    whole = data.prepare(
        data.ImageFolder(folder), tmp_path / "whole", 16, shard_size=50
    )
    out, write, written = tmp_path / "out", prepared_module._write_shard, []

    def interrupted(source, begin, end, path, bar):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(begin)
        return write(source, begin, end, path, bar)

    monkeypatch.setattr(prepared_module, "_write_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        data.prepare(data.ImageFolder(folder), out, 16, shard_size=50)
    with pytest.raises(ValueError, match="finished writing: run it again"):
        data.PreparedImages(out)
    (out / ".shard-00002.images.123.npy").write_bytes(b"half")  # Killed.
    written.clear()
    written.extend([None] * 3)  # From here on it only counts.
    again = data.prepare(data.ImageFolder(folder), out, 16, shard_size=50)
    assert written[3:] == [100, 150, 200]
    assert again.skipped == whole.skipped
    for i in range(len(whole)):
        np.testing.assert_array_equal(again[i][0], whole[i][0])
    with pytest.raises(ValueError, match="of other images, or of another"):
        data.prepare(data.ImageFolder(folder), out, 32, shard_size=50)


def test_prepare_touches_nothing_else(folder, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="must be a new or empty folder"):
        data.prepare(data.ImageFolder(folder), tmp_path / "mine", 16)
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_damaged_preparation_says_so(folder, tmp_path):
    data.prepare(data.ImageFolder(folder), tmp_path / "out", 16, shard_size=50)
    summary = json.loads((tmp_path / "out" / "prepared.json").read_text())
    summary["shards"][0][1] += 1
    (tmp_path / "out" / "prepared.json").write_text(json.dumps(summary))
    with pytest.raises(ValueError, match="the images that"):
        data.PreparedImages(tmp_path / "out")


def test_folders_that_cannot_be_trained_on(tmp_path):
    for images, message in (
        ((), "must hold images.*with 0 other files"),
        (("notes.txt",), "1 other files, the first notes.txt: not an image"),
        (("cats/1.png", "cats/2.png"), "the one class cats"),
    ):
        folder = tmp_path / str(len(images)) / str(len(message))
        folder.mkdir(parents=True)
        for name in images:
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"x" if name.endswith("txt") else GOOD["gray.png"])
        with pytest.raises(ValueError, match=message):
            data.ImageFolder(folder)
    with pytest.raises(ValueError, match="`path` must be a folder"):
        data.ImageFolder(tmp_path / "none")
    # Few images for a batch.
    (folder / "dogs").mkdir()
    (folder / "dogs" / "3.png").write_bytes(GOOD["gray.png"])
    with pytest.raises(ValueError, match="at most 3, the number of images"):
        data.from_folder(folder, 16, batch_size=4)


def test_images_without_classes(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(GOOD["gray.png"])
    dataset = data.from_folder(tmp_path, 16, batch_size=2)
    assert dataset.source.class_names is None
    assert dataset[0].shape == (2, 16, 16, 3)


def two_classes(folder, count=3):
    for name in "ab":
        (folder / name).mkdir(parents=True)
        for i in range(count):
            (folder / name / f"{i}.png").write_bytes(GOOD["gray.png"])
    return folder


def test_a_link_to_itself_ends(tmp_path):
    two_classes(tmp_path, 1)
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    source = data.ImageFolder(tmp_path)
    assert len(source) == 2
    assert source.skipped == [
        ("a/loop", f"a link to {tmp_path}, which was read already")
    ]


def test_links_that_multiply_end(tmp_path):
    two_classes(tmp_path / "images")
    for i in range(40):  # 2^40 ways through them.
        step = tmp_path / "images" / "a" if i == 0 else tmp_path / f"{i}"
        step.mkdir(exist_ok=True)
        for name in ("left", "right"):
            (step / name).symlink_to(tmp_path / f"{i + 1}")
    (tmp_path / "40").mkdir()
    assert len(data.ImageFolder(tmp_path / "images")) == 6


def test_two_classes_may_be_links_to_one_folder(tmp_path):
    two_classes(tmp_path / "real")
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("cats", "dogs"):
        (folder / name).symlink_to(tmp_path / "real" / "a")
    source = data.ImageFolder(folder)
    assert source.class_names == ("cats", "dogs")
    assert source.labels == [0, 0, 0, 1, 1, 1]


def test_a_class_without_images_is_named(tmp_path):
    two_classes(tmp_path)
    (tmp_path / "aa").mkdir()
    (tmp_path / "c" / "deep").mkdir(parents=True)
    (tmp_path / "c" / "deep" / "notes.txt").write_text("none")
    source = data.ImageFolder(tmp_path)
    assert source.class_names == ("a", "b")
    assert dict(source.skipped) == {
        "aa": "a folder without images",
        "c": "a folder without images",
        "c/deep/notes.txt": "not an image",
    }


def test_a_class_that_cannot_be_read_ends_it(tmp_path, monkeypatch):
    two_classes(tmp_path)
    scandir = os.scandir

    def denying(path):
        if pathlib.Path(path).name == "a":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denying)
    with pytest.raises(PermissionError, match="/a'"):
        data.ImageFolder(tmp_path)


FAILURES = [
    OSError(errno.EIO, "Input/output error"),
    OSError(errno.EACCES, "Permission denied"),
    OSError(errno.ESTALE, "Stale file handle"),
    MemoryError(),
]


def failing_file(broken, at, failure):
    """What reads files here, where the system fails with one path."""

    class System(io.FileIO):
        def __init__(self, path):
            if at == "open" and path == broken:
                raise failure
            super().__init__(path)
            self.fails = path == broken

        def readinto(self, buffer):
            if self.fails and (at == "header" or self.tell() > 0):
                raise failure
            return super().readinto(memoryview(buffer)[:200])

    return type("File", (images_module._File, System), {})


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
@pytest.mark.parametrize("at", ["open", "header", "pixels"])
def test_an_error_that_may_pass_condemns_no_image(
    at, failure, tmp_path, monkeypatch
):
    """While it lasts, reading stops with the file's name; then all is well."""
    content = saved(picture(400, 300), "PNG").read()
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    source = data.ImageFolder(tmp_path)
    broken = tmp_path / "a" / "2.png"

    monkeypatch.setattr(
        images_module, "_File", failing_file(broken, at, failure)
    )
    for attempt in (
        lambda: source[1],
        lambda: data.ImageFolder(tmp_path)[1],
        lambda: data.prepare(source, tmp_path / "out", 16),
        lambda: data.from_source(source, 4, workers=0, resolution=16)[0],
    ):
        with pytest.raises(type(failure), match=r"a/2\.png"):
            attempt()
    monkeypatch.undo()
    assert len(data.prepare(source, tmp_path / "out", 16)) == 4


def test_a_named_pipe_is_left_out(tmp_path):
    two_classes(tmp_path)
    os.mkfifo(tmp_path / "a" / "pipe.png")
    source = data.ImageFolder(tmp_path)
    assert source.skipped == [("a/pipe.png", "not a regular file")]


def test_a_file_that_vanishes_ends_it_and_is_named(tmp_path):
    for name in "abc":
        picture().save(tmp_path / f"{name}.png")
    folder = data.ImageFolder(tmp_path)
    (tmp_path / "b.png").unlink()
    dataset = data.from_source(folder, batch_size=3, workers=0, resolution=8)
    with pytest.raises(FileNotFoundError, match=r"b\.png"):
        dataset.batch(0)


def test_a_file_that_turns_out_damaged_is_replaced_by_the_next(tmp_path):
    for name in "abc":
        picture(400, 300).save(tmp_path / f"{name}.png")
    content = (tmp_path / "b.png").read_bytes()
    (tmp_path / "b.png").write_bytes(content[: len(content) // 2])
    folder = data.ImageFolder(tmp_path)
    datasets = [
        data.from_source(folder, batch_size=3, workers=n, resolution=8)
        for n in (0, 2)
    ]
    with pytest.warns(UserWarning, match=r"b\.png cannot be used"):
        batches = [dataset.batch(0) for dataset in datasets]
    np.testing.assert_array_equal(*batches)
    assert [list(x.skipped) for x in datasets] == [["b.png"]] * 2


def test_large_images_are_bounded_before_they_are_decoded(tmp_path):
    side = 7100  # 50.4 million pixels.
    Image.new("L", (side, side), 200).save(tmp_path / "a.png")
    Image.new("RGB", (side, side), "red").save(tmp_path / "b.jpg")
    with pytest.raises(UnreadableImage, match="7,100x7,100 pixels, more than"):
        read_image(tmp_path / "a.png")
    assert read_image(tmp_path / "b.jpg").size == (side // 2, side // 2)


def test_a_name_of_no_encoding(tmp_path):
    name = os.fsdecode(b"caf\xe9\x1b[31m.png")
    (tmp_path / name).write_bytes(GOOD["gray.png"])
    (tmp_path / os.fsdecode(b"bad\xe9.png")).write_bytes(b"")
    prepared = data.prepare(data.ImageFolder(tmp_path), tmp_path / "out", 16)
    assert len(prepared) == 1
    assert printable(prepared.skipped[0][0]) == r"bad\udce9.png"


@pytest.mark.parametrize(
    "names", [("train", "val"), ("Train", "Test", "validation")]
)
def test_splits_are_no_classes(names, tmp_path):
    for name in names:
        (tmp_path / name / "cats").mkdir(parents=True)
        picture().save(tmp_path / name / "cats" / "a.png")
    with pytest.raises(ValueError, match=r"not for each split.*such as .*rain"):
        data.ImageFolder(tmp_path)
    (tmp_path / "trams").mkdir()
    picture().save(tmp_path / "trams" / "a.png")
    assert len(data.ImageFolder(tmp_path).class_names) == len(names) + 1


@pytest.mark.parametrize(
    ("images", "labels"),
    [("x", "y"), ("x_train", "y_train"), ("arr_0", "arr_1")],
)
def test_an_npz_with_other_names(images, labels, tmp_path, rng):
    x = rng.integers(256, size=(6, 16, 16, 3)).astype("uint8")
    y = np.arange(6)[:, None] % 3
    np.savez(tmp_path / "x.npz", **{images: x, labels: y})
    source = data.load_npz(tmp_path / "x.npz")
    np.testing.assert_array_equal(source.images, x)
    assert source.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert source.class_names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("low", "high", "advice"),
    [
        (0, 1, r"in \[0, 1\], store np.rint\(images \* 255\)"),
        (-1, 1, r"in \[-1, 1\], store np.rint\(\(images \+ 1\) \* 127.5\)"),
        (0, 255, r"in \[0, 255\], store np.rint\(images\)"),
        (-3, 3, "its floats are from -3 to 3"),
    ],
)
def test_an_npz_of_floats_is_told_what_to_store(low, high, advice, tmp_path):
    images = np.full((2, 16, 16, 3), float(low))
    images[0] = high
    np.savez(tmp_path / "x.npz", images=images)
    with pytest.raises(ValueError, match=advice):
        data.load_npz(tmp_path / "x.npz")


@pytest.mark.parametrize("labels", [[0, 30_000_000], [0, 2**40], [0, -1]])
def test_an_npz_with_absurd_labels(labels, tmp_path):
    images = np.zeros((2, 16, 16, 3), "uint8")
    np.savez(tmp_path / "x.npz", images=images, labels=labels)
    with pytest.raises(ValueError, match="`labels` must be from 0 to 99,999"):
        data.load_npz(tmp_path / "x.npz")


@pytest.mark.parametrize("arrays", [{}, {"weights": np.zeros(3)}])
def test_an_npz_without_images(arrays, tmp_path):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(ValueError, match="`path` must hold `images`"):
        data.load_npz(tmp_path / "x.npz")
    np.save(tmp_path / "y.npy", np.zeros(3))
    (tmp_path / "y.npy").rename(tmp_path / "y.npz")
    with pytest.raises(ValueError, match=r"y\.npz"):
        data.load_npz(tmp_path / "y.npz")
