"""One step leaves the same state on every backend, and NumPy's losses."""

import keras
import numpy as np
import pytest

from keras_sagan.models.optimizer_pair import OptimizerPair
from tests.helpers import array
from tests.helpers import computing_in
from tests.helpers import relative_error
from tests.models import golden


@pytest.fixture(params=["float64", "float32"])
def dtype(request):
    with computing_in(request.param):
        yield request.param


def noise_only(model):
    """The biases that the batch norms take out again, by id.

    Of a generator, those of every convolution but the last; their gradient is
    mere rounding, which Adam turns into a full step.
    """
    return {
        id(v): v
        for network in (model.generator, model.ema_generator)
        for v in network.variables
        if v.name == "bias" and ("conv_" in v.path or "shortcut" in v.path)
    }


def test_one_step_is_the_same_on_every_backend(dtype):
    model = golden.make_model()
    logs = golden.run_step(model, dtype)
    check_losses(logs, dtype)
    expected = np.load(golden.PATH)
    tolerance = {"float64": 1e-8, "float32": 1e-4}[dtype]
    for name in ("discriminator_loss", "generator_loss"):
        # Keras' means are float32 on JAX and PyTorch.
        np.testing.assert_allclose(logs[name], expected[name], rtol=1e-5)
    begin, errors, skipped = 0, {}, set()
    noise = noise_only(model)
    for name, variable in golden.state(model).items():
        value = array(variable)
        size = value.size
        reference = expected["values"][begin : begin + size]
        errors[name] = relative_error(value.ravel(), reference)
        if is_noise(name, variable, noise):
            skipped.add(name)
        begin += size
    assert begin == expected["values"].size
    compared = {
        name: error for name, error in errors.items() if name not in skipped
    }
    assert len(compared) > 0.8 * len(errors)
    worst = max(compared, key=compared.get)
    assert compared[worst] < tolerance, (worst, compared[worst])


def check_losses(logs, dtype):
    """They are NumPy's, from the logits of the networks.

    Those are networks that the tests of the layers hold right.
    """
    model = golden.make_model()
    images, labels, draws = golden.inputs(dtype)
    (latents, fake_labels), _ = draws
    fakes = array(model.generator([latents, fake_labels], training=True))
    logits = array(
        model.discriminator(
            [np.concatenate([images, fakes]), np.append(labels, fake_labels)],
            training=True,
        )
    ).ravel()
    real, fake = np.split(np.float64(logits), 2)
    expected = np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean()
    np.testing.assert_allclose(logs["discriminator_loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(logs["real_logits"], real.mean(), rtol=1e-4)
    np.testing.assert_allclose(logs["fake_logits"], fake.mean(), rtol=1e-4)


def is_noise(name, variable, noise):
    if name.startswith("generator_optimizer"):
        # Named by the path of the variable whose moments it keeps.
        return "bias" in variable.name and (
            "conv_" in variable.name or "shortcut" in variable.name
        )
    return id(variable) in noise


@pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="Half a minute, operation by operation; a property of the algebra",
)
def test_noise_only_biases_have_no_gradient():
    """The generator's, in float32, and what is left of them is rounding."""
    model = golden.make_model()
    seen = {}

    class Recorder(keras.optimizers.SGD):
        def apply(self, grads, trainable_variables=None):
            for gradient, variable in zip(grads, trainable_variables):
                seen[variable.path] = array(gradient)

    model.compile(Recorder(0.1), keras.optimizers.SGD(0.0), run_eagerly=True)
    assert isinstance(model.optimizer, OptimizerPair)
    golden.run_step(model, "float32")
    largest = max(np.abs(g).max() for g in seen.values())
    # Attention sees a shift of its map: what comes before it has a gradient.
    noise = {
        v.path
        for v in noise_only(model).values()
        if "up_16" in v.path and v.path in seen
    }
    assert len(noise) == 3
    for path in noise:
        assert np.abs(seen[path]).max() < 1e-5 * largest
