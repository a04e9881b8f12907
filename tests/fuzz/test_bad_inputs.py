"""Values that make no sense, for every argument of the public functions.

`pytest -m slow tests/fuzz` tries all of them, on whatever backend.
"""

import inspect

import keras
import numpy as np
import pytest

import keras_sagan
from keras_sagan import callbacks
from keras_sagan import data
from keras_sagan import layers
from keras_sagan import losses
from keras_sagan import metrics
from keras_sagan import models
from keras_sagan import training
from keras_sagan import visualization
from tests.helpers import small_model
from tests.helpers import tiny_model
from tests.helpers import tiny_networks

pytestmark = pytest.mark.usefixtures("any_singular_vector")
BAD = [
    *(None, True, -1, 0, 3, 1.5, -0.5, float("nan"), float("inf"), 2**31),
    *("", "x", b"ab", (), [], {}, [None], ["x"], object(), np.float32(2)),
    np.zeros((2, 2)),
]
rng = np.random.default_rng(0)
IMAGES = rng.integers(256, size=(20, 16, 16, 3)).astype("uint8")
LABELS = np.arange(20) % 3
FLOATS = data.normalize(IMAGES)
MAPS = rng.normal(size=(1, 8, 8, 8)).astype("float32")


def colours(images):
    return images.mean(axis=(1, 2))


def called(function, *given, **fixed):
    """Returns a function that calls what `function` returns, with `given`."""
    return function, fixed, lambda result: result(*given)


def returned(function, **fixed):
    return function, fixed, lambda result: result


def quiet_fit(model):
    def fit(
        x, y, batch_size=None, epochs=1, callbacks=None, validation_data=None
    ):
        return model.fit(
            x,
            y,
            batch_size,
            epochs,
            verbose=0,
            callbacks=callbacks,
            validation_data=validation_data,
        )

    return fit


