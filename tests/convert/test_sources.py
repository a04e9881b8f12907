"""Converted networks give what the sources' own code gave.

`references/` was made by `references.py` from checkouts of theirs; the
weights are made anew here, by the rule.
"""

import functools
import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_sagan import convert
from keras_sagan.convert.layouts import LAYOUTS
from keras_sagan.convert.tensors import Normalized
from keras_sagan.convert.tensors import correspondences
from keras_sagan.losses import HingeLoss
from keras_sagan.models.step import Draw
from tests.convert import references
from tests.convert import rule
from tests.helpers import array
from tests.helpers import computing_in
from tests.helpers import gradients
from tests.helpers import parameters
from tests.helpers import relative_error

BACKEND = keras.backend.backend()
NAMES = sorted(
    path.stem
    for path in references.FOLDER.glob("*.npz")
    if not path.stem.endswith("steps")
)
SIDES = ("generator", "discriminator")


def load(name, folder, dtype="float32"):
    """Returns the converted model, the reference, and the weights of both."""
    reference = np.load(references.FOLDER / f"{name}.npz")
    source = next(s for s in LAYOUTS if name.startswith(s))
    weights = {
        side: rule.make_weights(json.loads(str(reference[side])))
        for side in SIDES
    }
    if source == "released":
        path = folder / "model.ckpt"
        write_checkpoint(
            path, {**weights["generator"], **weights["discriminator"]}
        )
    else:
        path = folder / "weights.npz"
        np.savez(
            path,
            **{
                f"{side}.{key}": x.astype(dtype)
                for side in SIDES
                for key, x in weights[side].items()
            },
        )
    return convert.load_model(path, source), reference, weights


def write_checkpoint(path, tensors):
    import tensorflow as tf

    tf.raw_ops.SaveV2(
        prefix=str(path),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.constant(x, "float32") for x in tensors.values()],
    )


