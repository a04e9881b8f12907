"""Finding the one file, and refusing any other."""

import hashlib
import io
import urllib.error

import numpy as np
import pytest
from safetensors.numpy import save_file

from keras_sagan.metrics import inception_tensors
from keras_sagan.metrics import inception_weights

pytestmark = pytest.mark.no_backend
NAME = inception_weights._NAMES[0]


@pytest.fixture(autouse=True)
def no_weights_here(tmp_path, monkeypatch):
    """An empty cache, and no network."""
    for name in ("KERAS_HOME", "TORCH_HOME", inception_weights.VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def unreachable(url, timeout):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)


@pytest.fixture
def canonical(tmp_path, monkeypatch):
    """A file that stands for the canonical one: its size and hash are told."""
    file = tmp_path / "given.pth"
    tensors = {"fc.bias": np.arange(4, dtype="float32")}
    save_file(tensors, file)
    monkeypatch.setattr(inception_weights, "SIZE", file.stat().st_size)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(inception_weights, "SHA256", digest)
    return file


def test_it_is_the_published_file():
    assert inception_weights.SHA256.startswith("6726825d")
    assert all("6726825d.pth" in url for url in inception_weights.URLS)


def test_no_file_anywhere_is_an_error_that_says_what_to_do():
    with pytest.raises(OSError, match="set KERAS_SAGAN_INCEPTION") as error:
        inception_tensors()
    for url in inception_weights.URLS:
        assert url in str(error.value)


@pytest.mark.parametrize("how", ["path", "variable", "hub"])
def test_another_file_is_refused(how, tmp_path, monkeypatch):
    file = tmp_path / "cache" / "torch" / "hub" / "checkpoints" / NAME
    file.parent.mkdir(parents=True)
    file.write_bytes(b"other weights")
    path = file if how == "path" else None
    if how == "variable":
        monkeypatch.setenv(inception_weights.VARIABLE, str(file))
    with pytest.raises(ValueError, match="the distance is not FID") as error:
        inception_tensors(path)
    assert "13 bytes" in str(error.value)


def test_an_altered_file_of_the_right_size_is_refused(canonical):
    content = bytearray(canonical.read_bytes())
    content[-1] ^= 1
    canonical.write_bytes(content)
    with pytest.raises(ValueError, match="the distance is not FID"):
        inception_tensors(canonical)


@pytest.mark.parametrize("how", ["path", "variable"])
def test_a_missing_file_is_an_error(how, tmp_path, monkeypatch):
    path = tmp_path / "none.pth" if how == "path" else None
    monkeypatch.setenv(inception_weights.VARIABLE, str(tmp_path / "none.pth"))
    with pytest.raises(FileNotFoundError, match="where there is none"):
        inception_tensors(path)


def test_it_is_converted_once_and_then_found(canonical, monkeypatch):
    monkeypatch.setenv(inception_weights.VARIABLE, str(canonical))
    first = inception_tensors()
    monkeypatch.delenv(inception_weights.VARIABLE)
    canonical.unlink()
    again = inception_tensors()
    assert first.keys() == again.keys() == {"fc.bias"}
    assert np.array_equal(first["fc.bias"], again["fc.bias"])
    (converted,) = inception_weights.cache_folder().glob("*.npz")
    content = bytearray(converted.read_bytes())
    content[len(content) // 2] ^= 1
    converted.write_bytes(content)
    with pytest.raises(ValueError, match="altered or not written whole"):
        inception_tensors()


@pytest.mark.parametrize("name", inception_weights._NAMES)
def test_it_is_found_in_torch_hubs_cache(name, canonical, tmp_path):
    folder = tmp_path / "cache" / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    canonical.rename(folder / name)
    assert "fc.bias" in inception_tensors()


def test_it_is_downloaded_checked_and_not_kept_if_wrong(canonical, monkeypatch):
    content = canonical.read_bytes()
    asked = []

    def answer(url, timeout):
        asked.append(url)
        return io.BytesIO(b"an error page" if len(asked) == 1 else content)

    monkeypatch.setattr("urllib.request.urlopen", answer)
    assert "fc.bias" in inception_tensors()
    assert asked == list(inception_weights.URLS)
    names = {p.suffix for p in inception_weights.cache_folder().iterdir()}
    assert names == {".npz", ".sha256"}
