"""Reading tensors from the files of other implementations.

`read_tensors` returns NumPy arrays by name, from a PyTorch `.pth` (both of its
formats, without PyTorch), safetensors, `.npz`, or a TensorFlow checkpoint. A
`.pth` is a pickle, and a pickle is a program: this reader accepts tensors,
containers and numbers, and refuses everything else.
"""

import collections
import functools
import io
import math
import pathlib
import pickle
import pickletools
import struct
import zipfile
import zlib

import numpy as np

from keras_sagan.files import check_archive
from keras_sagan.files import read_npz

_STORAGES = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype("<u2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
# Objects that training loops save with the weights; read as `_Ignored`.
_IGNORED = {
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("_codecs", "encode"),
    ("torch", "device"),
    ("utils.ops", "LeCamEMA"),
}
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def read_tensors(path):
    """Returns the floating-point tensors of a file, nested names joined by ".".

    Args:
        path: A `.pth`, `.safetensors` or `.npz` file, or a TensorFlow
            checkpoint: its prefix, or the folder with its newest one.

    Returns:
        A dict of NumPy arrays. Half precision is converted to float32.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file has another format, is damaged, or holds
            anything but tensors, numbers and strings.
    """
    path = pathlib.Path(path)
    if path.is_dir() or path.with_name(path.name + ".index").exists():
        return _read_tensorflow(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"`path` must be a file of weights. Received: path={path}"
        )
    try:
        budget = _Budget(path)
        return _flatten(_read_file(path, budget), budget)
    except _Refused as error:
        raise ValueError(
            f"`path` must hold only tensors; no code in it was run. "
            f"Received: path={path}, with {error}"
        ) from None
    except (
        zipfile.BadZipFile,
        pickle.UnpicklingError,
        struct.error,
        EOFError,
        # The pickle machine raises these on broken programs.
        AttributeError,
        IndexError,
        KeyError,
        MemoryError,
        NotImplementedError,
        OverflowError,
        RecursionError,
        RuntimeError,
        TypeError,
        UnicodeDecodeError,
        ValueError,
        zlib.error,
    ) as error:
        raise ValueError(
            "`path` must be a whole .pth, .safetensors or .npz file. Received: "
            f"path={path}, damaged or of another kind ({error})"
        ) from error


class _Refused(Exception):
    """Raised if a pickle names anything but tensors and numbers."""


def _read_file(path, budget):
    with path.open("rb") as file:
        start = file.read(16)
    if start[:2] == b"PK":
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if any(name.endswith("data.pkl") for name in names):
                check_archive(archive, path, times=4)
                return _read_zip(archive, budget)
        return read_npz(path)
    if path.suffix == ".safetensors" or start[8:9] == b"{":
        from safetensors.numpy import load_file

        try:
            return load_file(path)
        except Exception as error:  # safetensors has its own error type.
            raise ValueError(error) from error
    return _read_legacy(path, budget)


class _Budget:
    """Limits how many names and bytes are read from a file.

    The content can be much larger than the file: forty dicts, each of them
    twice in the next one, have 2^40 names; a long name can be the prefix of a
    thousand others; and a tensor with strides of 0 repeats one number.
    """

    def __init__(self, path):
        size = path.stat().st_size
        # Tensors may be views of one another.
        self.bytes = 4 * size + 2**20
        self.names = size + 10_000

    def take(self, count, size):
        self.names -= 1
        self.bytes -= count * size
        if self.names < 0 or self.bytes < 0:
            raise ValueError("tensors that take far more than the file")


def _read_zip(archive, budget):
    """Reads a `.pth` since PyTorch 1.6: a pickle, and an entry per storage."""
    pickled = next(n for n in archive.namelist() if n.endswith("data.pkl"))
    folder = pickled.removesuffix("data.pkl")

    @functools.cache  # Many tensors may share one storage.
    def storage(kind, key):
        return np.frombuffer(archive.read(f"{folder}data/{key}"), kind)

    content = archive.read(pickled)
    _check_pickle(io.BytesIO(content))
    content = _Unpickler(io.BytesIO(content)).load()
    return _resolve(content, storage, budget)


def _check_pickle(file):
    """Reads the program of a pickle, and refuses one that needs much memory.

    The pickle machine stores objects in a table by number, and the table is as
    long as the largest number.
    """
    begin = file.tell()
    for i, (operation, argument, _) in enumerate(pickletools.genops(file)):
        if "PUT" in operation.name and int(argument) > 2 * i + 2:
            raise ValueError(f"a pickle that counts to {argument}")
    file.seek(begin)


def _read_legacy(path, budget):
    """Reads a `.pth` before PyTorch 1.6: pickles, and then the storages."""
    with path.open("rb") as file:
        left = path.stat().st_size

        def load():
            _check_pickle(file)
            unpickler = _Unpickler(file)
            return unpickler.load(), unpickler

        (magic, _), _, (information, _) = (load() for _ in range(3))
        if magic != _LEGACY_MAGIC or not information["little_endian"]:
            raise ValueError("not a .pth file")
        content, unpickler = load()
        keys, _ = load()
        storages = {}
        for key in keys:
            (size,) = struct.unpack("<q", file.read(8))
            kind = unpickler.kinds[key]
            if not 0 <= size * kind.itemsize <= left - file.tell():
                raise ValueError("a storage beyond the end of the file")
            data = file.read(size * kind.itemsize)
            storages[key] = np.frombuffer(data, kind, count=size)
    return _resolve(content, lambda kind, key: storages[key], budget)


class _Tensor:
    """A tensor whose values are not read yet."""

    def __init__(self, storage, offset, shape, strides, *_):
        self.kind, self.bfloat16, self.key = storage
        self.layout = offset, shape, strides

    def __setstate__(self, state):
        raise _Refused("a tensor that is changed after it was made")

    def read(self, storage, budget):
        values = storage(self.kind, self.key)
        offset, shape, strides = self.layout
        sizes = (offset, *shape, *strides)
        if any(not isinstance(n, int) or n < 0 for n in sizes):
            raise ValueError("a tensor of impossible shape")
        budget.take(math.prod(shape), values.itemsize)
        last = offset + sum((n - 1) * s for n, s in zip(shape, strides))
        if math.prod(shape) and last >= len(values):
            raise ValueError("a tensor beyond its storage")
        array = np.lib.stride_tricks.as_strided(
            values[offset:],
            shape,
            [s * values.itemsize for s in strides],
            writeable=False,
        )
        if self.bfloat16:  # The upper half of a float32.
            return (array.astype("uint32") << 16).view("float32")
        return array.copy()


class _Ignored:
    """Stands for an object that is not read."""

    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)

    def __setstate__(self, state):
        pass


