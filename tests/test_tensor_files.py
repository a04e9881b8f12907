"""Files of weights: every format, and what must not be read."""

import contextlib
import io
import os
import pickle
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

from keras_sagan.tensor_files import read_tensors
from tests.convert.test_sources import write_checkpoint

torch = pytest.importorskip("torch")


@pytest.fixture
def tensors(rng):
    return {
        "a.weight": rng.normal(size=(3, 4)).astype("float32"),
        "b.bias": rng.normal(size=5),
        "gamma": np.float32(0.25),
    }


def as_torch(tensors):
    return {name: torch.tensor(x) for name, x in tensors.items()}


def assert_equal(found, expected):
    assert set(found) == set(expected)
    for name, x in expected.items():
        np.testing.assert_array_equal(found[name], x)
        assert found[name].shape == x.shape


@pytest.mark.parametrize("zipped", [True, False])
def test_reads_both_formats_of_pytorch(tensors, tmp_path, zipped):
    path = tmp_path / "x.pth"
    content = {
        "state_dict": as_torch(tensors),
        "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}},
        "epoch": 3,
        "best_fid": np.float64(12.5),
        "note": "text",
    }
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    found = read_tensors(path)
    del found["optimizer.state.0.step"]
    assert_equal(found, {f"state_dict.{k}": x for k, x in tensors.items()})


@pytest.mark.parametrize("zipped", [True, False])
def test_reads_views_and_other_types(tmp_path, zipped):
    base = torch.arange(24.0).reshape(4, 6)
    content = {
        "transposed": base.t(),
        "part": base[1:3, 2:5],
        "half": base.half(),
        "bfloat16": base.bfloat16(),
        "parameter": torch.nn.Parameter(base),
        "integers": torch.arange(3),
        "empty": torch.zeros(0, 3),
    }
    path = tmp_path / "x.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    del content["integers"]
    assert_equal(
        read_tensors(path),
        {k: x.detach().float().numpy() for k, x in content.items()},
    )


def test_reads_npz_safetensors_and_tensorflow(tensors, tmp_path):
    from safetensors.numpy import save_file

    np.savez(tmp_path / "x.npz", **tensors)
    assert_equal(read_tensors(tmp_path / "x.npz"), tensors)
    arrays = {k: np.asarray(x) for k, x in tensors.items()}
    save_file(arrays, tmp_path / "x.safetensors")
    assert_equal(read_tensors(tmp_path / "x.safetensors"), tensors)
    prefix = tmp_path / "model.ckpt-7"
    write_checkpoint(prefix, tensors)
    single = {k: np.float32(x) for k, x in tensors.items()}
    assert_equal(read_tensors(prefix), single)


