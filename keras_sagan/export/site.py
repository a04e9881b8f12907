"""A folder for any web server: a page that runs the generator."""

import base64
import hashlib
import http.client
import io
import json
import pathlib
import shutil
import tarfile
import urllib.request

from keras_sagan.arguments import check_bool
from keras_sagan.arguments import check_class_names
from keras_sagan.arguments import check_path
from keras_sagan.export.check import ImagesDiffer
from keras_sagan.export.formats import to_onnx
from keras_sagan.files import cache_folder
from keras_sagan.files import new_folder
from keras_sagan.files import replacing
from keras_sagan.layers.nested import layers_with
from keras_sagan.sizes import text

RUNTIME = "onnxruntime-web-1.30.0.tgz"
_URL = f"https://registry.npmjs.org/onnxruntime-web/-/{RUNTIME}"
# The sha512 of the file, as the registry states it.
_INTEGRITY = (
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1Sig"
    "qR4CXAfKYQ=="
)
_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs")
_FILES += ("ort-wasm-simd-threaded.wasm",)
_WEBGPU_FILES = ("ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs")
_WEBGPU_FILES += ("ort-wasm-simd-threaded.asyncify.wasm",)
_WEB = pathlib.Path(__file__).parent / "web"
_LICENSE = """\
The files in this folder are those of onnxruntime-web 1.30.0, unchanged:
https://www.npmjs.com/package/onnxruntime-web

MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


def to_site(
    model,
    path,
    ema=True,
    class_names=None,
    title=None,
    webgpu=True,
    runtime=None,
):
    """Writes a folder with a page on which anyone can use the generator.

    Any static web server can serve it, such as
    `python -m http.server --directory site`. The server computes nothing, and
    the page loads nothing but these files. The page offers classes by name,
    seeds (with the images of `SAGAN.generate(labels=..., seed=...)`),
    truncation, walks, and what each point of an image attends to. It uses
    WebGPU if the browser has it, and WebAssembly otherwise.

    The generator is written as ONNX, with its weights in float16 if its images
    are then still within 1 of 255 of the model's, and otherwise in float32. It
    is run by onnxruntime-web 1.30.0, which takes 14 MB, and 27 MB more for
    WebGPU. Its package is downloaded once from npm's registry and kept in
    `~/.cache/keras_sagan`.

    Args:
        model: A `SAGAN` whose generator has the layers of `build_generator`.
        path: Folder to write. It must be new or empty.
        ema: Whether to write the EMA generator.
        class_names: A string for each class. Defaults to their numbers.
        title: String. Defaults to a title with the size of the images.
        webgpu: Whether to include the files for WebGPU.
        runtime: Path of `onnxruntime-web-1.30.0.tgz`, as `npm pack
            onnxruntime-web@1.30.0` writes it. If `None`, it is downloaded.

    Raises:
        ValueError: As in `to_onnx`, or if there is not a name for each class,
            or if `runtime` is not that package.
        FileExistsError: If there are files in the folder.
        OSError: If the package cannot be downloaded; the message says how to
            get it.
        ImportError: If onnx or onnxruntime is not installed.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits", weights=True)
    >>> keras_sagan.export.to_site(  # doctest: +SKIP
    ...     model, "site", class_names=[f"digit {i}" for i in range(10)])
    """
    numbers = [str(i) for i in range(model.num_classes or 0)]
    names = check_class_names(class_names, model.num_classes) or numbers
    check_bool("webgpu", webgpu)
    path = check_path("path", path)
    generator = model.ema_generator if ema else model.generator
    with new_folder(path) as folder:
        (folder / "runtime").mkdir()
        wanted = _FILES + _WEBGPU_FILES * webgpu
        for name, content in _runtime(runtime, wanted).items():
            (folder / "runtime" / name).write_bytes(content)
        (folder / "runtime" / "LICENSE.txt").write_text(_LICENSE)
        _write_generator(model, folder / "generator.onnx", ema)
        for file in sorted(_WEB.iterdir()):
            shutil.copyfile(file, folder / file.name)
        about = {
            "title": title or f"SAGAN, {text(model.resolution)}",
            "image_shape": list(model.image_shape),
            "latent_dim": model.latent_dim,
            "class_names": names,
            "attention": [
                _attention(x)
                for x in layers_with(
                    generator, "map_size", "gamma", "pool_size"
                )
            ],
            "webgpu": webgpu,
            "ema": ema,
        }
        (folder / "site.json").write_text(json.dumps(about, indent=1))


def _attention(layer):
    height, width = layer.map_size
    pool = layer.pool_size
    return {
        "name": layer.name,
        "map": [height, width],
        "keys": [height // pool, width // pool],
    }


def _write_generator(model, path, ema):
    try:
        to_onnx(model, path, ema, dtype="float16", attention=True)
    except ImagesDiffer:
        to_onnx(model, path, ema, attention=True)


def _runtime(path, names):
    """Returns the contents of files of onnxruntime-web's package, by name."""
    if path is None:
        path = _cached()
    content = check_path("runtime", path).read_bytes()
    _check_integrity(path, content)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {
            name: archive.extractfile(f"package/dist/{name}").read()
            for name in names
        }


def _check_integrity(path, content):
    found = _digest(content)
    if found != _INTEGRITY:
        raise ValueError(
            f"`runtime` must be {RUNTIME} of npm's registry, whose sha512 is "
            f"{_INTEGRITY}. Received: {path}, with {found}"
        )


def _cached():
    path = cache_folder() / RUNTIME
    if path.exists():
        return path
    try:
        with urllib.request.urlopen(_URL, timeout=60) as response:
            content = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise OSError(
            f"onnxruntime-web must be downloaded from {_URL}: {error}. On a "
            "machine with a network, get that file by `npm pack "
            f"onnxruntime-web@1.30.0` or a browser; put it at {path}, or give "
            "its path as `runtime`"
        ) from error
    if _digest(content) != _INTEGRITY:
        raise OSError(
            f"The file from {_URL} is not the right one: its sha512 is "
            f"{_digest(content)}, and must be {_INTEGRITY}"
        )
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path


def _digest(content):
    return base64.b64encode(hashlib.sha512(content).digest()).decode()
