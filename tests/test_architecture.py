"""Who imports what, how long that takes, and that examples run."""

import ast
import doctest
import importlib
import os
import pathlib
import pkgutil
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_sagan
from tests.helpers import packages_without

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "keras_sagan"
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = [
    module.name
    for module in pkgutil.walk_packages([str(PACKAGE)], "keras_sagan.")
    if not module.name.startswith("keras_sagan.backends.")
]
# The packages of the project that each may import.
MAY_IMPORT = {
    "backends": set(),
    "layers": {"backends"},
    "losses": {"backends"},
    "models": {
        "backends",
        "files",
        "layers",
        "losses",
        "hub",
    },
    "data": {"files"},
    "visualization": {"backends", "files", "layers", "metrics"},
    "metrics": {"backends", "data", "files", "tensor_files"},
    "callbacks": {"backends", "files", "metrics", "visualization"},
    "training": {"backends", "callbacks", "data", "files", "models"},
    "hub": {"files", "layers", "models", "version", "visualization"},
    "distribution": {"backends"},
    "convert": {"files", "layers", "models", "tensor_files"},
    "export": {"files", "layers", "models", "version"},
    "files": set(),
    "tensor_files": set(),
}
FRAMEWORKS = {"tensorflow", "jax", "torch"}
AT_TOP = {"absl", "keras", "keras_sagan", "numpy", *sys.stdlib_module_names}


def imports(path):
    """The modules that a file imports: of those at its top, and of all."""
    tree = ast.parse(path.read_text())

    def names(nodes):
        for node in nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module
                yield from (f"{node.module}.{a.name}" for a in node.names)

    return set(names(tree.body)), set(names(ast.walk(tree)))


@pytest.mark.no_backend
@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.name))
def test_imports_run_one_way(path):
    at_top, anywhere = imports(path)
    place = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert not any(name.startswith("keras.src") for name in anywhere)
    tops = {name.split(".")[0] for name in at_top}
    if path.parent.name != "backends":
        assert not tops & FRAMEWORKS
        assert tops <= AT_TOP
    if place in MAY_IMPORT:
        ours = {
            n.split(".")[1]
            for n in anywhere
            if n.startswith("keras_s") and "." in n
        }
        assert ours <= MAY_IMPORT[place] | {place}


@pytest.mark.no_backend
def test_names_no_backend_outside_backends():
    for path in FILES:
        if path.parent.name != "backends":
            tree = ast.parse(path.read_text())
            used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
            assert not used & {"tf", "jax", "torch"}, path


def run(code, *options, **env):
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


def test_import_adds_no_backend_and_little_time():
    code = """
import sys, time
start = time.perf_counter()
import keras
before, middle = set(sys.modules), time.perf_counter()
import keras_sagan
print((time.perf_counter() - middle) / (middle - start))
print([m for m in ("tensorflow", "jax", "torch", "PIL", "sklearn", "gradio",
                   "matplotlib", "onnx") if m in set(sys.modules) - before])
"""
    lines = run(code).stdout.split("\n")
    assert lines[1] == "[]"
    assert float(lines[0]) < 0.25  # Of the time of `import keras`.


def test_refuses_another_backend():
    result = run("import keras_sagan", KERAS_BACKEND="numpy")
    assert result.returncode
    assert "'tensorflow', 'jax' and 'torch'" in result.stderr
    assert "Received: KERAS_BACKEND=numpy" in result.stderr


@pytest.mark.no_backend
def test_says_what_to_do_without_the_backend(tmp_path):
    packages = packages_without(tmp_path, "jax")
    result = run(
        "import keras_sagan",
        "-S",
        KERAS_BACKEND="jax",
        PYTHONPATH=f"{packages}:{ROOT}",
    )
    assert result.returncode
    assert "ImportError: Keras' backend is jax" in result.stderr
    assert "one that is (['tensorflow', 'torch'])" in result.stderr
    assert "\nDuring handling" not in result.stderr


def doctests(name):
    """Those of networks on every backend, the others once."""
    of_networks = name.split(".")[1] in ("layers", "losses", "models")
    return pytest.param(
        name, marks=() if of_networks else pytest.mark.no_backend
    )


@pytest.mark.parametrize("name", map(doctests, MODULES))
def test_examples_in_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"keras": keras, "keras_sagan": keras_sagan, "np": np}
    results = doctest.testmod(importlib.import_module(name), extraglobs=names)
    assert not results.failed


def test_public_names_are_there():
    for module in (
        keras_sagan,
        keras_sagan.layers,
        keras_sagan.models,
        keras_sagan.callbacks,
        keras_sagan.data,
        keras_sagan.distribution,
        keras_sagan.export,
        keras_sagan.metrics,
        keras_sagan.visualization,
    ):
        for name in module.__all__:
            public = getattr(module, name)
            if callable(public):
                assert public.__doc__, name
