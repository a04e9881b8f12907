"""What the handlers of the page answer, and what they refuse."""

import asyncio
import base64
import io
import socket

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
    # The maps that are kept are not those of a model after another step.
    kernel = model.ema_generator.get_layer(layer).query.kernel
    kernel.assign(-kernel)
    model.steps_trained.assign(1)
    again = handlers.attention(latents[0], labels[0], 14, 2, layer)
    assert not np.array_equal(again, expected)


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


def passes(scope, body=b"{}", **arguments):
    """Returns the status that `RequestLimits` gives a request; 200: it passes.

    The application that it passes to reads the body, and returns it.
    """
    received = []

    async def app(scope, receive, send):
        if scope["method"] == "POST":
            received.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200})

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        statuses.append(message.get("status"))

    statuses = []
    limits = RequestLimits(app, **arguments)
    asyncio.run(limits(scope, receive, send))
    assert received in ([], [body])
    return statuses[0]


def request(method="GET", path="/", **headers):
    headers = {"host": "localhost:7860", **headers}
    return {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [
            (name.replace("_", "-").encode(), value.encode())
            for name, value in headers.items()
            if value is not None
        ],
    }


@pytest.mark.parametrize(
    ("method", "path", "length", "status"),
    [
        ("GET", "/", None, 200),
        ("POST", "/gradio_api/reset", "100", 200),
        ("POST", "/gradio_api/reset", "1000000", 413),
        ("POST", "/gradio_api/reset", None, 411),
        ("POST", "/gradio_api/reset", "-1", 411),
        ("POST", "/gradio_api/upload", "100", 404),
        ("POST", "/gradio_api/run/predict", "100", 404),
        ("PUT", "/", "100", 405),
        ("GET", "/gradio_api/file=/tmp/gradio/a.png", None, 200),
        ("GET", "/gradio_api/file=http://example.com/a.png", None, 404),
        ("GET", "/file=//example.com/a.png", None, 404),
        ("GET", "/gradio_api/proxy=http://example.com", None, 404),
        ("GET", "/monitoring", None, 404),
    ],
)
def test_what_reaches_the_server(method, path, length, status):
    assert passes(request(method, path, content_length=length)) == status


def test_a_body_without_a_length_of_its_own():
    path = "/gradio_api/reset"
    chunked = {"content_length": "2", "transfer_encoding": "chunked"}
    assert passes(request("POST", path, **chunked)) == 411
    # Whatever the server that reads requests believes.
    assert passes(request("POST", path, content_length="2"), b"x" * 70_000) == (
        413
    )


@pytest.mark.parametrize(
    ("host", "names", "others"),
    [
        (
            "127.0.0.1",
            ["localhost", "127.0.0.1:80", "127.1.2.3", "[::1]:7860"],
            ["example.com", "127.0.0.1.example.com", "192.168.0.7", "", "[::"],
        ),
        ("sagan.lan", ["sagan.lan:1", "SAGAN.lan"], ["sagan.lan.example.com"]),
        ("192.168.0.7", ["192.168.0.7"], ["192.168.0.8", "example.com"]),
        # A name may be made to point anywhere; an address may not.
        (
            "0.0.0.0",
            ["10.0.0.3:7860", socket.gethostname()],
            ["example.com", "a@10.0.0.3"],
        ),
    ],
)
def test_names_that_are_served(host, names, others):
    for name in names:
        assert passes(request(host=name), host=host) == 200, name
        origin = request(host=name, origin=f"http://{name}")
        assert passes(origin, host=host) == 200
    for name in others:
        assert passes(request(host=name), host=host) == 421, name
    assert passes(request(host=None), host=host) == 421
    for origin in ("http://example.com", "null"):
        assert passes(request(host=names[0], origin=origin), host=host) == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"no JSON", 400),
        (b"[" * 60_000, 400),
        (b"[]", 422),
        (b'{"fn_index": 0, "data": [], "session_hash": "a"}', 200),
        (b'{"fn_index": "0", "data": [], "session_hash": "a"}', 422),
        (b'{"fn_index": 0, "data": {}, "session_hash": "a"}', 422),
        (b'{"fn_index": 0, "data": []}', 422),
        (b'{"fn_index": 9, "data": [], "session_hash": "a"}', 422),
    ],
)
def test_bodies_that_reach_the_server(body, status):
    ask = request("POST", "/queue/join", content_length=str(len(body)))
    assert passes(ask, body, sends=lambda x: x["fn_index"] == 0) == status


def test_an_error_of_the_application_is_one_line(capsys):
    async def app(scope, receive, send):
        raise KeyError("nothing\nhere")

    statuses = []

    async def send(message):
        statuses.append(message.get("status"))

    asyncio.run(RequestLimits(app)(request(), None, send))
    assert statuses[0] == 500
    assert capsys.readouterr().out.count("\n") == 1
