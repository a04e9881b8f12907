"""What the handlers of the page answer, and what they refuse."""

import asyncio
import base64
import io

import numpy as np
import pytest
from PIL import Image

from keras_sagan import visualization
from keras_sagan.app.handlers import Handlers
from keras_sagan.app.middleware import RequestLimits
from tests.helpers import tiny_model

pytestmark = pytest.mark.no_backend
NAMES = ["cat", "dog", "owl"]


@pytest.fixture
def model(any_singular_vector):
    return tiny_model(compiled=False)


@pytest.fixture
def handlers(model):
    return Handlers(model, NAMES)


def test_images_are_those_of_generate(handlers, model):
    drawn = handlers.draw(["owl", "cat"], 3, 5, 0.5)
    assert drawn[1] == [2, 0, 2]
    expected = model.generate([2, 0, 2], seed=5, truncation=0.5)
    assert np.array_equal(handlers.images(*drawn), expected)
    call = handlers.call(["owl", "cat"], 3, 5, 0.5)
    assert np.array_equal(eval(call, {"model": model}), expected)
    drawn = handlers.draw([], 4, 5, 0)
    expected = model.generate(num_images=4, seed=5)
    assert np.array_equal(handlers.images(*drawn), expected)
    assert np.array_equal(
        eval(handlers.call([], 4, 5, 0), {"model": model}), expected
    )


def test_a_model_without_classes(any_singular_vector):
    model = tiny_model(num_classes=None, compiled=False)
    handlers = Handlers(model)
    handlers.warm_up()
    latents, labels = handlers.draw([], 2, 1, 0)
    assert labels is None
    assert np.array_equal(
        handlers.images(latents, labels), model.generate(num_images=2, seed=1)
    )


def test_a_walk_goes_from_seed_to_seed_and_back(handlers, model):
    url = handlers.walk("dog", (3, 4), 5, 0)
    head, content = url.split(",")
    assert head == "data:image/gif;base64"
    video = Image.open(io.BytesIO(base64.b64decode(content)))
    assert video.n_frames == 8
    for frame, seed in ((0, 3), (4, 4)):
        video.seek(frame)
        shown = np.asarray(video.convert("RGB")).astype(int)
        expected = handlers.enlarged(model.generate([1], seed=seed)[0], 256)
        assert shown.shape == expected.shape
        assert np.abs(shown - expected).mean() < 8  # GIF: 256 colours.


def test_attention_is_that_of_the_point(handlers, model):
    latents, labels = handlers.draw(["dog"], 1, 0, 0)
    (layer,) = handlers.layers
    figures = [
        handlers.attention(latents[0], labels[0], x, 2, layer) for x in (1, 14)
    ]
    maps = visualization.attention_maps(
        model, labels=[1], seed=0, queries=[(14, 2)]
    )
    expected = visualization.attention_figure(
        maps, panel=256, class_names=NAMES
    )
    assert np.array_equal(figures[1], expected)
    assert not np.array_equal(*figures)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["emu"], 1, 0, 0), "no class 'emu'"),
        (("cat", 1, 0, 0), "list of at most 16 names"),
        ((["cat"] * 17, 1, 0, 0), "list of at most 16 names"),
        ((["cat"], 0, 0, 0), "Count: must be a whole number from 1 to 16"),
        ((["cat"], 17, 0, 0), "Count"),
        ((["cat"], 1.5, 0, 0), "Count"),
        ((["cat"], True, 0, 0), "Count"),
        ((["cat"], float("inf"), 0, 0), "Count"),
        ((["cat"], 1, -1, 0), "Seed"),
        ((["cat"], 1, 2**31, 0), "Seed"),
        ((["cat"], 1, None, 0), "Seed"),
        ((["cat"], 1, 0, "1"), "Truncation: must be a number"),
        ((["cat"], 1, 0, float("nan")), "Truncation"),
        ((["cat"], 1, 0, 1e-9), "Truncation"),
    ],
)
def test_refuses_what_is_out_of_range(arguments, message, handlers):
    with pytest.raises(ValueError, match=message):
        handlers.draw(*arguments)


def test_refuses_points_and_walks_out_of_range(handlers):
    latents, labels = handlers.draw(["dog"], 1, 0, 0)
    (layer,) = handlers.layers
    with pytest.raises(ValueError, match="from 0 to 15"):
        handlers.attention(latents[0], labels[0], 16, 0, layer)
    with pytest.raises(ValueError, match="Layer"):
        handlers.attention(latents[0], labels[0], 0, 0, "rgb")
    with pytest.raises(ValueError, match="Frames"):
        handlers.walk("dog", (0, 1), 1000, 0)


@pytest.mark.parametrize(
    ("method", "path", "length", "status"),
    [
        ("GET", "/", None, 200),
        ("POST", "/gradio_api/queue/join", 100, 200),
        ("POST", "/gradio_api/queue/join", 10**6, 413),
        ("POST", "/gradio_api/queue/join", None, 411),
        ("POST", "/gradio_api/upload", 100, 404),
        ("POST", "/gradio_api/run/predict", 100, 404),
        ("PUT", "/", 100, 405),
    ],
)
def test_what_reaches_the_server(method, path, length, status):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})

    async def send(message):
        statuses.append(message.get("status"))

    headers = [(b"content-length", str(length).encode())] if length else []
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    statuses = []
    asyncio.run(RequestLimits(app)(scope, None, send))
    assert statuses[0] == status