class Hostile:
    """Unpickled by PyTorch or pickle, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
def test_runs_nothing_of_a_hostile_file(tensors, tmp_path, zipped):
    made = tmp_path / "made"
    path = tmp_path / "x.pth"
    content = {**as_torch(tensors), "surprise": Hostile(made)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r"only tensors.*mkdir"):
        read_tensors(path)
    assert not made.exists()
    torch.load(path, weights_only=False)  # It would have been made.
    assert made.exists()


@pytest.mark.parametrize(
    "name",
    [
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("torch", "load"),
        ("torch.serialization", "load"),
        ("numpy", "load"),
        ("keras_sagan.convert.checkpoints", "read_tensors"),
        ("os", "system"),
        ("torch._utils", "_rebuild_wrapper_subclass"),
    ],
)
def test_refuses_every_other_name(name, tmp_path):
    module, function = name
    program = f"c{module}\n{function}\n(V1\ntR.".encode()
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", program)
    with pytest.raises(ValueError, match="no code in it was run"):
        read_tensors(path)


def test_a_tensor_stays_within_its_storage(tmp_path):
    """A pickle may ask for any size, stride and offset."""
    path = tmp_path / "x.pth"
    torch.save({"x": torch.arange(4.0)}, path)
    with zipfile.ZipFile(path) as archive:
        files = {n: archive.read(n) for n in archive.namelist()}
    name = next(n for n in files if n.endswith("data.pkl"))
    program = files[name]
    assert program.count(b"K\x04\x85") == 1  # The shape, (4,).
    for shape in (b"K\x05\x85", b"J\xff\xff\xff\xff\x85"):
        files[name] = program.replace(b"K\x04\x85", shape)
        with zipfile.ZipFile(path, "w") as archive:
            for key, content in files.items():
                archive.writestr(key, content)
        with pytest.raises(ValueError, match="damaged"):
            read_tensors(path)


def shared_dicts():
    """A dict that is twice in the next one, which is twice in the next, ..."""
    program = b"}V0\nNs"
    for i in range(40):
        put = f"p{i}\n0}}Va\ng{i}\nsVb\ng{i}\ns".encode()
        program += put
    return program + b"."


def nested_dicts():
    return b"}Va\n" * 100_000 + b"N" + b"s" * 100_000 + b"."


def long_names():
    """A name of 100 kB, which is one part of 400 names."""
    program = b"}X" + (10**5).to_bytes(4, "little") + b"a" * 10**5 + b"p0\n"
    return program + b"}g0\n" * 400 + b"N" + b"s" * 401 + b"."


def with_itself():
    return b"}p0\nVa\ng0\ns."


def state_for_the_reader():
    """Sets an attribute of what stands for `_rebuild_tensor_v2`."""
    names = (
        *("torch._utils\n_rebuild_tensor_v2", "torch._utils\n_rebuild_tensor"),
        *("collections\nOrderedDict", "torch\ndevice", "numpy\nndarray"),
    )
    program = b"}"
    for i, name in enumerate(names):
        program += f"V{i}\nc{name}\n}}Vread\nV0\nsbs".encode()
    return program + b"."


ATTACKS = {
    "shared dicts": (shared_dicts, "far more than the file"),
    "long names": (long_names, "far more than the file"),
    "nested dicts": (nested_dicts, "recursion"),
    "a dict in itself": (with_itself, "recursion"),
    "a long table": (
        lambda: b"}r" + (2**31 - 1).to_bytes(4, "little") + b".",
        "counts to 2147483647",
    ),
    "a long table, as text": (lambda: b"}p99999999\n.", "counts to 99999999"),
    "a long text": (
        lambda: b"\x8d" + (2**50).to_bytes(8, "little") + b"x.",
        "damaged",
    ),
    "a long frame": (
        lambda: b"\x80\x04\x95" + (2**50).to_bytes(8, "little") + b"N.",
        "damaged",
    ),
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_takes_neither_time_nor_memory(attack, zipped, tmp_path):
    make, message = ATTACKS[attack]
    path = tmp_path / "x.pth"
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", make())
    else:
        header = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
        path.write_bytes(
            b"".join(map(pickle.dumps, header)) + make() + pickle.dumps([])
        )
    tracemalloc.start()
    begin = time.perf_counter()
    with pytest.raises(ValueError, match=message):
        read_tensors(path)
    seconds = time.perf_counter() - begin
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 10
    assert peak < 300e6


def test_state_that_a_file_sets_is_not_seen_by_the_next(tensors, tmp_path):
    bad, good = tmp_path / "bad.pth", tmp_path / "good.pth"
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("archive/data.pkl", state_for_the_reader())
    torch.save(as_torch(tensors), good)
    with contextlib.suppress(ValueError):
        read_tensors(bad)
    assert_equal(read_tensors(good), tensors)


def test_refuses_a_storage_that_unfolds(tmp_path):
    """Zeros, deflated: 300 kB that would take 300 MB."""
    path = tmp_path / "x.pth"
    torch.save({"x": torch.zeros(4)}, path)
    with zipfile.ZipFile(path) as archive:
        files = {n: archive.read(n) for n in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            is_storage = "/data/" in name
            archive.writestr(name, bytes(3 * 10**8) if is_storage else content)
    assert path.stat().st_size < 10**6
    with pytest.raises(ValueError, match="more than 4 times its size"):
        read_tensors(path)


def test_refuses_one_number_as_a_large_tensor(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"x": torch.zeros(1).expand(30_000, 30_000)}, path)
    with pytest.raises(ValueError, match="far more than the file"):
        read_tensors(path)


def test_a_storage_is_read_once(tmp_path, monkeypatch):
    """Here by four tensors that are views of one."""
    path = tmp_path / "x.pth"
    base = torch.arange(1000.0)
    torch.save({str(i): base[i:] for i in range(4)}, path)
    read, names = zipfile.ZipFile.read, []
    monkeypatch.setattr(
        zipfile.ZipFile,
        "read",
        lambda self, name, *args: names.append(name) or read(self, name, *args),
    )
    assert len(read_tensors(path)) == 4
    assert len([name for name in names if "/data/" in name]) == 1


@pytest.mark.parametrize("kind", ["zip", "legacy", "npz", "safetensors"])
def test_refuses_a_truncated_file(tensors, tmp_path, kind):
    from safetensors.numpy import save_file

    path = tmp_path / f"x.{kind if kind in ('npz', 'safetensors') else 'pth'}"
    if kind == "npz":
        np.savez(path, **tensors)
    elif kind == "safetensors":
        save_file({k: np.asarray(x) for k, x in tensors.items()}, path)
    else:
        torch.save(
            as_torch(tensors),
            path,
            _use_new_zipfile_serialization=kind == "zip",
        )
    whole = path.read_bytes()
    for size in (0, 1, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"must be a whole"):
            read_tensors(path)


def test_refuses_what_is_no_file_of_weights(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be a file of weights"):
        read_tensors(tmp_path / "none.pth")
    for content in (b"text\n" * 100, pickle.dumps({"a": 1}), b"\x80\x02."):
        (tmp_path / "x.pth").write_bytes(content)
        with pytest.raises(ValueError, match="must be a whole"):
            read_tensors(tmp_path / "x.pth")
    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([Hostile(tmp_path / "made")], object))
    (tmp_path / "x.npz").write_bytes(buffer.getvalue())
    with pytest.raises(ValueError, match="must be a whole"):
        read_tensors(tmp_path / "x.npz")
    assert not (tmp_path / "made").exists()
