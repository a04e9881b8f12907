"""Saved models that are damaged, or made to exhaust the machine."""

import json
import shutil
import time
import zipfile

import h5py
import numpy as np
import pytest

from keras_sagan import cli
from keras_sagan.layers import spectral_normalization
from keras_sagan.models import describe_file
from keras_sagan.models.loading import load_file
from keras_sagan.models.saved_file import read_step
from tests.helpers import tiny_model

pytestmark = pytest.mark.no_backend
WEIGHTS = "model.weights.h5"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "model.keras"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(  # As in `any_singular_vector`.
            spectral_normalization,
            "leading_singular_vector",
            lambda matrix: np.ones(matrix.shape[1]),
        )
        tiny_model(compiled=False).save(path)
    return path


def with_member(good, path, name, content, method=zipfile.ZIP_STORED):
    """Writes a copy of a file in which one member has another content."""
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w") as new:
        for member in old.namelist():
            if member != name:
                new.writestr(member, old.read(member))
        new.writestr(name, content, method)


def refused(path, *words):
    """All that reads the file refuses it, soon, in one line."""
    for read in (load_file, describe_file, read_step):
        begin = time.perf_counter()
        with pytest.raises(
            ValueError, match=r"model\.keras, which raised"
        ) as error:
            read(path)
        assert time.perf_counter() - begin < 10
        assert len(str(error.value)) < 800
        assert all(word in str(error.value) for word in words)


def test_a_good_one_is_read(good):
    assert load_file(good).num_classes == 3
    assert describe_file(good)["steps_trained"] == read_step(good) == 0


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_flipped_bit(share, good, tmp_path, capsys):
    path = tmp_path / "model.keras"
    content = bytearray(good.read_bytes())
    content[int(share * len(content))] ^= 1
    path.write_bytes(content)
    refused(path)
    for verb in ("info", "sample", "walk", "attention"):
        assert cli.main([verb, str(path)]) == 1
    out, err = capsys.readouterr()
    assert err.count("\n") == 4 and "Traceback" not in err and not out


def test_half_a_file(good, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(good.read_bytes()[:-2000])
    refused(path)


@pytest.mark.parametrize("name", ["config.json", "metadata.json", WEIGHTS])
def test_a_bomb(name, good, tmp_path):
    """A hundred kilobytes that would become a hundred megabytes."""
    path = tmp_path / "model.keras"
    bomb = b" " * 100_000_000
    with_member(good, path, name, bomb, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2_000_000
    refused(path, "bytes of memory")


def test_arrays_that_the_file_does_not_hold(good, tmp_path):
    path, weights = tmp_path / "model.keras", tmp_path / "weights.h5"
    with zipfile.ZipFile(good) as archive:
        weights.write_bytes(archive.read(WEIGHTS))
    with h5py.File(weights, "a") as h5:
        del h5["vars"]["steps_trained"]
        h5["vars"].create_dataset(
            "steps_trained", (2**31,), "int8", chunks=True
        )
    with_member(good, path, WEIGHTS, weights.read_bytes())
    with pytest.raises(ValueError, match="arrays of 2,"):
        load_file(path)
    for read in (describe_file, read_step):
        with pytest.raises(ValueError, match=r"model\.keras, which raised"):
            read(path)


@pytest.mark.parametrize(
    "config",
    [b"[" * 100_000, b"[]", b"null", json.dumps({"class_name": 1}).encode()],
)
def test_a_config_of_something_else(config, good, tmp_path):
    path = tmp_path / "model.keras"
    with_member(good, path, "config.json", config)
    for read in (load_file, describe_file):
        with pytest.raises(ValueError, match=r"model\.keras, which raised"):
            read(path)


def test_what_the_system_says_is_not_damage(good, tmp_path):
    for read in (load_file, describe_file, read_step):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "none.keras")
    shutil.copytree(good.parent, tmp_path / "folder.keras")
    with pytest.raises(IsADirectoryError):
        load_file(tmp_path / "folder.keras")
