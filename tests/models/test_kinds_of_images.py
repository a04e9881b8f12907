"""Gray, RGBA and oblong images: the whole way from data to pictures."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import keras_sagan
from keras_sagan import callbacks
from keras_sagan import cli
from keras_sagan import data
from keras_sagan import export
from keras_sagan import layers
from keras_sagan import metrics
from keras_sagan import models
from keras_sagan import training
from keras_sagan import visualization
from keras_sagan.app.handlers import Handlers
from keras_sagan.metrics import Inception
from tests.helpers import array
from tests.helpers import run_elsewhere

KINDS = {
    "gray": (12, 1),
    "rgba": (16, 4),
    "oblong": ((12, 20), 3),
    "oblong_rgba": ((20, 12), 4),
}


def shape_of(kind):
    resolution, channels = KINDS[kind]
    sides = resolution if isinstance(resolution, tuple) else (resolution,) * 2
    return (*sides, channels)


def images_of(kind, n=24, seed=0):
    """Squares of random places and colours; RGBA ones on nothing."""
    height, width, channels = shape_of(kind)
    rng = np.random.default_rng(seed)
    images = np.zeros((n, height, width, channels), "uint8")
    for image in images:
        y, x = rng.integers(0, (height - 6, width - 6))
        image[y : y + 6, x : x + 6] = rng.integers(128, 256, channels)
        if channels == 4:
            image[y : y + 6, x : x + 6, 3] = 255
    return images, (np.arange(n) % 3).astype("int32")


def model_of(kind, **kwargs):
    resolution, channels = KINDS[kind]
    sizes = {"resolution": resolution, "num_classes": 3, "channels": channels}
    model = keras_sagan.SAGAN(
        models.build_generator(latent_dim=8, base_channels=2, **sizes),
        models.build_discriminator(base_channels=2, **sizes),
        ema_momentum=0.5,
        ema_start_step=0,
        seed=0,
        **kwargs,
    )
    model.compile()
    return model


_SCRIPT = """
import sys, keras, numpy as np, keras_sagan
model = keras.saving.load_model(sys.argv[1])
images = model.generate(labels=[0, 1, 2], seed=5)
np.save(sys.argv[2], images)
"""


# Without --everywhere, one of them runs on every backend: each takes half a
# minute.
@pytest.mark.parametrize(
    "kind",
    [
        "oblong_rgba",
        pytest.param("gray", marks=pytest.mark.once),
        pytest.param("oblong", marks=pytest.mark.once),
    ],
)
def test_the_whole_way(kind, tmp_path):
    images, labels = images_of(kind)
    resolution, _ = KINDS[kind]
    model = model_of(kind, augmentation=("color", "translation", "cutout"))
    assert model.resolution == resolution
    dataset = data.from_arrays(images, labels, batch_size=8)
    model.fit(
        dataset,
        epochs=1,
        verbose=0,
        callbacks=[callbacks.SampleGrid(tmp_path / "samples")],
    )
    made = model.generate(labels=[0, 1, 2], seed=5)
    assert made.shape == (3, *shape_of(kind))

    # Another backend loads it and makes the same.
    model.save(tmp_path / "model.keras")
    paths = [tmp_path / "model.keras", tmp_path / "images.npy"]
    run_elsewhere(_SCRIPT, *paths)
    there = np.load(paths[1]).astype(int)
    assert np.abs(there - made.astype(int)).max() <= 1

    # Pictures of all kinds.
    for network in ("generator", "discriminator"):
        given = {"labels": [0, 1]} if network == "generator" else {}
        if network == "discriminator":
            given["images"] = images[:2]
        maps = visualization.attention_maps(model, seed=0, **given)
        figure = visualization.attention_figure(maps)
        assert figure.ndim == 3 and figure.shape[-1] == 3
        assert maps.images.shape[1:] == shape_of(kind)
    walk = visualization.latent_walk(model, labels=[1], steps=2)
    visualization.save_video(walk, tmp_path / "walk.gif")
    grid = visualization.nearest_neighbors(made, images, count=2)
    assert grid.shape[-1] == 3
    about = models.describe_file(tmp_path / "model.keras")
    assert about["image_shape"] == shape_of(kind)

    # ONNX checks its images itself.
    export.to_onnx(model, tmp_path / "generator.onnx")


@pytest.mark.no_backend
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_shared_described_and_served(kind, tmp_path, capsys):
    model, names = model_of(kind), ["ant", "bee", "cat"]
    height, width, channels = shape_of(kind)
    model.save_to_preset(tmp_path / "shared", class_names=names)
    card = (tmp_path / "shared" / "README.md").read_text()
    assert f"{height}x{width}" in card or f"{height} pixels" in card
    assert Image.open(tmp_path / "shared" / "samples.png").mode == "RGB"
    assert cli.main(["info", str(tmp_path / "shared")]) == 0
    said = f"{height}x{width} pixels, {channels} channel"
    said += "\n" if channels == 1 else "s\n"
    assert said in capsys.readouterr().out
    again = keras_sagan.SAGAN.from_preset(str(tmp_path / "shared"))
    page = Handlers(again, names)
    page.warm_up()
    drawn = page.draw(["bee"], 2, 3, 0)
    expected = model.generate([1, 1], seed=3)
    assert np.array_equal(page.images(*drawn), expected)
    assert page.walk("cat", (1, 2), 4, 0).startswith("data:image/gif;base64")


@pytest.mark.no_backend
@pytest.mark.parametrize("kind", KINDS)
def test_grids_show_every_kind_as_rgb(kind):
    images, _ = images_of(kind, 4)
    grid = visualization.image_grid(images, columns=4, padding=0)
    height, width, channels = shape_of(kind)
    assert grid.shape == (height, 4 * width, 3)
    first = np.asarray(grid[:, :width])
    if channels == 1:
        assert np.array_equal(first, images[0].repeat(3, axis=-1))
    if channels == 4:
        seen = images[0, ..., 3] == 255
        assert np.array_equal(first[seen], images[0, ..., :3][seen])
        # The checkerboard shows where there is nothing.
        assert set(np.unique(first[~seen])) == {204, 255}


@pytest.mark.no_backend
def test_unseen_colors_are_not_learnt(tmp_path):
    """A file's, and those of arrays in `fit`."""
    images, labels = images_of("rgba", 8)
    hidden = images.copy()
    hidden[hidden[..., 3] == 0] = (200, 100, 50, 0)
    assert (hidden != images).any()
    Image.fromarray(hidden[0]).save(tmp_path / "a.png")
    read = data.images.read_image(tmp_path / "a.png", 4)
    assert np.array_equal(np.asarray(read), images[0])
    finals = []
    for x in (images, hidden):
        keras.utils.set_random_seed(0)
        model = model_of("rgba")
        model.fit(x, labels, batch_size=8, verbose=0)
        finals.append([array(v) for v in model.discriminator.variables])
    for a, b in zip(*finals):
        assert np.array_equal(a, b)


