"""Losses and penalties of one's own, and of the package, train the digits.

`pytest -m slow tests/models/test_losses_train.py` trains for 300 steps.
"""

import keras
import numpy as np
import pytest
from keras import ops

import keras_sagan
from keras_sagan import data
from keras_sagan import losses
from keras_sagan.models import step
from tests.helpers import array
from tests.helpers import small_networks
from tests.helpers import tiny_networks
from tests.helpers import values

BATCH = 16


@keras.saving.register_keras_serializable(package="tests")
class SquaredHinge(losses.AdversarialLoss):
    """The ten lines of the documentation, with a log of its own."""

    def __init__(self, margin=1.0, name=None):
        super().__init__(name)
        self.margin = margin

    def discriminator_loss(self, real_logits, fake_logits):
        real = ops.square(ops.relu(self.margin - real_logits))
        fake = ops.square(ops.relu(self.margin + fake_logits))
        within = ops.mean(ops.cast(real > 0, "float32"))
        return ops.mean(real) + ops.mean(fake), {"within_margin": within}

    def generator_loss(self, fake_logits, real_logits=None):
        return -ops.mean(fake_logits)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin}


@keras.saving.register_keras_serializable(package="tests")
class WithBrightness(keras_sagan.SAGAN):
    """Overrides one loss: images are also to be as bright as the real ones."""

    def generator_loss(self, draw, real, training=True):
        loss, logs = super().generator_loss(draw, real, training)
        fake = self.fakes(draw, training)
        difference = ops.mean(fake.images) - ops.mean(real.images)
        return loss + ops.square(difference), {**logs, "brightness": difference}


class WithClasses(keras_sagan.SAGAN):
    """Logs how many images have another class than the real one beside it."""

    def generator_loss(self, draw, real, training=True):
        loss, logs = super().generator_loss(draw, real, training)
        others = ops.cast(draw.labels != real.labels, "float32")
        return loss, {**logs, "other_classes": ops.mean(others)}

    def discriminator_loss(self, real, fake, draw, due=(), training=True):
        loss, logs = super().discriminator_loss(real, fake, draw, due, training)
        others = ops.cast(fake.labels != real.labels, "float32")
        return loss, {**logs, "other_classes_of_d": ops.mean(others)}


@keras.saving.register_keras_serializable(package="tests")
class Twice(keras_sagan.SAGAN):
    """Overrides the step: each batch is learned from twice."""

    def step(self, data):
        super().step(data)
        return super().step(data)


CASES = {
    "custom": (keras_sagan.SAGAN, {"loss": SquaredHinge(2.0)}),
    "subclass": (WithBrightness, {}),
    "r1": (
        keras_sagan.SAGAN,
        {"loss": "non_saturating", "gradient_penalty": losses.R1(0.1, every=2)},
    ),
    "r3gan": (
        keras_sagan.SAGAN,
        {
            "loss": "relativistic",
            "gradient_penalty": [losses.R1(0.1), losses.R2(0.1)],
        },
    ),
    "wgan_gp": (
        keras_sagan.SAGAN,
        {
            "loss": "wasserstein",
            "gradient_penalty": losses.WassersteinGradientPenalty(10.0),
        },
    ),
}


def make_model(name, networks=small_networks):
    kind, options = CASES[name]
    model = kind(
        *networks(10),
        seed=7,
        ema_momentum=0.9,
        ema_start_step=2,
        augmentation=("translation",),
    )
    model.compile(
        keras.optimizers.Adam(1e-3, beta_1=0.0),
        keras.optimizers.Adam(1e-3, beta_1=0.0),
        **options,
    )
    return model


def fit(model, steps):
    dataset = data.from_arrays(
        *data.load_digits(16),
        batch_size=BATCH,
        start_step=model.count_steps(),
        steps_per_epoch=steps,
    )
    return model.fit(dataset, verbose=0).history


# In `make test` the other backends compile fewer cases, to save minutes.
RUNS = [
    *(pytest.param(x, 4) for x in ("subclass", "r3gan")),
    *(
        pytest.param(x, 4, marks=pytest.mark.once)
        for x in ("custom", "r1", "wgan_gp")
    ),
    *(pytest.param(x, 300, marks=pytest.mark.slow) for x in CASES),
]