# One of each source. The others differ in size and recipe, which the code reads
# from the tensors in the same way on every backend.
SMALL = {
    "biggan_pytorch_32",
    "mmgeneration_studio_32",
    "released_32",
    "studiogan_32",
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(x, marks=() if x in SMALL else pytest.mark.once)
        for x in NAMES
    ],
)
def test_images_logits_and_gradients_are_the_sources(name, tmp_path):
    model, reference, _ = load(name, tmp_path)
    resolution = int(reference["resolution"])
    assert model.resolution == resolution
    assert model.num_classes == references.CLASSES
    latents, labels, images = rule.inputs(resolution, references.CLASSES, 128)
    labels = ops.convert_to_tensor(labels.astype("int32"))
    latents = ops.convert_to_tensor(latents.astype("float32"))
    step = max(1, resolution // 64)
    for generator in (model.generator, model.ema_generator):
        fakes = generator.predict_on_batch([latents, labels])
        assert np.abs(reference["fakes"]).max() > 0.3
        np.testing.assert_allclose(
            fakes[:, ::step, ::step], reference["fakes"], atol=1e-4
        )
    logits, gradient = logits_and_gradient(
        model.discriminator, images.astype("float32"), labels
    )
    gradient = gradient[:, ::step, ::step]
    assert relative_error(gradient, reference["gradient"]) < 1e-4
    np.testing.assert_allclose(logits, reference["logits"], atol=1e-4)
    assert [
        parameters(model.generator),
        parameters(model.discriminator),
    ] == list(reference["parameters"])


def logits_and_gradient(network, images, labels):
    """Logits, and the gradient of their sum in the images."""
    images = keras.Variable(images)

    def loss():
        return ops.sum(network([ops.convert_to_tensor(images), labels]))

    logits = network.predict_on_batch([array(images), array(labels)])
    (gradient,) = gradients(loss, [images], [images, *network.variables])
    return logits.ravel(), gradient


# float64 takes JAX's compiler a minute; the golden step holds it to the others.
@pytest.mark.parametrize(
    "source",
    [
        pytest.param(x, marks=pytest.mark.slow if BACKEND == "jax" else ())
        for x in ("studiogan", "biggan_pytorch")
    ],
)
def test_a_training_step_is_the_sources(source, tmp_path):
    errors = step_errors(source, "float64", 1, tmp_path)
    worst = max(errors, key=errors.get)
    assert errors[worst] < 1e-6, (worst, errors[worst])
    assert len(errors) > 100


def step_errors(source, dtype, steps, folder):
    """max|a - b| / max|a| of each tensor, after steps from equal weights."""
    with computing_in(dtype):
        model, _, weights = load(f"{source}_32", folder, dtype)
        layout = LAYOUTS[source]
        if source == "biggan_pytorch":
            _take_back_the_iteration(model, weights, layout)
        studiogan = source == "studiogan"
        rates = (2e-4, 2e-4) if studiogan else (1e-4, 4e-4)
        if studiogan:
            model.step = functools.partial(studiogan_step, model)
        for i in range(steps):
            optimizers = _optimizers(model, rates, studiogan, i + 1)
            model.compile(*optimizers)
            images, labels, draws = references.step_inputs(i)
            draws = iter(
                [
                    Draw(
                        ops.convert_to_tensor(z.astype(dtype)),
                        ops.convert_to_tensor(y.astype("int32")),
                    )
                    for z, y in draws
                ]
            )
            model.draw = lambda x, times=1, draws=draws: next(draws)
            model.train_on_batch(images.astype(dtype), labels.astype("int32"))
        return _compare(model, weights, layout, steps)


def _take_back_the_iteration(model, weights, layout):
    """Conversion ran what theirs runs at evaluation; training has not yet."""
    for side in SIDES:
        for entry in correspondences(getattr(model, side), side, layout):
            if isinstance(entry, Normalized):
                u = weights[side][f"{entry.base}.u0"]
                axes, shape = entry.axes, entry.layer.kernel.shape
                entry.layer.u.assign(
                    axes.vector_to_ours(u, axes.columns, shape)
                )


def _optimizers(model, rates, studiogan, step):
    """Both Adams of PyTorch, for its step of this number.

    Keras' adds epsilon before the bias correction, and on TensorFlow (3.15.1)
    takes `beta_2 ** step` of a float32: the learning rate makes up for that.
    """
    optimizers = []
    beta_2, epsilon = 0.999, 1e-6 if studiogan else 1e-8
    correction = np.sqrt(1 - beta_2**step)
    rounded = 1.0
    if keras.backend.backend() == "tensorflow":
        rounded = correction / np.sqrt(1 - float(np.float32(beta_2)) ** step)
    for rate, network in zip(rates, (model.generator, model.discriminator)):
        optimizers.append(
            keras.optimizers.Adam(
                rate * rounded,
                beta_1=0.5 if studiogan else 0.0,
                beta_2=beta_2,
                epsilon=epsilon * correction,
            )
        )
        optimizers[-1].build(network.trainable_variables)
    previous = (model.generator_optimizer, model.discriminator_optimizer)
    if step > 1:
        for optimizer, before in zip(optimizers, previous):
            for variable, value in zip(optimizer.variables, before.variables):
                if "learning_rate" not in variable.path:
                    variable.assign(value)
    return optimizers


def studiogan_step(model, data):
    """Two passes of the discriminator; the generator's statistics stay."""
    images, labels = (ops.convert_to_tensor(x) for x in data[:2])
    (z, y, *_), (z_2, y_2, *_) = model.draw(images), model.draw(images)
    hinge = HingeLoss()
    g, d = model.generator, model.discriminator
    statistics = [v for v in g.variables if "moving" in v.path]
    before = [ops.copy(v) for v in statistics]
    fakes = ops.stop_gradient(g([z, y], training=True))
    for variable, value in zip(statistics, before):
        variable.assign(value)

    def discriminator_loss():
        real = d([images, labels], training=True)
        fake = d([fakes, y], training=True)
        return hinge.discriminator_loss(real, fake), {}

    def generator_loss():
        logits = d([g([z_2, y_2], training=True), y_2], training=True)
        return hinge.generator_loss(logits), {}

    for loss, network, optimizer in (
        (discriminator_loss, d, model.discriminator_optimizer),
        (generator_loss, g, model.generator_optimizer),
    ):
        variables = network.trainable_variables
        _, grads = model.value_and_gradients(loss, variables)
        optimizer.apply(grads, variables)
    return {}


def _compare(model, weights, layout, steps):
    reference = np.load(references.FOLDER / f"{layout.source}_steps.npz")
    # Training passes of the generator with moving statistics.
    passes = steps * {"studiogan": 1, "biggan_pytorch": 2}[layout.source]
    errors = {}
    for side in SIDES:
        for entry in correspondences(getattr(model, side), side, layout):
            for name, value in entry.save():
                variable = getattr(entry, "variable", None)
                if variable is not None and variable.name == "moving_variance":
                    # PyTorch's is n / (n - 1) of ours in what was added.
                    kept = 0.9**passes * weights[side][name]
                    n = _values_per_channel(variable.path)
                    value = kept + (value - kept) * n / (n - 1)
                value = references.sample(value)
                expected = reference[f"{steps}/{side}/{name}"]
                errors[f"{side}/{name}"] = relative_error(value, expected)
    return errors


def _values_per_channel(path, batch=8):
    layer = path.split("/")[-2]
    size = 32
    if layer.startswith("up"):
        _, size, _, index = layer.split("_")
        size = int(size) // (2 if index == "1" else 1)
    return batch * size**2