@pytest.mark.no_backend
def test_resizing_does_not_mix_unseen_colors(rng):
    image = np.zeros((16, 16, 4), "uint8")
    image[:, :8] = (255, 0, 0, 255)
    small = data.pixels.crop_and_resize(image, 7)
    seen = small[..., 3] > 0
    assert seen.any() and not seen.all()
    assert (small[seen][:, 0] >= 250).all()
    floats = data.pixels.crop_and_resize(data.normalize(image), 7)
    visible = (floats + 1) * 127.5
    assert np.abs(visible[seen] - small[seen]).max() <= 4
    assert np.abs(visible[..., 3] - small[..., 3]).max() <= 1


@pytest.mark.no_backend
@pytest.mark.parametrize("wanted", [1, 3, 4])
@pytest.mark.parametrize("given", [1, 3, 4])
def test_a_source_gives_other_channels(given, wanted, rng):
    pixels = rng.integers(0, 256, (16, 12, 12, given), "uint8")
    if given == 4:
        pixels[..., 3] = 255
    source = data.ArrayImages(pixels).at(12, wanted)
    image, _ = source[3]
    assert image.shape == (12, 12, wanted)
    assert source.channels == wanted
    if wanted == 4:
        assert (image[..., 3] == 255).all()
    gray = pixels[3].mean(axis=-1) if given == 1 else None
    if gray is not None:
        assert np.array_equal(image[..., 0], gray)
    elif wanted == 1:
        luminance = pixels[3, ..., :3] @ [0.299, 0.587, 0.114]
        assert np.abs(image[..., 0] - luminance).max() <= 1


@pytest.mark.no_backend
def test_transparent_images_are_laid_on_white():
    image = np.zeros((8, 8, 4), "uint8")
    image[:4, :, 3] = 128
    rgb = data.pixels.with_channels(image, 3)
    assert (rgb[4:] == 255).all() and (np.abs(rgb[:4] - 127.0) <= 1).all()
    assert np.array_equal(data.pixels.as_rgb(image), rgb)
    floats = data.pixels.as_rgb(data.normalize(image))
    assert np.abs((floats + 1) * 127.5 - rgb).max() <= 1


