"""What `import keras_sagan` does: names, time, and what Keras can load."""

import ast
import os
import pathlib
import subprocess
import sys

import keras
import pytest

import keras_sagan
from keras_sagan import layers
from tests.helpers import packages_without
from tests.helpers import tiny_model

PACKAGE = pathlib.Path(keras_sagan.__file__).parent
ROOT = PACKAGE.parent


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


@pytest.mark.no_backend
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
    assert "KERAS_BACKEND to tensorflow or torch" in result.stderr
    assert "\nDuring handling" not in result.stderr


@pytest.mark.no_backend
def test_the_classes_of_saved_models_are_imported():
    modules = []
    for path in PACKAGE.rglob("*.py"):
        decorators = {
            getattr(getattr(x, "func", None), "attr", None)
            for node in ast.walk(ast.parse(path.read_text()))
            for x in getattr(node, "decorator_list", ())
        }
        if "register_keras_serializable" in decorators:
            place = path.relative_to(ROOT).with_suffix("")
            modules.append(".".join(place.parts))
    assert len(modules) > 10
    code = f"""
import sys, keras_sagan
print([x for x in {modules} if x not in sys.modules])
"""
    result = run(code)
    assert result.stdout.strip() == "[]", result.stderr


@pytest.mark.parametrize(
    "imports", ["import keras_sagan, keras", "import keras, keras_sagan"]
)
def test_a_fresh_process_loads_saved_models(
    imports, any_singular_vector, tmp_path
):
    tiny_model().save(tmp_path / "sagan.keras")
    plain = keras.Sequential(
        [keras.Input((8, 8, 8)), layers.SelfAttention2D(), layers.BatchNorm()]
    )
    plain.save(tmp_path / "plain.keras")
    code = f"""
{imports}
for name in ("sagan", "plain"):
    model = keras.saving.load_model(r"{tmp_path}/" + name + ".keras")
    print(type(model).__name__, model.count_params())
"""
    expected = [
        f"SAGAN {tiny_model().count_params()}",
        f"Sequential {plain.count_params()}",
    ]
    result = run(code)
    assert result.stdout.splitlines() == expected, result.stderr


@pytest.mark.no_backend
def test_editors_see_the_public_names():
    """The imports under TYPE_CHECKING are those that happen at run time."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    (block,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    )
    seen = {
        alias.name: node.module for node in block.body for alias in node.names
    }
    assert {*seen, "__version__"} == set(keras_sagan.__all__)
    for name, module in seen.items():
        value = getattr(keras_sagan, name)
        assert getattr(sys.modules[module], name) is value


def test_public_names_of_the_package():
    assert set(keras_sagan.__all__) <= set(dir(keras_sagan))
    namespace = {}
    exec("from keras_sagan import *", namespace)
    assert set(keras_sagan.__all__) <= set(namespace)
    with pytest.raises(AttributeError, match="no attribute 'SAGEN'"):
        _ = keras_sagan.SAGEN


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


@pytest.mark.no_backend
def test_is_found_beside_a_folder_of_its_name(tmp_path):
    """As it is in the folder that a checkout lies in."""
    (tmp_path / "keras_sagan").mkdir()
    code = "import keras_sagan; print(keras_sagan.__version__)"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert result.stdout.strip() == keras_sagan.__version__, result.stderr


@pytest.mark.no_backend
@pytest.mark.parametrize("start", [["-m", "keras_sagan"], ["keras-sagan"]])
def test_help_imports_no_framework(start):
    code = """
import runpy, sys
if sys.argv[1] == "-m":
    sys.argv = ["-m", "--help"]
    try:
        runpy.run_module("keras_sagan", run_name="__main__", alter_sys=True)
    except SystemExit:
        pass
else:
    sys.argv = ["keras-sagan", "train", "--help"]
    from keras_sagan import cli
    cli.main()
print({"keras", "numpy", "torch"} & set(sys.modules))
"""
    result = subprocess.run(
        [sys.executable, "-c", code, *start],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert result.stdout.endswith("set()\n"), result.stdout + result.stderr


@pytest.mark.no_backend
def test_quiet_drops_notes_alone():
    code = """
import os
from keras_sagan.quiet import quiet
with quiet():
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is\\n")
    os.write(2, b"I0000 00:00:1795.1 7 port.cc:153] oneDNN is on.\\n")
    os.write(2, b"E0000 00:00:1795.1 7 cuda.cc:15] Something failed.\\n")
    os.write(2, b"UserWarning: something is old\\n")
os.write(2, b"I am later\\n")
"""
    assert run(code).stderr.split("\n") == [
        "E0000 00:00:1795.1 7 cuda.cc:15] Something failed.",
        "UserWarning: something is old",
        "I am later",
        "",
    ]
