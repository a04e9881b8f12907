"""The page in a real browser, and under requests that no browser sends."""

import io
import json
import os
import re
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

import keras_sagan
from keras_sagan import app
from keras_sagan import visualization
from keras_sagan.layers import spectral_normalization

pytestmark = pytest.mark.no_backend
CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
NAMES = ["cat", "dog", "owl"]
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync
    --window-size=1280,1400"""


@pytest.fixture(scope="module")
def model():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(  # As in `any_singular_vector`.
            spectral_normalization,
            "leading_singular_vector",
            lambda matrix: np.ones(matrix.shape[1]),
        )
        sizes = {"base_channels": 4, "attention_resolutions": (8, 16)}
        return keras_sagan.SAGAN(
            keras_sagan.models.build_generator(32, 3, latent_dim=8, **sizes),
            keras_sagan.models.build_discriminator(32, 3, **sizes),
        )


@pytest.fixture(scope="module")
def served(model):
    served = app.serve(model, NAMES, port=None, block=False)
    yield served
    served.close(verbose=False)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not (os.path.exists(CHROMIUM) and os.path.exists(DRIVER)):
        pytest.skip(f"no {CHROMIUM} and {DRIVER}: see .ci/run")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS.split():
        options.add_argument(flag)
    folder = tmp_path_factory.mktemp("profile")
    options.add_argument(f"--user-data-dir={folder}")
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield browser
    browser.quit()


def find(browser, selector, count=1):
    """Waits for so many elements that are shown, and returns them."""

    def found(browser):
        elements = browser.find_elements(By.CSS_SELECTOR, selector)
        return len(elements) == count and elements

    return WebDriverWait(browser, 20, 0.05).until(found)


def enter(browser, selector, value):
    (field,) = find(browser, selector)
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(str(value), Keys.TAB)


def pick(browser, selector, name):
    (field,) = find(browser, f"{selector} input")
    field.click()
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(name, Keys.ENTER, Keys.ESCAPE)


def click(browser, selector):
    find(browser, selector)[0].click()


def picture(element):
    with urllib.request.urlopen(element.get_attribute("src")) as file:
        return np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB"))


def open_page(browser, served):
    browser.get(served.local_url)
    find(browser, "#go")
    time.sleep(1)  # Gradio's own code comes after its first elements.


def test_every_control(browser, served, model):
    open_page(browser, served)
    pick(browser, "#classes", "owl")
    pick(browser, "#classes", "cat")
    enter(browser, "#count input[type=number]", 3)
    enter(browser, "#seed input", 5)
    enter(browser, "#truncation input[type=number]", 0.5)
    click(browser, "#go")
    shown = find(browser, "#gallery img", 3)
    images = model.generate([2, 0, 2], seed=5, truncation=0.5)
    assert np.array_equal([picture(x) for x in shown], images)
    assert "labels=[2, 0, 2]" in find(browser, "#code")[0].text

    shown[1].click()
    enlarged = images[1].repeat(12, axis=0).repeat(12, axis=1)
    WebDriverWait(browser, 20).until(
        lambda browser: np.array_equal(
            picture(find(browser, "#image img")[0]), enlarged
        )
    )
    find(browser, "#layer input", 2)[1].click()
    (shown,) = find(browser, "#image img")
    # From its middle, to the middle of pixel (24, 8).
    width, height = shown.size["width"], shown.size["height"]
    assert width == height
    ActionChains(browser).move_to_element_with_offset(
        shown, round(8.5 / 32 * width), round(-7.5 / 32 * height)
    ).click().perform()
    maps = visualization.attention_maps(
        model,
        labels=[0],
        latents=model.draw_inputs([2, 0, 2], seed=5, truncation=0.5)[0][1:2],
        layer="attention_16",
        queries=[(24, 8)],
    )
    expected = visualization.attention_figure(
        maps, panel=256, class_names=NAMES
    )
    assert np.array_equal(picture(find(browser, "#looks img")[0]), expected)

    (tab,) = (
        x
        for x in browser.find_elements(By.CSS_SELECTOR, "button[role=tab]")
        if x.text == "Walk"
    )
    tab.click()
    pick(browser, "#walk_class", "dog")
    enter(browser, "#start input", 3)
    enter(browser, "#end input", 4)
    enter(browser, "#frames input[type=number]", 5)
    enter(browser, "#walk_truncation input[type=number]", 1)
    click(browser, "#go_walk")
    (video,) = find(browser, "#walk img")
    with urllib.request.urlopen(video.get_attribute("src")) as file:
        video = Image.open(io.BytesIO(file.read()))
    assert video.n_frames == 8
    first = model.generate([1], seed=3, truncation=1)[0]
    first = first.repeat(8, axis=0).repeat(8, axis=1)
    shown = np.asarray(video.convert("RGB"))
    assert np.abs(shown.astype(int) - first).mean() < 8  # 256 colours.
    check_logs(browser)


def test_first_image_comes_soon(browser, served):
    seconds = []
    for seed in range(3):  # The best: other tests run beside this one.
        open_page(browser, served)
        enter(browser, "#seed input", seed)
        start = time.perf_counter()
        click(browser, "#go")
        find(browser, "#gallery img", 8)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 2, seconds
    check_logs(browser)


def test_a_mistake_is_said(browser, served):
    open_page(browser, served)
    enter(browser, "#seed input", -5)
    click(browser, "#go")
    WebDriverWait(browser, 20).until(
        lambda browser: (
            "Seed: must be a whole number from 0"
            in find(browser, ".toast-body.error")[0].text
        )
    )


def check_logs(browser):
    """No error in the console, no request to another host."""
    errors = [x for x in browser.get_log("browser") if x["level"] == "SEVERE"]
    assert not errors
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            assert re.match(r"http://127\.0\.0\.1:|data:|chrome", url), url


def post(served, content, path="gradio_api/queue/join"):
    """Returns the status of a request, and the body of the answer."""
    request = urllib.request.Request(
        served.local_url + path,
        content,
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (ConnectionError, urllib.error.URLError) as error:
        # What is too large is refused, and cut off, before it was all sent.
        reason = getattr(error, "reason", error)
        assert len(content) > 2**16 and isinstance(reason, ConnectionError)
        return 413, b""


def ask(served, name, data):
    """Asks by the queue, and returns the last message that comes of it."""
    content = {"data": data, "fn_index": 0, "session_hash": name}
    status, _ = post(served, json.dumps(content).encode())
    assert status == 200
    url = f"{served.local_url}gradio_api/queue/data?session_hash={name}"
    with urllib.request.urlopen(url, timeout=20) as stream:
        for line in stream:
            if line.startswith(b"data:"):
                message = json.loads(line[5:])
                if message["msg"] == "process_completed":
                    return message
    raise AssertionError("no answer")


def test_answers_on_after_200_requests_some_malformed(served):
    good = [["cat"], 1, 0, 0]
    bad_data = [[["emu"], 1, 0, 0], [["cat"], 10**9, 0, 0], [None, "x", {}, []]]
    bad_requests = [
        b"no JSON",
        b"[]",
        json.dumps(
            {"data": good, "fn_index": 99, "session_hash": "x"}
        ).encode(),
        json.dumps({"data": "x" * 10**6}).encode(),
    ]
    statuses = []
    for i in range(200):
        if i % 4 == 0:
            message = ask(served, f"good{i}", good)
            assert message["success"]
        elif i % 4 == 1:
            message = ask(served, f"bad{i}", bad_data[i // 4 % 3])
            assert not message["success"]
        elif i % 4 == 2:
            status, _ = post(served, bad_requests[i // 4 % 4])
            statuses.append(status)
        else:
            assert post(served, b"x", "gradio_api/upload")[0] == 404
    assert set(statuses) <= {404, 413, 422, 500}
    assert 413 in statuses
    assert ask(served, "last", good)["success"]