class _Unpickler(pickle.Unpickler):
    """Accepts the names of tensors and containers, and refuses all others."""

    def __init__(self, file):
        super().__init__(file, encoding="utf-8")
        self.kinds = {}

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch._utils":
            # Return new objects each time: a pickle can set attributes of
            # what it is given, and later files must not see them.
            if name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
                return lambda *arguments: _Tensor(*arguments)
            if name == "_rebuild_parameter":
                return lambda tensor, *_: tensor
        if module in ("torch", "torch.storage") and name in _STORAGES:
            return name
        if (module, name) in _IGNORED:
            return type("Ignored", (_Ignored,), {})
        raise _Refused(f"the name {module}.{name}")

    def persistent_load(self, reference):
        tag, name, key = reference[:3]
        if tag != "storage":
            raise _Refused(f"a reference to {tag!r}")
        self.kinds[key] = _STORAGES[name]
        return _STORAGES[name], name == "BFloat16Storage", key


def _resolve(content, storage, budget):
    """Replaces tensors by arrays; drops everything but these and dicts."""
    if isinstance(content, _Tensor):
        return content.read(storage, budget)
    if isinstance(content, dict):
        budget.take(0, 0)
        return {k: _resolve(v, storage, budget) for k, v in content.items()}
    return None


def _flatten(content, budget, prefix=""):
    if not isinstance(content, dict):
        return {}
    tensors = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        budget.take(1, len(name))
        if isinstance(value, dict):
            tensors.update(_flatten(value, budget, f"{name}."))
        elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
            narrow = value.dtype.itemsize < 4
            tensors[name] = value.astype("float32") if narrow else value
    return tensors


def _read_tensorflow(path):
    try:
        import tensorflow
    except ImportError:
        raise ImportError(
            "Reading a TensorFlow checkpoint needs TensorFlow: "
            "`pip install 'keras_sagan[tensorflow]'`"
        ) from None
    if path.is_dir():
        newest = tensorflow.train.latest_checkpoint(str(path))
        if newest is None:
            raise FileNotFoundError(
                "`path` must be a TensorFlow checkpoint, or a folder with "
                f"one. Received: path={path}"
            )
        path = newest
    try:
        reader = tensorflow.train.load_checkpoint(str(path))
        shapes = reader.get_variable_to_shape_map()
        tensors = {name: reader.get_tensor(name) for name in shapes}
    except (
        tensorflow.errors.OpError,
        ValueError,
    ) as error:
        raise ValueError(
            "`path` must be a whole TensorFlow checkpoint. "
            f"Received: path={path} ({error})"
        ) from error
    return {k: v for k, v in tensors.items() if v.dtype.kind == "f"}
