"""Values that make no sense, for every option and argument of every verb.

`pytest -m slow tests/fuzz` tries all of them, in one process.
"""

import pathlib
import time

import numpy as np
import pytest
from PIL import Image

from keras_sagan import app
from keras_sagan import cli
from keras_sagan import visualization
from keras_sagan.app import server
from tests.helpers import tiny_model

pytestmark = [
    pytest.mark.no_backend,
    pytest.mark.usefixtures("any_singular_vector"),
]
# What is wrong for most options, and right for some.
WORDS = ["", " ", "x", "-1", "0", "1.5", "nan", "inf", "1e999", "9" * 30]
WORDS += [",", "0,", "1,x", ":", "1:", "--", "None", "\x1b[31mred", "a\udcff"]
WORDS += ["/dev/null", "/proc/self/mem", ".", "..", "missing/x.png", "x.keras"]
WORDS += ["empty", "list.json", "hf://", "tfds:", "x" * 300, "a\nb", "*", "é"]
# Counts for which these are right, and take hours; and what opens a server.
LARGE = {"--num_images", "--steps", "--count", "--base_channels", "--scale"}


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """A right command for each verb: the verb, options, and arguments."""
    monkeypatch.chdir(tmp_path)
    # All of it but the page itself, which is served without an end.
    monkeypatch.setattr(
        app, "serve", lambda model, names, *at: server._check_port(*at)
    )
    tiny_model().save("model.keras")
    rng = np.random.default_rng(0)
    for i in range(24):
        path = pathlib.Path("images", "ab"[i % 2], f"{i}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(256, size=(16, 16, 3)).astype("uint8")
        Image.fromarray(pixels).save(path)
    for step in (10, 20):
        visualization.image_grid(
            rng.integers(256, size=(4, 8, 8, 3)).astype("uint8"),
            path=f"run/samples/step_{step:08d}.png",
        )
    log = '{"step": 1, "generator_loss": 1.0}\n{"step": 2, "generator_loss": 2}'
    pathlib.Path("run/log.jsonl").write_text(log)
    pathlib.Path("empty").mkdir()
    pathlib.Path("list.json").write_text("[1]")
    np.savez(
        "real.npz",
        x=rng.integers(256, size=(40, 16, 16, 3)).astype("uint8"),
        y=np.arange(40) % 3,
    )
    model = {"MODEL": "model.keras"}
    return {
        "attention": {
            **{"--classes": "0", "--seed": "0", "--points": "0.5:0.5"},
            **{"--out": "attention", **model},
        },
        "convert": {
            **{"--target": "studiogan", "--out": "x.pth", "PATH": "model.keras"}
        },
        "curves": {"--out": "curves.png", "LOG": "run"},
        "evaluate": {
            **{"--metrics": "density_coverage", "--num_images": "4"},
            **{"--protocol": "paper", "--cache": "cache", "--batch_size": "2"},
            **{"--seed": "0", "--out": "metrics.json"},
            **{**model, "REAL": "real.npz"},
        },
        "export": {"--out": "x.safetensors", **model},
        "info": {"--import": "json", **model},
        "prepare": {
            "--out": "prepared",
            "--resolution": "16",
            "IMAGES": "images",
        },
        "sample": {
            **{"--out": "s.png", "--classes": "0", "--seed": "0"},
            **{"--count": "2", "--truncation": "1", "--scale": "1", **model},
        },
        "serve": {"--port": "0", "--host": "127.0.0.1", **model},
        "train": {
            **{"--out": "trained", "--resolution": "16"},
            **{"--base_channels": "1", "--steps": "1", "--sample_every": "1"},
            **{"--seed": "0", "--precision": "float32", "IMAGES": "images"},
        },
        "video": {"--out": "v.gif", "--rate": "5", "FOLDER": "run/samples"},
        "walk": {
            **{"--out": "w.gif", "--seed": "0,1", "--steps": "1"},
            **{"--count": "1", **model},
        },
    }


def written(options):
    """Returns options and arguments as they are typed."""
    return [
        f"{name}={value}" if name.startswith("--") else value
        for name, value in options.items()
    ]


@pytest.mark.slow
def test_bad_commands_end_with_one_line(commands, capsys):
    complaints, tried, refused, slowest = [], 0, 0, 0
    for verb, name, word in all_words(commands):
        arguments = [verb, *written({**commands[verb], name: word})]
        begin = time.perf_counter()
        try:
            status = cli.main(arguments)
        except Exception as error:
            complaints.append((arguments, repr(error)[:300]))
            continue
        seconds = time.perf_counter() - begin
        slowest = max(slowest, seconds)
        tried, refused = tried + 1, refused + bool(status)
        errors = capsys.readouterr().err.rstrip("\n").splitlines()
        wrong = complaint(verb, status, errors, seconds)
        if wrong:
            complaints.append((arguments, wrong))
    print(f"\n{tried} commands, {refused} refused, slowest {slowest:.1f} s")
    assert not complaints, "\n".join(map(str, complaints))
    assert tried > 1500
    assert refused > 1000


def all_words(commands):
    for verb, options in commands.items():
        for name in options:
            for word in WORDS:
                if name in LARGE and word in ("9" * 30, "1e999"):
                    continue
                if verb == "train" and name == "IMAGES" and word in (".", ".."):
                    continue  # There are images, which is much work.
                yield verb, name, word


def complaint(verb, status, errors, seconds):
    """Returns what is wrong with how a command ended, or None."""
    if status not in (0, 1, 2):
        return f"status {status}"
    if any("Traceback" in line for line in errors):
        return "a traceback"
    if status and not errors[-1].startswith(f"keras-sagan {verb}: "):
        return f"no line of ours: {errors[-1]}"
    if status and not errors[-1].isprintable():
        return f"what a terminal obeys: {errors[-1]!r}"
    if seconds > 10:
        return f"{seconds:.1f} s"
    return None
