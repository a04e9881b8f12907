"""Several steps as one program, on JAX, are the same steps."""

import keras
import numpy as np
import pytest

from keras_sagan import data
from keras_sagan import losses
from tests.helpers import array
from tests.helpers import small_model

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="of JAX"
)


class Count(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.calls = []

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append(batch)


def trained(steps_per_execution, steps, **options):
    keras.utils.set_random_seed(0)
    model = small_model(10, compiled=False)
    model.compile(steps_per_execution=steps_per_execution, **options)
    images, labels = data.load_digits(16)
    count = Count()
    history = model.fit(
        images[: 4 * steps],
        labels[: 4 * steps],
        batch_size=4,
        shuffle=False,
        verbose=0,
        callbacks=[count],
    ).history
    return model, history, count.calls


def assert_near(one, other):
    for x, y in zip(one.variables, other.variables, strict=True):
        scale = np.abs(array(x)).max()
        np.testing.assert_allclose(
            array(x),
            array(y),
            rtol=1e-3,
            atol=1e-3 * scale + 1e-7,
            err_msg=x.path,
        )


# Adam would make large what rounding leaves of gradients that are zero.
OPTIONS = {
    "generator_optimizer": "sgd",
    "discriminator_optimizer": "sgd",
    "gradient_penalty": losses.R1(0.1, every=2),
}


@pytest.fixture(scope="module")
def single():
    """A model after five single steps, and its history."""
    return trained(1, 5, **OPTIONS)[:2]


def test_equals_single_steps(single):
    model, history, calls = trained(2, 5, **OPTIONS)
    assert len(calls) == 3
    assert model.count_steps() == 5
    for a, b in zip(single[0].variables, model.variables, strict=True):
        np.testing.assert_array_equal(array(a), array(b), a.path)
    for name in ("generator_loss", "gradient_penalty", "real_logits"):
        np.testing.assert_array_equal(history[name], single[1][name])


def test_a_scan_equals_single_steps(single, monkeypatch):
    """As on a GPU; XLA rounds some sums in another order there."""
    from keras_sagan.backends import jax as backend

    monkeypatch.setattr(backend, "has_accelerator", lambda: True)
    model, history, calls = trained(2, 5, **OPTIONS)
    assert len(calls) == 3
    assert model.count_steps() == 5
    assert_near(single[0], model)
    for name in ("generator_loss", "gradient_penalty", "real_logits"):
        np.testing.assert_allclose(history[name], single[1][name], rtol=1e-3)


def test_a_generator_equals_single_steps(single):
    """Keras 3.16 gives the last batch of a generator in a list."""
    images, labels = data.load_digits(16)
    keras.utils.set_random_seed(0)
    model = small_model(10, compiled=False)
    model.compile(steps_per_execution=2, **OPTIONS)
    batches = [
        (data.normalize(images[i : i + 4]), labels[i : i + 4])
        for i in range(0, 20, 4)
    ]
    model.fit((x for x in batches), steps_per_epoch=5, verbose=0)
    assert_near(single[0], model)  # NumPy rounds the images otherwise.
