"""Training keeps freed memory; importing the package changes nothing."""

import os
import subprocess
import sys

import keras
import pytest

from keras_sagan import backends
from keras_sagan.backends import memory
from tests.helpers import tiny_model

MMAP_MAX, TRIM_THRESHOLD, ARENA_MAX = -4, -1, -8
SETTINGS = [(MMAP_MAX, 0), (TRIM_THRESHOLD, -1)]


class CLibrary:
    def __init__(self):
        self.calls = []

    def mallopt(self, parameter, value):
        self.calls.append((parameter, value))
        return 1


@pytest.fixture
def c_library(monkeypatch):
    for name in [n for n in os.environ if n.startswith(("MALLOC_", "GLIBC_"))]:
        monkeypatch.delenv(name)
    library = CLibrary()
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(sys, "platform", "linux")
    memory.keep_freed_memory.cache_clear()
    yield library
    memory.keep_freed_memory.cache_clear()


def test_prepare_training_keeps_freed_memory_once(c_library):
    backends.prepare_training()
    on_jax = keras.backend.backend() == "jax"
    expected = SETTINGS + [(ARENA_MAX, 1)] * on_jax
    assert c_library.calls == expected
    backends.prepare_training()
    assert c_library.calls == expected


@pytest.mark.no_backend
def test_fit_prepares_training(c_library, any_singular_vector, digits_like):
    model = tiny_model()
    assert not c_library.calls
    model.fit(*digits_like, batch_size=32, verbose=0)
    assert c_library.calls == SETTINGS


@pytest.mark.no_backend
def test_one_arena(c_library):
    memory.keep_freed_memory(one_arena=True)
    assert c_library.calls == [*SETTINGS, (ARENA_MAX, 1)]


@pytest.mark.no_backend
def test_the_users_own_settings_stay(c_library, monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    memory.keep_freed_memory()
    assert not c_library.calls


@pytest.mark.no_backend
@pytest.mark.parametrize(
    ("platform", "library"), [("darwin", None), ("linux", object())]
)
def test_other_c_libraries_are_left_alone(
    platform, library, c_library, monkeypatch
):
    if library is not None:  # Such as musl: it has no `mallopt`.
        monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(sys, "platform", platform)
    memory.keep_freed_memory()
    assert not c_library.calls


def test_import_sets_nothing():
    code = """
import importlib, keras, pkgutil
from keras_sagan.backends import memory
import keras_sagan

for module in pkgutil.walk_packages(keras_sagan.__path__, "keras_sagan."):
    if not module.name.startswith("keras_sagan.backends."):
        importlib.import_module(module.name)
print(memory.keep_freed_memory.cache_info().misses)
keras_sagan.backends.prepare_training()
print(memory.keep_freed_memory.cache_info().misses)
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert run.stdout.split() == ["0", "1"], run.stderr
