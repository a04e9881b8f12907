import os
import sys

import pytest

from keras_sagan.backends import memory


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
    return library


def test_freed_memory_is_kept(c_library):
    memory.keep_freed_memory()
    # No array is mapped on its own, and the heap is not trimmed.
    assert c_library.calls == [(-4, 0), (-1, -1)]
    memory.keep_freed_memory(one_arena=True)
    assert c_library.calls[-1] == (-8, 1)


def test_what_the_user_set_stays(c_library, monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    memory.keep_freed_memory()
    assert not c_library.calls


def test_other_systems_are_left_alone(c_library, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    memory.keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    memory.keep_freed_memory()  # musl has no mallopt
    assert not c_library.calls
