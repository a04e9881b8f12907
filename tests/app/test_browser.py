"""The page in a real browser, and under requests that no browser sends."""

import concurrent.futures
import io
import json
import os
import pathlib
import re
import socket
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


def open_browser(folder, *more):
    """Returns a browser with a profile in a folder, and with more flags."""
    if not (os.path.exists(CHROMIUM) and os.path.exists(DRIVER)):
        pytest.skip(f"no {CHROMIUM} and {DRIVER}: see .ci/run")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS.split(), *more):
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={folder}")
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    return webdriver.Chrome(options, webdriver.ChromeService(DRIVER))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = open_browser(tmp_path_factory.mktemp("profile"))
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
    find(browser, "#gallery img", 8)  # It generates at once.
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
        enter(browser, "#seed input", seed + 5)
        start = time.perf_counter()
        click(browser, "#go")
        WebDriverWait(browser, 20, 0.05).until(
            lambda browser, text=f"seed={seed + 5}": (
                text in find(browser, "#code")[0].text
            )
        )
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


def chunks(served):
    """Sends a body in chunks beside a length, and returns the answer."""
    with socket.create_connection(("127.0.0.1", served.server_port)) as line:
        line.sendall(
            b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        line.settimeout(20)
        try:
            for _ in range(100):
                line.sendall(b"10000\r\n" + b"x" * 2**16 + b"\r\n")
        except ConnectionError:
            pass
        return line.recv(100)


def resident():
    """Returns the memory that this process holds, in MB."""
    text = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmRSS:\s*(\d+)", text)[1]) / 1024


GOOD = [["cat"], 1, 0, 0]
BAD = [
    [["emu"], 1, 0, 0],
    [["cat"], 10**9, 0, 0],
    [None, "x", {}, []],
    [["cat"], 1, 10**400, float("nan")],
]


def malformed():
    yield b"no JSON"
    yield b"[]"
    yield b"[" * 60_000
    yield json.dumps({"data": "x" * 10**6}).encode()
    for index, data in ((99, GOOD), (1, GOOD[1:]), (2, ["x"]), (3, [0, 0, 0])):
        content = {"data": data, "fn_index": index, "session_hash": "x"}
        yield json.dumps(content).encode()


def test_answers_on_after_requests_of_every_kind(served, capfd):
    statuses = [post(served, content)[0] for content in malformed()]
    assert set(statuses) <= {400, 413, 422}
    for i, data in enumerate(BAD):
        message = ask(served, f"bad{i}", data)
        assert not message["success"]
        assert "must be" in str(message) or "there is no class" in str(message)
    assert post(served, b"x", "gradio_api/upload")[0] == 404
    assert b"411" in chunks(served).split(b"\r\n")[0]
    assert ask(served, "last", GOOD)["success"]
    captured = capfd.readouterr()
    assert "Traceback" not in captured.out + captured.err


@pytest.mark.slow
def test_2000_requests_leave_memory_as_it_is(served):
    def one(i):
        kind = i % 4
        if kind == 0:
            return ask(served, f"good{i}", GOOD)["success"]
        if kind == 1:
            return not ask(served, f"bad{i}", BAD[i // 4 % 4])["success"]
        if kind == 2:
            return post(served, list(malformed())[i // 4 % 8])[0] in (
                *(400, 413, 422),
            )
        if i % 8 == 3:
            return b"411" in chunks(served).split(b"\r\n")[0]
        request = urllib.request.Request(
            served.local_url + "config", headers={"Host": "example.com"}
        )
        try:
            urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            return error.code == 421
        return False

    assert all(one(i) for i in range(200))
    before = resident()
    assert all(one(i) for i in range(200, 1950))
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(one, range(1950, 2000)))
    assert all(answers)
    assert resident() - before < 100
