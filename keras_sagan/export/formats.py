"""Writes a generator for other programs: ONNX, SavedModel, tensors."""

import json
import pathlib
import tempfile

import keras

from keras_sagan.arguments import check_bool
from keras_sagan.arguments import check_choice
from keras_sagan.export.check import check_images
from keras_sagan.export.check import run_network
from keras_sagan.export.onnx_graph import onnx_model
from keras_sagan.export.plain import plain_generator
from keras_sagan.files import new_folder
from keras_sagan.files import replacing
from keras_sagan.layers.calls import call
from keras_sagan.version import __version__


def to_onnx(model, path, ema=True, dtype="float32", attention=False):
    """Writes the generator as an ONNX file, the same from every backend.

    Its inputs are `latents`, float32 `(batch, latent_dim)`, and, if there are
    classes, `labels`, int64 `(batch,)`. Its output is `images`, float32
    `(batch, height, width, channels)` in [-1, 1]. The batch may have any
    size. Nothing in the file is random: the program that runs it draws the
    latents. Spectral norms are folded into the kernels, and moving statistics
    into the gammas and betas of batch norms. The file is some tens of kilobytes
    larger than these weights. Its opset is 17.

    The file is run by onnxruntime, and is kept only if its images are right.

    Args:
        model: A `SAGAN` whose generator has the layers of `build_generator`.
        path: File to write.
        ema: Whether to write the EMA generator.
        dtype: `"float32"` or `"float16"`. With `"float16"`, kernels and class
            tables are stored in float16, so that the file is half as large.
            Computation is in float32 in both cases.
        attention: Whether the scores of each attention layer are also an
            output, with the name of the layer: float32
            `(batch, locations, keys)`, where each row sums to 1.

    Raises:
        ValueError: If the generator has another kind of layer, which the
            message names, or if an image differs from the model's by more than
            1 of 255. Nothing is written then.
        ImportError: If onnx or onnxruntime is not installed.

    Example:

    >>> import onnxruntime
    >>> model = keras_sagan.SAGAN.from_preset("digits", weights=True)
    >>> keras_sagan.export.to_onnx(model, "generator.onnx")
    >>> session = onnxruntime.InferenceSession("generator.onnx")
    >>> latents = np.zeros((2, 128), "float32")
    >>> inputs = {"latents": latents, "labels": np.array([3, 7], "int64")}
    >>> session.run(None, inputs)[0].shape
    (2, 16, 16, 3)
    """
    check_choice("dtype", dtype, ("float32", "float16"))
    check_bool("attention", attention)
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise _missing("An ONNX file needs onnx and onnxruntime") from error
    proto = onnx_model(
        plain_generator(model, ema), _metadata(model), dtype, attention
    )
    with replacing(path) as temporary:
        onnx.save(proto, temporary)
        # The bytes: onnxruntime does not take every name of a file.
        content = pathlib.Path(temporary).read_bytes()
        session = onnxruntime.InferenceSession(
            content, providers=["CPUExecutionProvider"]
        )
        check_images(
            model, ema, lambda inputs: session.run(None, inputs)[0], path
        )


def to_saved_model(model, path, ema=True):
    """Writes the generator as a TensorFlow SavedModel.

    Its signature `serve`, which is also the default one, has the inputs and
    the output of the ONNX file: see `to_onnx`. The SavedModel is run by
    TensorFlow, and kept only if its images are right.

    Args:
        model: A `SAGAN`, on the TensorFlow or JAX backend.
        path: Folder to write. It must be new or empty.
        ema: Whether to write the EMA generator.

    Raises:
        ValueError: On the PyTorch backend, if the folder is not empty, or if
            an image differs from the model's by more than 1 of 255. Nothing
            is written then.
        ImportError: If TensorFlow is not installed.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits", weights=True)
    >>> keras_sagan.export.to_saved_model(  # doctest: +SKIP
    ...     model, "generator")
    >>> import tensorflow  # doctest: +SKIP
    >>> served = tensorflow.saved_model.load("generator")  # doctest: +SKIP
    >>> outputs = served.signatures["serve"](  # doctest: +SKIP
    ...     latents=tensorflow.zeros((2, 128)),
    ...     labels=tensorflow.constant([3, 7], "int64"))
    >>> tuple(outputs["images"].shape)  # doctest: +SKIP
    (2, 16, 16, 3)
    """
    if keras.backend.backend() == "torch":
        raise ValueError(
            "A SavedModel needs the backend 'tensorflow' or 'jax': both load "
            "the same .keras file. Received: KERAS_BACKEND=torch"
        )
    try:
        import tensorflow
    except ImportError as error:
        raise ImportError(
            "A SavedModel needs TensorFlow: "
            "pip install 'keras_sagan[tensorflow]'"
        ) from error
    generator = plain_generator(model, ema)
    with new_folder(path) as temporary:
        _write_saved_model(generator, model, temporary)
        serve = tensorflow.saved_model.load(temporary).signatures["serve"]

        def run(inputs):
            tensors = {k: tensorflow.constant(x) for k, x in inputs.items()}
            return serve(**tensors)["images"]

        check_images(model, ema, run, path)


