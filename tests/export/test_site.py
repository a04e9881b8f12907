"""The page of a generator, in a real browser from a static server."""

import functools
import http.server
import json
import threading
import urllib.error

import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

import keras_sagan
from keras_sagan import cli
from keras_sagan import export
from keras_sagan import visualization
from keras_sagan.export import site
from keras_sagan.layers import spectral_normalization
from tests.app.test_browser import open_browser
from tests.helpers import tiny_model
from tests.models.test_projection import with_variety

pytestmark = pytest.mark.no_backend
NAMES = ["cat", "dog & owl", "<b>fox"]
WEBGPU = "--enable-unsafe-webgpu --use-webgpu-adapter=swiftshader"


@pytest.fixture(scope="module")
def runtime():
    try:
        return site._cached()
    except OSError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def models():
    """By kind of images: RGB with classes, gray, and oblong RGBA without."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(  # As in `any_singular_vector`.
            spectral_normalization,
            "leading_singular_vector",
            lambda matrix: np.ones(matrix.shape[1]),
        )
        found = {}
        for kind, resolution, classes, channels in (
            ("rgb", 32, 3, 3),
            ("gray", 12, 3, 1),
            ("rgba", (12, 20), None, 4),
        ):
            sizes = {"base_channels": 4, "channels": channels}
            if kind == "rgb":
                sizes["attention_resolutions"] = (8, 16)
            build = keras_sagan.models
            found[kind] = with_variety(
                keras_sagan.SAGAN(
                    build.build_generator(
                        resolution, classes, latent_dim=8, **sizes
                    ),
                    build.build_discriminator(resolution, classes, **sizes),
                )
            )
        return found


@pytest.fixture(scope="module")
def sites(models, runtime, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sites")
    for kind, model in models.items():
        names = NAMES if model.num_classes else None
        export.to_site(model, folder / kind, class_names=names)
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=folder
    )
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = open_browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.quit()


def open_site(browser, address):
    browser.get(address)
    wait(browser, lambda: status(browser).startswith("Ready"))


def wait(browser, condition):
    WebDriverWait(browser, 60, 0.05).until(lambda _: condition())


def status(browser):
    return browser.find_element(By.ID, "status").text


def shown(browser, shape):
    """Returns the images that the page shows, uint8 `(N, H, W, channels)`."""
    height, width, channels = shape
    pixels = browser.execute_script(
        "return window.keras_sagan.state.images.map((x) => [...x.data])"
    )
    images = np.array(pixels, "uint8").reshape(-1, height, width, 4)
    return images if channels == 4 else images[..., :channels]


def shows(browser, expected):
    def condition():
        found = shown(browser, expected.shape[1:])
        if found.shape != expected.shape:
            return False
        difference = np.abs(found.astype(int) - expected.astype(int))
        if expected.shape[-1] == 4:  # Canvases keep no unseen colours.
            difference = difference[expected[..., 3] > 0]
        return difference.max() <= 1

    wait(browser, condition)


def click(browser, identity):
    browser.find_element(By.ID, identity).click()


def enter(browser, identity, value):
    field = browser.find_element(By.ID, identity)
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(str(value), Keys.TAB)


def test_every_control(browser, sites, models):
    model = models["rgb"]
    open_site(browser, f"{sites}/rgb/")
    labels = np.arange(8) % 3
    shows(browser, model.generate(labels, seed=0))
    click(browser, "next")
    click(browser, "next")
    click(browser, "previous")
    shows(browser, model.generate(labels, seed=1))
    enter(browser, "seed", 12345678901)
    shows(browser, model.generate(labels, seed=12345678901))
    chips = browser.find_elements(By.CSS_SELECTOR, "#chips button")
    assert [x.text for x in chips] == NAMES
    chips[1].click()
    shows(browser, model.generate([0, 2, 0, 2, 0, 2, 0, 2], seed=12345678901))
    enter(browser, "count", 3)
    enter(browser, "seed", 7)
    slider = browser.find_element(By.ID, "truncation")
    for _ in range(16):
        slider.send_keys(Keys.ARROW_LEFT)
    expected = model.generate([0, 2, 0], seed=7, truncation=0.5)
    shows(browser, expected)
    code = browser.find_element(By.ID, "python").text
    assert np.array_equal(eval(code, {"model": model}), expected)
    click(browser, "all")
    shows(browser, model.generate([0, 1, 2], seed=7, truncation=0.5))

    # Another image, and what two of its points attend to.
    buttons = browser.find_elements(By.CSS_SELECTOR, "#images button")
    buttons[2].click()
    assert browser.find_element(By.ID, "caption").text == NAMES[2]
    latents, _ = model.draw_inputs([0, 1, 2], seed=7, truncation=0.5)
    image = browser.find_element(By.ID, "image")
    layers = [x.name for x in visualization.attention_layers(model.generator)]
    for layer in layers:
        select = browser.find_element(By.ID, "layer")
        select.find_element(By.XPATH, f"option[.='{layer}']").click()
        side = image.size["width"]
        ActionChains(browser).move_to_element_with_offset(
            image, round(8.5 / 32 * side), round(-7.5 / 32 * side)
        ).click().perform()  # Pixel (24, 8).
        maps = visualization.attention_maps(
            model,
            labels=[0, 1, 2],
            latents=latents,
            layer=layer,
            queries=[(24, 8)],
        )
        found = browser.execute_script(
            """
            const { state } = window.keras_sagan;
            const layer = arguments[0], n = arguments[1];
            const data = state.scores[layer].data;
            const begin = n.at * n.keys;
            return [state.point, [...data.slice(begin, begin + n.keys)]];
            """,
            layer,
            {
                "rows": maps.scores.shape[1],
                "columns": maps.scores.shape[2],
                "keys": maps.maps[2, 0].size,
                "at": int(
                    maps.locations[2, 0, 0] * maps.scores.shape[2]
                    + maps.locations[2, 0, 1]
                ),
            },
        )
        assert found[0] == {"x": 24, "y": 8}
        # What is shown is of the third image.
        assert np.allclose(found[1], maps.maps[2, 0].ravel(), atol=1e-3)
    image.send_keys(Keys.ARROW_LEFT, Keys.ARROW_DOWN)
    point = browser.execute_script("return window.keras_sagan.state.point")
    assert point == {"x": 23, "y": 9}

    # A walk goes on to the next seeds until it is stopped.
    click(browser, "walk")
    seed = browser.find_element(By.ID, "seed")
    wait(browser, lambda: int(seed.get_attribute("value")) >= 8)
    click(browser, "walk")
    wait(browser, lambda: int(seed.get_attribute("value")) < 20)
    now = int(seed.get_attribute("value"))
    shows(browser, model.generate([0, 1, 2], seed=now, truncation=0.5))


@pytest.mark.parametrize("kind", ["gray", "rgba"])
def test_other_images(kind, browser, sites, models):
    model = models[kind]
    open_site(browser, f"{sites}/{kind}/")
    given = {"num_images": 8}
    if model.num_classes:
        given = {"labels": np.arange(8) % 3}
    shows(browser, model.generate(seed=0, **given))
    code = browser.find_element(By.ID, "python").text
    expected = model.generate(seed=0, **given)
    assert np.array_equal(eval(code, {"model": model}), expected)
    classes = browser.find_element(By.ID, "classes")
    assert classes.is_displayed() == bool(model.num_classes)


def test_nothing_else_is_loaded_and_nothing_fails(browser, sites):
    browser.get_log("performance")
    browser.get_log("browser")
    open_site(browser, f"{sites}/rgb/")
    events = [
        json.loads(entry["message"])["message"]
        for entry in browser.get_log("performance")
    ]
    urls = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert len(urls) >= 8
    assert all(url.startswith((sites, "data:", "blob:")) for url in urls)
    errors = [x for x in browser.get_log("browser") if x["level"] == "SEVERE"]
    assert not errors


def test_narrow_screens_need_no_sideways_scrolling(browser, sites):
    browser.set_window_size(400, 900)
    open_site(browser, f"{sites}/rgb/")
    widths = browser.execute_script(
        "const e = document.documentElement;"
        "return [e.scrollWidth, e.clientWidth]"
    )
    browser.set_window_size(1280, 1400)
    assert widths[0] <= widths[1]


@pytest.mark.slow
def test_webgpu(sites, models, tmp_path):
    """By SwiftShader, Chromium's GPU in software."""
    browser = open_browser(tmp_path, *WEBGPU.split())
    try:
        open_site(browser, f"{sites}/rgb/")
        if status(browser) == "Ready, on the CPU.":
            pytest.skip("This Chromium has no WebGPU in software")
        expected = models["rgb"].generate(np.arange(8) % 3, seed=0)
        shows(browser, expected)
    finally:
        browser.quit()