def cases(tiny, small):
    """Returns functions by name, with valid arguments for each."""
    source = data.ArrayImages(IMAGES, LABELS)
    generator, discriminator = tiny_networks()
    networks = {"generator": generator, "discriminator": discriminator}
    maps = visualization.attention_maps(tiny, labels=[0, 1], seed=0)
    tiny.save("model.keras")
    for step in (10, 20):
        visualization.image_grid(IMAGES[:4], path=f"grids/step_{step:08d}.png")
    conv = keras.layers.Conv2D(3, 3)
    size = {"resolution": 16, "num_classes": 3, "base_channels": 1}
    walk = np.stack([IMAGES[:2], IMAGES[2:4]])
    labelled = np.zeros(1, "int32")
    return {
        "SelfAttention2D": called(layers.SelfAttention2D, MAPS),
        "BatchNorm": called(layers.BatchNorm, MAPS),
        "ConditionalBatchNorm": called(
            layers.ConditionalBatchNorm, MAPS, labelled, num_classes=3
        ),
        "SpectralNormalization": called(
            layers.SpectralNormalization, MAPS, layer=conv
        ),
        "DownsampleConv2D": called(layers.DownsampleConv2D, MAPS, filters=4),
        "UpsampleConv2D": called(layers.UpsampleConv2D, MAPS, filters=4),
        "DiffAugment": called(layers.DiffAugment, FLOATS[:2], seed=0),
        "HingeLoss": returned(losses.HingeLoss),
        "R1": returned(losses.R1, weight=1.0, every=1, name=None),
        "build_generator": returned(models.build_generator, **size),
        "build_discriminator": returned(models.build_discriminator, **size),
        "SAGAN": returned(keras_sagan.SAGAN, **networks),
        "compile": returned(
            small.compile,
            generator_optimizer=None,
            discriminator_optimizer=None,
            loss="hinge",
            gradient_penalty=None,
        ),
        "fit": returned(
            quiet_fit(small), x=FLOATS[:8], y=LABELS[:8], batch_size=8
        ),
        "generate": returned(tiny.generate),
        "draw_inputs": returned(tiny.draw_inputs),
        "get_preset": returned(keras_sagan.get_preset, name="digits"),
        "choose_recipe": returned(keras_sagan.choose_recipe, source=source),
        "choose_resolution": returned(
            training.choose_resolution, source=source
        ),
        "Run": returned(training.Run, workdir="run"),
        "open_images": returned(data.open_images, name="digits"),
        "from_source": returned(data.from_source, source=source, batch_size=4),
        "from_arrays": returned(
            data.from_arrays, images=FLOATS, labels=LABELS, batch_size=4
        ),
        "ArrayImages": returned(data.ArrayImages, images=IMAGES, labels=LABELS),
        "ImageFolder": returned(data.ImageFolder, path="grids"),
        "load_digits": returned(data.load_digits, resolution=16),
        "prepare": returned(
            data.prepare, source=source, path="prepared", resolution=16
        ),
        "augmentation": returned(data.augmentation, name="flip"),
        "evaluate": returned(
            metrics.evaluate,
            model=IMAGES,
            real=IMAGES,
            metrics="fid",
            feature_extractor=colours,
        ),
        "reference": returned(
            metrics.reference, real=IMAGES, feature_extractor=colours
        ),
        "get_protocol": returned(metrics.get_protocol, protocol="paper"),
        "nearest_neighbors": returned(
            metrics.nearest_neighbors, samples=IMAGES[:2], images=IMAGES
        ),
        "Checkpoint": returned(callbacks.Checkpoint, directory="checkpoints"),
        "SampleGrid": returned(callbacks.SampleGrid, directory="samples"),
        "JSONLogger": returned(callbacks.JSONLogger, path="log.jsonl"),
        "Evaluation": returned(callbacks.Evaluation, real=IMAGES),
        "TensorBoardLogger": returned(
            callbacks.TensorBoardLogger, directory="logs"
        ),
        "image_grid": returned(visualization.image_grid, images=IMAGES),
        "class_grid": returned(visualization.class_grid, model=tiny),
        "truncation_grid": returned(visualization.truncation_grid, model=tiny),
        "nearest grid": returned(
            visualization.nearest_neighbors, samples=IMAGES[:2], images=IMAGES
        ),
        "attention_maps": returned(
            visualization.attention_maps, model=tiny, labels=[0]
        ),
        "attention_figure": returned(visualization.attention_figure, maps=maps),
        "attention_sheet": returned(visualization.attention_sheet, maps=maps),
        "latent_walk": returned(
            visualization.latent_walk, model=tiny, seeds=[0, 1], steps=2
        ),
        "class_walk": returned(
            visualization.class_walk, model=tiny, classes=[0, 1], steps=2
        ),
        "spherical_interpolation": returned(
            visualization.spherical_interpolation,
            a=np.ones(3),
            b=np.arange(3.0),
            share=0.5,
        ),
        "save_video": returned(
            visualization.save_video, frames=walk, path="video.gif"
        ),
        "training_video": returned(
            visualization.training_video, directory="grids", path="grids.gif"
        ),
        "training_curves": returned(
            visualization.training_curves,
            history={"generator_loss": [1.0, 2.0]},
            path="curves.png",
        ),
        "describe_file": returned(models.describe_file, path="model.keras"),
        "save_to_preset": returned(
            tiny.save_to_preset, folder="shared", data="x", license="y"
        ),
    }


# What would take hours: a step for each, and a framework's own limits.
LARGE = {"epochs", "standing_statistics", "num_images", "columns", "steps"}
LARGE |= {"num_classes", "filters", "latent_dim", "power_iterations"}


def arguments_of(function, fixed):
    """Returns the arguments with their defaults, and those that are fixed."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind not in kinds
        and parameter.default is not inspect.Parameter.empty
    }
    return {**found, **fixed}


def complaint(function, arguments, use, name):
    """Returns what is wrong with how a function takes its arguments."""
    try:
        use(function(**arguments))
    except ValueError as error:
        text = str(error)
        if f"`{name}`" in text or "Received" in text:
            return None
        return f"ValueError: {text:.100}"
    except (OSError, ImportError):
        return None
    except Exception as error:
        return f"{type(error).__name__}: {error!s:.100}"
    return None


@pytest.mark.slow
def test_every_bad_value_is_taken_or_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tiny, small = tiny_model(compiled=False), small_model()
    complaints, tried = [], 0
    for title, (function, fixed, use) in cases(tiny, small).items():
        good = arguments_of(function, fixed)
        use(function(**good))
        for name in good:
            for value in BAD:
                if name in LARGE and type(value) is int and value > 9:
                    continue
                tried += 1
                wrong = complaint(function, {**good, name: value}, use, name)
                if wrong:
                    complaints.append((title, name, repr(value)[:30], wrong))
                small.compile()
    assert tried > 4000
    assert not complaints, "\n".join(map(str, complaints))