def to_litert(model, path, ema=True):
    """Writes the generator as a LiteRT file (TensorFlow Lite), for devices.

    Its signature `serve` has the inputs and the output of the ONNX file: see
    `to_onnx`. The file is run by TensorFlow's interpreter, and kept only if
    its images are right.

    Args:
        model: A `SAGAN`, on the TensorFlow backend.
        path: File to write.
        ema: Whether to write the EMA generator.

    Raises:
        ValueError: On another backend, or if an image differs from the model's
            by more than 1 of 255. Nothing is written then.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits", weights=True)
    >>> keras_sagan.export.to_litert(  # doctest: +SKIP
    ...     model, "generator.tflite")
    >>> from ai_edge_litert import interpreter  # doctest: +SKIP
    >>> loaded = interpreter.Interpreter(  # doctest: +SKIP
    ...     "generator.tflite")
    >>> run = loaded.get_signature_runner("serve")  # doctest: +SKIP
    >>> inputs = {"latents": np.zeros((2, 128), "float32")}
    >>> inputs["labels"] = np.array([3, 7], "int64")
    >>> run(**inputs)["images"].shape  # doctest: +SKIP
    (2, 16, 16, 3)
    """
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ValueError(
            "A LiteRT file needs the backend 'tensorflow', which loads the "
            f"same .keras file. Received: KERAS_BACKEND={backend}"
        )
    import tensorflow

    generator = plain_generator(model, ema)
    with tempfile.TemporaryDirectory() as folder:
        _write_saved_model(generator, model, folder)
        converter = tensorflow.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=["serve"]
        )
        content = converter.convert()
    interpreter = tensorflow.lite.Interpreter(model_content=content)
    run = interpreter.get_signature_runner("serve")
    with replacing(path) as temporary:
        temporary.write_bytes(content)
        check_images(model, ema, lambda inputs: run(**inputs)["images"], path)


def to_keras(model, path, ema=True):
    """Writes the generator as a `.keras` file: a `keras.Model` to load.

    Import `keras_sagan`, and the modules of layers of your own, before you
    load it.

    Args:
        model: A `SAGAN`.
        path: File to write; it must end in `.keras`.
        ema: Whether to write the EMA generator.

    Raises:
        ValueError: If `path` has another suffix, or if an image differs from
            the model's by more than 1 of 255. Nothing is written then.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits", weights=True)
    >>> keras_sagan.export.to_keras(model, "generator.keras")
    >>> generator = keras.saving.load_model("generator.keras")
    >>> images = generator([np.zeros((2, 128), "float32"), np.array([3, 7])])
    >>> tuple(images.shape)
    (2, 16, 16, 3)
    """
    generator = plain_generator(model, ema)
    with replacing(path) as temporary:
        generator.save(temporary)
        loaded = keras.saving.load_model(temporary, compile=False)
        check_images(model, ema, lambda x: run_network(loaded, x), path)


def to_safetensors(model, path, ema=True):
    """Writes the generator's weights, by name, for other programs to read.

    Kernels are `(height, width, in, out)`, or `(in, out)` in the linear
    layer; tables are `(class, channel)`. The weights include the moving
    statistics of batch norms. Spectral norms are folded into the kernels. The
    names are the paths of the weights of `plain_generator`. For a model of this
    package, they are the same as in a network of
    `build_generator(..., spectral_normalization=False)`.

    Args:
        model: A `SAGAN`.
        path: File to write.
        ema: Whether to write the EMA generator.

    Raises:
        ValueError: If two weights have the same path, or if an image differs
            from the model's by more than 1 of 255. Nothing is written then.
        ImportError: If safetensors is not installed.

    Example:

    >>> from safetensors import numpy as safetensors
    >>> model = keras_sagan.SAGAN.from_preset("digits", weights=True)
    >>> keras_sagan.export.to_safetensors(model, "generator.safetensors")
    >>> tensors = safetensors.load_file("generator.safetensors")
    >>> generator = keras_sagan.export.plain_generator(model)
    >>> set(tensors) == {weight.path for weight in generator.weights}
    True
    """
    try:
        from safetensors import numpy as safetensors
    except ImportError as error:
        raise _missing("A .safetensors file needs safetensors") from error
    generator = plain_generator(model, ema)
    weights = generator.weights  # Without the states of random seeds.
    tensors = {x.path: keras.ops.convert_to_numpy(x) for x in weights}
    if len(tensors) < len(weights):
        raise ValueError(
            "`model` must have a generator whose weights have paths of their "
            "own: give its layers different names. Received: "
            f"{len(weights)} weights with {len(tensors)} paths"
        )
    with replacing(path) as temporary:
        safetensors.save_file(tensors, temporary, _metadata(model))
        read = safetensors.load_file(temporary)
        for weight in weights:
            weight.assign(read[weight.path])
        check_images(model, ema, lambda x: run_network(generator, x), path)


def _write_saved_model(generator, model, folder):
    latent_dim, has_labels = model.latent_dim, model.num_classes is not None
    signature = [keras.InputSpec("float32", (None, latent_dim), name="latents")]
    if has_labels:
        signature.append(keras.InputSpec("int64", (None,), name="labels"))

    def serve(latents, labels=None):
        return {"images": call(generator, latents, labels, training=False)}

    if keras.backend.backend() == "tensorflow":
        import tensorflow

        # Keras' archive writes every variable twice.
        module = tensorflow.Module()
        module.kept = [variable.value for variable in generator.variables]
        function = tensorflow.function(
            serve,
            input_signature=[
                tensorflow.TensorSpec(x.shape, x.dtype, x.name)
                for x in signature
            ],
        )
        tensorflow.saved_model.save(
            module,
            folder,
            {"serve": function, "serving_default": function},
        )
        return
    archive = keras.export.ExportArchive()
    archive.track(generator)
    archive.add_endpoint("serve", serve, signature)
    archive.write_out(folder, verbose=False)


def _metadata(model):
    """Returns the metadata of a file, as strings."""
    return {
        "made_by": f"keras_sagan {__version__}",
        "resolution": str(model.resolution),
        "latent_dim": str(model.latent_dim),
        "num_classes": json.dumps(model.num_classes),
        "steps_trained": str(model.count_steps()),
        "images": "in [-1, 1], (batch, height, width, channels)",
    }


def _missing(what):
    return ImportError(f"{what}: pip install 'keras_sagan[export]'")