@pytest.mark.no_backend
@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 4), ("1", 1)]
)
def test_a_folder_knows_its_channels(mode, channels, tmp_path, rng):
    for i in range(16):
        pixels = rng.integers(0, 256, (28, 28, 4), "uint8")
        pixels[:5, :5, 3] = 0
        image = Image.fromarray(pixels).convert(mode)
        image.save(tmp_path / f"{i}.png")
    source = data.open_images(tmp_path)
    assert (source.channels, source.native_resolution) == (channels, 28)
    assert source[0][0].shape == (28, 28, channels)
    recipe = keras_sagan.choose_recipe(source, accelerated=False)
    network = recipe["generator"]
    assert network["resolution"] == 28
    assert network.get("channels", 3) == channels
    kind = {1: "gray ", 3: "", 4: "RGBA "}[channels]
    assert f"16 {kind}images" in recipe["description"]
    assert "at 28 pixels" in recipe["description"]
    prepared = data.prepare(source, tmp_path / "prepared")
    again = data.PreparedImages(tmp_path / "prepared")
    assert again.channels == prepared.channels == channels
    assert np.array_equal(again[3][0], source[3][0])
    # Read as colours if that is asked for.
    assert data.ImageFolder(tmp_path)[0][0].shape == (28, 28, 3)


@pytest.mark.no_backend
def test_files_beside_the_classes_do_not_count(tmp_path, rng):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(3):
            pixels = rng.integers(0, 256, (28, 28), "uint8")
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    Image.new("RGB", (500, 400)).save(tmp_path / "overview.png")
    source = data.open_images(tmp_path)
    assert (source.channels, source.native_resolution) == (1, 28)
    assert [name for name, _ in source.skipped] == ["overview.png"]


@pytest.mark.no_backend
@pytest.mark.parametrize(("transparent", "channels"), [(5, 4), (4, 3)])
def test_half_of_the_files_decide_on_alpha(transparent, channels, tmp_path):
    for i in range(10):
        image = Image.new("RGBA", (16, 16), (9, 9, 9, 255))
        if i < transparent:
            image.putpixel((0, 0), (0, 0, 0, 0))
        image.save(tmp_path / f"{i}.png")
    assert data.open_images(tmp_path).channels == channels


@pytest.mark.no_backend
def test_a_folder_of_turned_images_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for i in range(3):
        image = Image.new("RGB", (112, 80), (i, 0, 0))
        image.save(tmp_path / f"{i}.jpg", exif=exif)
    source = data.open_images(tmp_path)
    assert source.native_resolution == (112, 80)
    assert source[0][0].shape == (112, 80, 3)
    assert source.at()[0][0].shape == (112, 80, 3)


@pytest.mark.no_backend
@pytest.mark.parametrize("wanted", [1, 3, 4])
@pytest.mark.parametrize("given", [1, 3, 4])
def test_floats_get_other_channels_as_bytes_do(given, wanted, rng):
    pixels = rng.integers(0, 256, (4, 8, 8, given), "uint8")
    floats = data.from_arrays(
        data.normalize(pixels), batch_size=4, channels=wanted
    )[0]
    found = data.from_arrays(pixels, batch_size=4, channels=wanted)[0]
    assert np.abs((floats + 1) * 127.5 - found).max() <= 1


@pytest.mark.no_backend
def test_the_bundled_photographs_are_sources_as_others():
    source = data.open_images("photographs")
    images, _ = data.from_source(source, 8, resolution=16)[0]
    assert images.shape == (8, 16, 16, 3)
    gray, _ = data.from_source(source, 8, resolution=16, channels=1)[0]
    assert gray.shape == (8, 16, 16, 1)


@pytest.mark.no_backend
def test_sources_that_know_no_channels_go_on(rng):
    class Old(data.Source):
        one_size, native_resolution = True, 16

        def __len__(self):
            return 20

        def __getitem__(self, index):
            return np.full((16, 16, 3), index, "uint8"), 0

        def at(self, resolution=None):
            return self

    assert data.from_source(Old(), 4, resolution=16)[0].shape == (4, 16, 16, 3)


@pytest.mark.no_backend
def test_one_image_is_not_taken_for_many(rng):
    image = rng.integers(0, 256, (16, 16, 3), "uint8")
    with pytest.raises(ValueError, match="`images` must be uint8 of shape"):
        visualization.image_grid(image)
    with pytest.raises(ValueError, match="with 1, 3 or 4 channels"):
        data.ArrayImages(image)


@pytest.mark.no_backend
def test_opaque_images_with_alpha_are_rgb(tmp_path, rng):
    for i in range(16):
        pixels = rng.integers(0, 256, (16, 16, 4), "uint8")
        pixels[..., 3] = 255
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    assert data.open_images(tmp_path).channels == 3


