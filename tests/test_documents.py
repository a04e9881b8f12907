"""The Markdown files: their links, their length, and their commands."""

import importlib.util
import inspect
import pathlib
import re
import urllib.parse

import pytest

import keras_sagan
from keras_sagan.cli import VERBS

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted(
    path
    for folder in (".", "docs", "docs/guides", "docs/concepts", "benchmarks")
    for path in (ROOT / folder).glob("*.md")
)
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
_BLOCK = re.compile(r"```.*?```", re.DOTALL)


def anchors(path):
    """Returns the names by which the headings of a page are linked to."""
    text = _BLOCK.sub("", path.read_text())
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading).lower() for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.no_backend
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    for link in _LINK.findall(_BLOCK.sub("", page.read_text())):
        name, _, anchor = urllib.parse.unquote(link).partition("#")
        target = page.parent / name if name else page
        if target.parent.name == "api":
            continue  # Sphinx checks these.
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.no_backend
def test_are_short():
    for name, most in (("README.md", 180), ("BUILD.md", 150)):
        lines = (ROOT / name).read_text().splitlines()
        assert len(lines) <= most, (name, len(lines))


@pytest.mark.no_backend
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_name_commands_that_exist(page):
    if page.name == "CHANGELOG.md":
        pytest.skip("It tells what there was.")
    text = page.read_text()
    verbs = set(re.findall(r"keras-sagan ([a-z]+)", text))
    assert verbs <= set(VERBS), page.name
    targets = set(re.findall(r"`make ([a-z-]+)", text))
    known = set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    )
    assert targets <= known, page.name
    for name in re.findall(
        r"(?:examples|benchmarks|tests)/\w[\w/.]*\.py", text
    ):
        assert (ROOT / name).exists(), name


@pytest.mark.no_backend
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_name_what_is_public(page):
    """`keras_sagan.layers.SelfAttention2D` and the like."""
    if page.name == "CHANGELOG.md":
        pytest.skip("It tells what there was.")
    for name in re.findall(r"\bkeras_sagan((?:\.\w+)+)", page.read_text()):
        value = keras_sagan
        for part in name[1:].split("."):
            if part in ("py", "git"):
                break
            assert hasattr(value, part), f"{page.name}: keras_sagan{name}"
            value = getattr(value, part)


def script(path):
    """Returns a script of the repository as a module."""
    path = ROOT / path
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.no_backend
def test_reference_has_every_room():
    """Each public module of the package has a page in the API reference."""
    api = script("docs/api.py")
    public = {
        f"keras_sagan.{name}"
        for name in keras_sagan.__all__
        if inspect.ismodule(getattr(keras_sagan, name))
    }
    assert public <= set(api.ROOMS)
    names = {name for room in api.ROOMS for name, _ in api.public_names(room)}
    assert {"SAGAN", "SelfAttention2D", "HingeLoss", "from_folder"} <= names


@pytest.mark.no_backend
def test_ablation_shows_what_its_runs_gave():
    report = script("examples/ablation_report.py")
    results, resolution = report.read(ROOT / "docs" / "ablation_letters")
    assert {len(runs) for runs in results.values()} == {4}
    page = (ROOT / "docs" / "ablation.md").read_text()
    assert report.table(results) in page
    said = " ".join(page.split())
    for line in report.verdicts(results, resolution).splitlines():
        assert line in said
