"""Writing a generator for others to run: ONNX, SavedModel, tensors."""

import json

import keras

from keras_sagan.export.check import check_images
from keras_sagan.export.check import run_network
from keras_sagan.export.onnx_graph import onnx_model
from keras_sagan.export.plain import plain_generator
from keras_sagan.files import new_folder
from keras_sagan.files import replacing
from keras_sagan.layers.calls import call
from keras_sagan.version import __version__


def to_onnx(model, path, ema=True):
    """Writes the generator as an ONNX file, the same from every backend.

    Inputs `latents`, float32 `(batch, latent_dim)`, and, if there are classes,
    `labels`, int64 `(batch,)`; output `images`, float32 `(batch, resolution,
    resolution, 3)` in [-1, 1]. The batch is free. There is no randomness in
    it: who runs it draws the latents. Spectral norms are folded into the
    kernels and batch norms into their gains and offsets; the file is as large
    as these weights and some tens of kilobytes. Opset 17.

    The file is run by onnxruntime before it gets its name.

    Args:
        model: A `SAGAN` with a generator of `build_generator`'s layers.
        path: File to write.
        ema: Whether to write the EMA generator.

    Raises:
        ValueError: If the generator has other layers, or if an image differs
            from the model's by more than 1 of 255: nothing is written then.
        ImportError: If onnx or onnxruntime is not installed.

    Example:
        keras_sagan.export.to_onnx(model, "generator.onnx")
        session = onnxruntime.InferenceSession("generator.onnx")
        (images,) = session.run(None, {"latents": latents, "labels": labels})
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise _missing("An ONNX file needs onnx and onnxruntime") from error
    proto = onnx_model(plain_generator(model, ema), _metadata(model))
    with replacing(path) as temporary:
        onnx.save(proto, temporary)
        session = onnxruntime.InferenceSession(
            temporary, providers=["CPUExecutionProvider"]
        )
        check_images(
            model, ema, lambda inputs: session.run(None, inputs)[0], path
        )


def to_saved_model(model, path, ema=True):
    """Writes the generator as a TensorFlow SavedModel.

    Its signature, `serve` and the default, is that of the ONNX file: see
    `to_onnx`. It is run by TensorFlow before it gets its name.

    Args:
        model: A `SAGAN`, under the TensorFlow or JAX backend.
        path: Folder to write, which must be new or empty.
        ema: Whether to write the EMA generator.

    Raises:
        ValueError: Under the PyTorch backend, if the folder is not empty, or
            if an image differs from the model's by more than 1 of 255:
            nothing is written then.
        ImportError: If TensorFlow is not installed.

    Example:
        keras_sagan.export.to_saved_model(model, "generator")
        served = tensorflow.saved_model.load("generator").signatures["serve"]
        images = served(latents=latents, labels=labels)["images"]
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


def to_keras(model, path, ema=True):
    """Writes the generator as a `.keras` file: a `keras.Model` to load.

    Its layers are this package's: import `keras_sagan` before loading it.

    Args:
        model: A `SAGAN`.
        path: File to write; it must end in `.keras`.
        ema: Whether to write the EMA generator.

    Raises:
        ValueError: If `path` has another suffix, or if an image differs from
            the model's by more than 1 of 255: nothing is written then.

    Example:
        keras_sagan.export.to_keras(model, "generator.keras")
        generator = keras.saving.load_model("generator.keras")
        images = generator([latents, labels])
    """
    generator = plain_generator(model, ema)
    with replacing(path) as temporary:
        generator.save(temporary)
        loaded = keras.saving.load_model(temporary, compile=False)
        check_images(model, ema, lambda x: run_network(loaded, x), path)


def to_safetensors(model, path, ema=True):
    """Writes the generator's tensors, by name, for other programs to read.

    Kernels are `(height, width, in, out)`, `(in, out)` in the linear layer,
    tables `(class, channel)`; the moments of the batch norms are among them,
    the spectral norms are folded in. The names are the paths of the variables
    of `plain_generator`, whose network loads them:
    `build_generator(..., spectral_normalization=False)`.

    Args:
        model: A `SAGAN`.
        path: File to write.
        ema: Whether to write the EMA generator.

    Raises:
        ValueError: If an image differs from the model's by more than 1 of
            255: nothing is written then.
        ImportError: If safetensors is not installed.

    Example:
        keras_sagan.export.to_safetensors(model, "generator.safetensors")
        tensors = safetensors.numpy.load_file("generator.safetensors")
        for variable in generator.variables:
            variable.assign(tensors[variable.path])
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
    """What a file says of itself, as strings."""
    return {
        "made_by": f"keras_sagan {__version__}",
        "resolution": str(model.resolution),
        "latent_dim": str(model.latent_dim),
        "num_classes": json.dumps(model.num_classes),
        "steps_trained": str(model.count_steps()),
        "images": "RGB in [-1, 1], (batch, height, width, 3)",
    }


def _missing(what):
    return ImportError(f"{what}: pip install 'keras_sagan[export]'")
