"""Builds the wheel and the sdist, checks them, and tries the wheel.

    python tests/packages.py [--repository=https://github.com/OWNER/NAME]

writes both to dist/. The page of a package index shows the README, where links
into the checkout lead nowhere: they become links into the repository or, if it
is not given, mere text, and pictures are left out. The wheel is then installed
with one backend into a new environment, far from the checkout, and the
README's first examples and the help of every verb are run there.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile

ROOT = pathlib.Path(__file__).parents[1]
DIST = ROOT / "dist"
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|#)([^)]+)\)")
_BACKEND = "jax"


def with_absolute_links(text, repository):
    """Returns Markdown whose links do not need the checkout."""

    def link(match):
        mark, shown, path = match.groups()
        if repository is None:
            return "" if mark else shown
        kind = "raw" if mark else "blob"
        return f"{mark}[{shown}]({repository}/{kind}/main/{path})"

    return _LINK.sub(link, text)


def tracked_files():
    """Returns the paths that git tracks, relative to the checkout.

    In a copy without git: all but what is made here.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True
    )
    if listed.returncode == 0 and listed.stdout:
        return listed.stdout.decode().rstrip("\0").split("\0")
    made = (".git/", ".venv", "outputs/", "build/", "dist/")
    made += (".pytest_cache/", ".ruff_cache/")
    paths = (x.relative_to(ROOT) for x in ROOT.rglob("*") if x.is_file())
    return [
        path.as_posix()
        for path in paths
        if not path.as_posix().startswith(made)
        and path.suffix != ".pyc"
        and ".egg-info" not in path.as_posix()
    ]


def build(folder, repository):
    """Builds both from a copy of what is tracked; returns their paths."""
    copy = folder / "checkout"
    for name in tracked_files():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    readme = copy / "README.md"
    readme.write_text(with_absolute_links(readme.read_text(), repository))
    if repository:
        settings = copy / "setup.cfg"
        settings.write_text(
            settings.read_text().replace(
                "project_urls =\n",
                f"project_urls =\n    Source = {repository}\n"
                f"    Changelog = {repository}/blob/main/CHANGELOG.md\n",
            )
        )
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", DIST, copy)
    run(sys.executable, "-m", "twine", "check", "--strict", *DIST.iterdir())
    (wheel,), (sdist,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    return wheel, sdist


def check_sdist(sdist):
    """Exits unless the sdist holds all that git tracks."""
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    ours = {x for x in tracked_files() if x != ".gitignore"}
    ours = {x for x in ours if not x.startswith(".github/")}
    if missing := sorted(ours - held):
        sys.exit(f"{sdist.name} lacks {len(missing)} files: {missing[:5]}")
    print(f"{sdist.name} holds all {len(ours)} files")


def first_examples():
    """Returns the README's first two examples, with one epoch of training."""
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    code = "\n".join(blocks[:2])
    assert "epochs=70" in code
    return code.replace("epochs=70", "epochs=1").replace(
        "base_channels=16", "base_channels=2"
    )


def try_wheel(wheel, folder):
    """Runs what a new user would run, where only the wheel is installed."""
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    binaries = environment / ("Scripts" if sys.platform == "win32" else "bin")
    python = binaries / "python"
    run(python, "-m", "pip", "install", "-q", str(wheel), cwd=folder)
    # No backend yet: help works, and the error says what to install.
    program = binaries / "keras-sagan"
    verbs = re.findall(r"^    (\w+)\b", output(program, "--help"), re.MULTILINE)
    assert len(verbs) > 10, verbs
    for verb in verbs:
        assert output(program, verb, "--help").startswith("usage: keras-sagan")
    failed = subprocess.run(
        [python, "-c", "import keras_sagan"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    last = failed.stderr.splitlines()[-1]
    assert "pip install 'keras_sagan[tensorflow]'" in last, failed.stderr
    run(python, "-m", "pip", "install", "-q", f"{wheel}[{_BACKEND},data]")
    (folder / "example.py").write_text(first_examples())
    run(python, "example.py", cwd=folder, KERAS_BACKEND=_BACKEND)
    assert (folder / "model.keras").exists()
    assert (folder / "sagan.png").exists()
    # The second and third are in the wheel.
    for model in ("model.keras", "letters_32", "digits"):
        command = (program, "sample", model, f"--out={model}.png")
        run(*command, cwd=folder, KERAS_BACKEND=_BACKEND)
    web = [x for x in zipfile.ZipFile(wheel).namelist() if "/export/web/" in x]
    assert len(web) == len([*ROOT.glob("keras_sagan/export/web/*")]), web
    print(f"{wheel.name}: the README's examples and {len(verbs)} verbs work")


def run(*command, cwd=None, **variables):
    subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env={**os.environ, **variables},
        check=True,
    )


def output(*command):
    return subprocess.run(
        [*map(str, command)], capture_output=True, text=True, check=True
    ).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repository", help="Address of the repository.")
    repository = parser.parse_args().repository
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        wheel, sdist = build(folder, repository)
        check_sdist(sdist)
        try_wheel(wheel, folder)


if __name__ == "__main__":
    main()