@pytest.mark.parametrize(("name", "steps"), RUNS)
def test_trains_saves_loads_and_goes_on(name, steps, tmp_path):
    model = make_model(name, small_networks if steps == 4 else tiny_networks)
    before = values(model.trainable_variables)
    history = fit(model, steps)
    assert all(np.isfinite(x).all() for x in history.values())
    assert all(np.isfinite(x).all() for x in values(model.trainable_variables))
    for a, b in zip(before, values(model.trainable_variables), strict=True):
        # Where only differences of logits count, their bias stands still.
        assert a.ndim < 2 or not np.array_equal(a, b)
    logs = {"custom": "within_margin", "subclass": "brightness"}
    assert logs.get(name, "gradient_penalty") in history

    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert type(loaded) is type(model)
    assert loaded.loss.get_config() == model.loss.get_config()
    assert [x.get_config() for x in loaded.penalties] == [
        x.get_config() for x in model.penalties
    ]
    if steps > 4 or name == "subclass":  # It compiles both once more.
        for one in (model, loaded):
            fit(one, 2)
    for a, b in zip(model.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(array(a), array(b), a.path)


@pytest.mark.parametrize(
    "name", [pytest.param("custom", marks=pytest.mark.once), "r3gan"]
)
def test_evaluate_uses_the_same_loss(name):
    model = make_model(name)
    images, labels = (x[:8] for x in data.load_digits(16))
    images = data.normalize(images)
    results = model.evaluate(
        images, labels, batch_size=8, verbose=0, return_dict=True
    )
    draw_seed = model.evaluation_seed_generator
    draw = step.draw_inputs(8, model.latent_dim, 10, draw_seed)
    fake_labels = draw.labels
    if model.loss.needs_real_logits:
        fake_labels = ops.convert_to_tensor(labels)
    fake = model.generator([draw.latents, fake_labels])
    real_logits = model.discriminator([images, labels])
    fake_logits = model.discriminator([fake, fake_labels])
    expected, _ = losses.with_logs(
        model.loss.discriminator_loss(real_logits, fake_logits)
    )
    np.testing.assert_allclose(
        results["discriminator_loss"], array(expected), rtol=1e-4
    )
    expected = model.loss.generator_loss(fake_logits, real_logits)
    np.testing.assert_allclose(
        results["generator_loss"], array(expected), rtol=1e-3, atol=1e-5
    )
    assert ("within_margin" in results) == (name == "custom")


@pytest.mark.parametrize(
    "loss", [pytest.param("hinge", marks=pytest.mark.once), "relativistic"]
)
def test_a_loss_that_compares_gets_images_of_one_class(loss):
    model = WithClasses(*small_networks(10), discriminator_steps=2, seed=7)
    model.compile(loss=loss)
    images, labels = (x[:32] for x in data.load_digits(16))
    for run in (model.train_on_batch, model.test_on_batch):
        logs = run(images, labels, return_dict=True)
        for name in ("other_classes", "other_classes_of_d"):
            assert (float(logs[name]) == 0) == (loss == "relativistic"), logs


def test_a_step_may_be_overridden():
    model = Twice(*small_networks(10), seed=7)
    model.compile()
    fit(model, 2)
    assert model.count_steps() == 4


def test_a_penalty_is_due_every_so_many_steps():
    model = make_model("r1")
    images, labels = (x[:8] for x in data.load_digits(16))
    seen = []
    for _ in range(4):
        model.reset_metrics()  # Keras before 3.14 shows means over steps.
        logs = model.train_on_batch(images, labels, return_dict=True)
        seen.append(float(logs["gradient_penalty"]))
    assert seen[0] > 0 and seen[2] > 0
    assert seen[1] == seen[3] == 0


def test_refuses_losses_that_do_not_fit():
    class NotScalar(losses.AdversarialLoss):
        def discriminator_loss(self, real_logits, fake_logits):
            return real_logits

        def generator_loss(self, fake_logits, real_logits=None):
            return fake_logits

    class Taken(losses.HingeLoss):
        def generator_loss(self, fake_logits, real_logits=None):
            loss = super().generator_loss(fake_logits, real_logits)
            return loss, {"real_logits": loss}

    model = keras_sagan.SAGAN(*small_networks(10))
    for options, message in (
        ({"loss": Taken()}, "names of its own. Received: real_logits"),
        ({"loss": NotScalar()}, "`discriminator_loss` of the loss must return"),
        ({"loss": "hing"}, "`loss` must be one of"),
        ({"gradient_penalty": "r1"}, "`gradient_penalty` must be a"),
        ({"gradient_penalty": [losses.R1]}, "`gradient_penalty` must be a"),
    ):
        with pytest.raises(ValueError, match=message):
            model.compile(**options)
