"""Who imports what, what the code may contain, and that examples run."""

import ast
import doctest
import importlib
import inspect
import pathlib
import pkgutil
import sys

import keras
import numpy as np
import pytest

import keras_sagan

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "keras_sagan"
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = [
    module.name
    for module in pkgutil.walk_packages([str(PACKAGE)], "keras_sagan.")
    if not module.name.startswith("keras_sagan.backends.")
]
# What each room (a package or module of keras_sagan) may import of the others,
# at its top or inside of functions. Each imports only rooms above it.
MAY_IMPORT = {
    "arguments": set(),
    "sizes": set(),
    "version": set(),
    "quiet": set(),
    "files": set(),
    "tensor_files": {"files"},
    "backends": set(),
    "distribution": {"backends", "version"},
    "layers": {"backends"},
    "losses": {"backends"},
    "models": {"backends", "distribution", "files", "layers", "losses"},
    "data": {"files"},
    "metrics": {"backends", "data", "distribution", "files", "tensor_files"},
    "visualization": {"data", "files", "metrics"},
    "callbacks": {"backends", "files", "metrics", "models", "visualization"},
    "training": {
        *("backends", "callbacks", "data", "distribution", "files", "models")
    },
    "convert": {"files", "layers", "models", "tensor_files"},
    "export": {"files", "layers", "models", "version"},
    "hub": {"files", "layers", "models", "version", "visualization"},
    "app": {"visualization"},
}
for _rooms in MAY_IMPORT.values():
    _rooms |= {"arguments", "sizes"}
MAY_IMPORT["arguments"] = set()
MAY_IMPORT["sizes"] = {"arguments"}
MAY_IMPORT["cli"] = set(MAY_IMPORT)
MAY_IMPORT["__main__"] = {"cli"}
EXCEPTIONS = {
    # `from_preset("hf://...")` and `save_to_preset` are methods of SAGAN.
    "models": {"hub.folders"},
    # Attention maps find their layers in a network by what they can do, and
    # call the network on labels in the form that it asks for.
    "visualization": {"layers.calls", "layers.nested"},
}
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
FRAMEWORKS = {"tensorflow", "jax", "torch"}
AT_TOP = {"absl", "keras", "keras_sagan", "numpy", *sys.stdlib_module_names}
# Names with an underscore that are used but not defined here.
UNDERSCORED = {
    "_actions": "argparse: no public way to a parser's options",
    "_exit": "os: documented",
    "_replace": "collections.namedtuple: documented",
    "_foreach_add_": "torch: one kernel for many tensors",
    "_foreach_copy_": "torch: the same",
    "_foreach_mul": "torch: the same",
    "_foreach_mul_": "torch: the same",
    "_foreach_norm": "torch: the same",
    "_fused_adam_": "torch: what `torch.optim.Adam(fused=True)` calls",
    "_forward_hooks": "torch: no public way to see whether there are hooks",
    "_forward_pre_hooks": "torch: the same",
    "_backward_hooks": "torch: the same",
    "_backward_pre_hooks": "torch: the same",
    "_version": "torch: how often a tensor was written to in place",
    "_get_variable_index": "keras: no public way to the moments of Adam",
    "_momentums": "keras: the same",
    "_velocities": "keras: the same",
    "_flatten_layers": "keras: no public way leads below `Model.layers`",
}


def nodes(path):
    return ast.walk(ast.parse(path.read_text()))


def imports(nodes):
    """Yields the dotted names that import statements bring in."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.no_backend
def test_rooms_import_only_rooms_above_them():
    rooms = list(MAY_IMPORT)
    assert set(rooms) == set(map(room, FILES)) - {"__init__"}
    for i, name in enumerate(rooms):
        assert MAY_IMPORT[name] <= set(rooms[:i]), name


@pytest.mark.no_backend
@pytest.mark.parametrize(
    "path", FILES, ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_imports_run_one_way(path):
    name = room(path)
    for module in imports(nodes(path)):
        inside = module.removeprefix("keras_sagan.")
        if name == "__init__" or inside == module:
            continue  # The public names; another library.
        if inside.partition(".")[0] in MAY_IMPORT[name] | {name}:
            continue
        # The command line uses public names, such as SAGAN.
        if name == "cli" and inside in keras_sagan.__all__:
            continue
        allowed = EXCEPTIONS.get(name, ())
        assert any(f"{inside}.".startswith(f"{x}.") for x in allowed), module


@pytest.mark.no_backend
def test_exceptions_are_still_needed():
    used = {name: set() for name in EXCEPTIONS}
    for path in FILES:
        used.get(room(path), set()).update(imports(nodes(path)))
    for name, modules in EXCEPTIONS.items():
        for module in modules:
            full = f"keras_sagan.{module}"
            assert any(x.startswith(full) for x in used[name]), full


@pytest.mark.no_backend
def test_only_light_packages_are_imported_at_the_top():
    for path in FILES:
        at_top = imports(ast.parse(path.read_text()).body)
        tops = {name.partition(".")[0] for name in at_top}
        if room(path) == "cli":
            assert not tops & {"keras", "numpy", "absl"}, path
        if room(path) != "backends":
            assert tops <= AT_TOP, path


@pytest.mark.no_backend
def test_private_names_of_keras_are_not_used():
    defined, used = set(), {}
    for path in FILES:
        for name in imports(nodes(path)):
            assert not name.startswith("keras.src"), path
        for node in nodes(path):
            if isinstance(node, _DEFINITIONS):
                defined.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                defined.add(node.id)
            elif isinstance(node, ast.Attribute):
                if isinstance(node.ctx, ast.Store):
                    defined.add(node.attr)
                elif node.attr == "src" or (
                    node.attr.startswith("_") and not node.attr.endswith("__")
                ):
                    used[node.attr] = path
    assert {name: used[name] for name in used if name not in defined} == {
        name: used.get(name) for name in UNDERSCORED
    }


@pytest.mark.no_backend
def test_files_are_short():
    lengths = {p: p.read_text().count("\n") for p in FILES}
    assert not {p: n for p, n in lengths.items() if n > 350}


@pytest.mark.no_backend
def test_layers_are_asked_what_they_are():
    """`isinstance` with a layer type of ours would leave out a user's own."""
    for path in FILES:
        if room(path) in ("export", "convert", "hub", "cli"):
            for node in nodes(path):
                if isinstance(node, ast.Call) and (
                    getattr(node.func, "id", None) == "isinstance"
                ):
                    names = {getattr(x, "id", "") for x in ast.walk(node)}
                    names |= {getattr(x, "attr", "") for x in ast.walk(node)}
                    found = names & set(keras_sagan.layers.__all__)
                    assert not found, (path, node.lineno)


@pytest.mark.no_backend
def test_names_no_backend_outside_backends():
    for path in FILES:
        if path.parent.name != "backends":
            tree = ast.parse(path.read_text())
            used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
            assert not used & {"tf", "jax", "torch"}, path


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


@pytest.mark.no_backend
def test_public_names_have_examples():
    public = [getattr(keras_sagan, name) for name in keras_sagan.__all__]
    lacking = set()
    for module in [keras_sagan, *filter(inspect.ismodule, public)]:
        for name in module.__all__:
            value = getattr(module, name)
            text = (inspect.getdoc(value) or "") if callable(value) else None
            if text is not None and not ("Example" in text and ">>>" in text):
                lacking.add(f"{value.__module__}.{name}")
    assert not lacking, (
        "These need an `Example:` with `>>>` lines in their docstrings: "
        f"{', '.join(sorted(lacking))}"
    )