def test_the_command_line(models, runtime, tmp_path, capsys):
    models["gray"].save(tmp_path / "model.keras")
    given = ["export", str(tmp_path / "model.keras"), f"--out={tmp_path}/site"]
    options = ["--title=My own", "--no-webgpu", f"--runtime={runtime}"]
    assert cli.main([*given, *options]) == 0
    assert "python -m http.server" in capsys.readouterr().out
    about = json.loads((tmp_path / "site" / "site.json").read_text())
    assert about["title"] == "My own" and not about["webgpu"]
    assert about["class_names"] == ["0", "1", "2"]
    files = {x.name for x in (tmp_path / "site" / "runtime").iterdir()}
    assert "ort-wasm-simd-threaded.wasm" in files
    assert not any("webgpu" in x or "asyncify" in x for x in files)
    assert cli.main(given) == 1  # There is something already.
    assert "must be a new or empty folder" in capsys.readouterr().err
    for wrong in (
        ["--format=onnx"],
        ["--format=keras", "--out=x.onnx"],
        ["--out=x.onnx", "--title=y"],
        ["--dtype=float16"],
    ):
        assert cli.main([*given, *wrong]) == 2
        assert "argument --" in capsys.readouterr().err


def test_what_is_refused(models, tmp_path, monkeypatch):
    model = models["gray"]
    with pytest.raises(ValueError, match="must be 3 names"):
        export.to_site(model, tmp_path / "site", class_names=["a"])
    (tmp_path / "other.tgz").write_bytes(b"other")
    with pytest.raises(ValueError, match="`runtime` must be onnxruntime-web"):
        export.to_site(model, tmp_path / "site", runtime=tmp_path / "other.tgz")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))

    def no_network(*args, **kwargs):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    with pytest.raises(OSError, match="npm pack onnxruntime-web@"):
        export.to_site(model, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_float16_and_attention_in_an_onnx_file(any_singular_vector, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = with_variety(tiny_model(compiled=False))
    sizes = {}
    for dtype in ("float32", "float16"):
        path = tmp_path / f"{dtype}.onnx"
        export.to_onnx(model, path, dtype=dtype, attention=True)
        sizes[dtype] = path.stat().st_size
        session = onnxruntime.InferenceSession(path)
        latents, labels = model.draw_inputs([0, 2], seed=1)
        images, scores = session.run(
            None, {"latents": latents, "labels": labels.astype("int64")}
        )
        expected = model.generate(labels, latents=latents)
        assert np.abs((images + 1) * 127.5 - expected).max() <= 1.5
        maps = visualization.attention_maps(
            model, labels=labels, latents=latents
        )
        name = session.get_outputs()[1].name
        assert name == maps.layer
        flat = maps.scores.reshape(scores.shape)
        assert np.allclose(scores, flat, atol=1e-2)
    assert sizes["float16"] < sizes["float32"]
    with pytest.raises(ValueError, match="`dtype` must be one of"):
        export.to_onnx(model, tmp_path / "x.onnx", dtype="int8")