@pytest.mark.no_backend
@pytest.mark.parametrize(
    ("shape", "accelerated", "chosen"),
    [
        ((28, 28), False, 28),
        ((8, 8), False, 16),
        ((30, 30), False, 28),
        ((64, 96), False, (64, 96)),
        ((128, 192), True, (128, 192)),
        ((128, 192), False, (64, 96)),
        ((96, 96), True, 96),
        ((96, 96), False, 48),
        ((100, 90), True, 80),
        ((512, 512), True, 256),
        ((512, 512), False, 64),
        ((300, 300), True, 128),
    ],
)
def test_resolutions_that_are_chosen(shape, accelerated, chosen):
    source = data.ArrayImages(np.zeros((16, *shape), "uint8"))
    assert source.channels == 1
    found = training.choose_resolution(source, accelerated)
    assert found == chosen


@pytest.mark.no_backend
def test_a_run_takes_gray_oblong_images(tmp_path, capsys):
    images, _ = images_of("gray", 24)
    images = np.pad(images, ((0, 0), (0, 0), (0, 8), (0, 0)))  # 12x20.
    np.savez(tmp_path / "x.npz", images=images[..., 0])
    model = keras_sagan.train_on_images(
        tmp_path / "x.npz", tmp_path / "run", base_channels=1, steps=1
    )
    assert model.image_shape == (12, 20, 1)
    printed = capsys.readouterr().out
    assert "24 gray images of no classes at 12x20 pixels" in printed
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert settings["generator"]["resolution"] == [12, 20]
    # It goes on as it was begun.
    model = keras_sagan.train_on_images(
        tmp_path / "x.npz", tmp_path / "run", steps=2
    )
    assert model.count_steps() == 2


@pytest.mark.no_backend
@pytest.mark.parametrize("channels", [2, 5, 0, "3", None, 3.5])
@pytest.mark.parametrize(
    "build", [models.build_generator, models.build_discriminator]
)
def test_other_channels_are_refused(build, channels):
    with pytest.raises(
        ValueError, match=r"`channels` must be 1 \(gray\), 3 \(RGB\) or 4"
    ):
        build(16, 3, base_channels=1, channels=channels)


@pytest.mark.no_backend
def test_arrays_that_are_no_images_are_refused():
    for shape in ((4, 8, 8, 2), (4, 8, 8, 5), (4, 8), (4, 8, 8, 3, 1)):
        with pytest.raises(ValueError, match="with 1, 3 or 4 channels"):
            data.ArrayImages(np.zeros(shape, "uint8"))
    mixed = [np.zeros((8, 8, 3), "uint8"), np.zeros((9, 8, 3), "uint8")]
    with pytest.raises(ValueError, match="perhaps of several sizes"):
        data.ArrayImages(mixed)


@pytest.mark.once
def test_fit_takes_gray_images_without_an_axis_for_channels():
    images, labels = images_of("gray", 8)
    model = model_of("gray")
    model.fit(images[..., 0], labels, batch_size=8, verbose=0)
    assert model.count_steps() == 1
    model.evaluate(images[..., 0], labels, verbose=0)
    with pytest.raises(ValueError, match=r"resize them, or build"):
        model.fit(images[:, :8, :8], labels, verbose=0)
    with pytest.raises(ValueError, match=r"build networks with channels=3"):
        model.fit(images.repeat(3, axis=-1), labels, verbose=0)


@pytest.mark.no_backend
@pytest.mark.parametrize("kind", ["gray", "rgba"])
def test_inception_sees_gray_and_transparent_images_as_rgb(kind):
    images, _ = images_of(kind, 4)
    seen = []

    class Network:
        jit_compile = False

    extractor = object.__new__(Inception)
    extractor.network, extractor.logits = Network(), "unbiased"

    def predict(network, x):
        seen.append(array(x))
        return {"features": x, "logits_unbiased": x}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras_sagan.backends.predict", predict)
        extractor(images)
        extractor(data.pixels.as_rgb(images))
    assert seen[0].shape == (4, 299, 299, 3)
    assert np.array_equal(*seen)
    assert "white" in metrics.get_protocol("torch-fidelity")["channels"]


@pytest.mark.no_backend
def test_augmentation_moves_alpha_but_keeps_its_strength(rng):
    """Colours are changed, not how much can be seen."""
    x = rng.uniform(-1, 1, (4, 8, 8, 4)).astype("float32")
    u = rng.uniform(size=(4, 7)).astype("float32")
    color = array(layers.DiffAugment(("color",))(x, draws=u))
    assert np.array_equal(color[..., 3], x[..., 3])
    rgb = array(layers.DiffAugment(("color",))(x[..., :3], draws=u))
    assert np.array_equal(color[..., :3], rgb)
    # What moves in cannot be seen.
    cut = array(layers.DiffAugment(("cutout",))(x, draws=u))
    gone = (np.abs(cut - x) > 1e-5).any(axis=-1)
    assert gone.any() and (cut[gone] == -1).all()
