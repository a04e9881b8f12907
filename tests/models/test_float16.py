"""Training in float16 with a loss scale for each network.

`pytest -m slow tests/models/test_float16.py` trains for 1,000 steps.
"""

import keras
import numpy as np
import pytest

import keras_sagan
from keras_sagan import data
from keras_sagan import losses
from keras_sagan.models import loss_scale
from tests.helpers import array
from tests.helpers import same
from tests.helpers import tiny_model
from tests.helpers import tiny_networks
from tests.helpers import values


@keras.saving.register_keras_serializable(package="test_float16")
class Overflowing(keras_sagan.SAGAN):
    """The loss of one network becomes infinite while `factor` is large."""

    network = "discriminator"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.factor = self.add_weight(
            shape=(), initializer="ones", trainable=False, name="factor"
        )

    def discriminator_loss(self, *args, **kwargs):
        loss, logs = super().discriminator_loss(*args, **kwargs)
        return self._times("discriminator", loss), logs

    def generator_loss(self, *args, **kwargs):
        loss, logs = super().generator_loss(*args, **kwargs)
        return self._times("generator", loss), logs

    def _times(self, network, loss):
        factor = keras.ops.convert_to_tensor(self.factor)
        return loss * factor if network == self.network else loss


def make_model(policy="mixed_float16", kind=keras_sagan.SAGAN, **options):
    keras.utils.set_random_seed(0)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        networks = tiny_networks(10)
    finally:
        keras.config.set_dtype_policy(before)
    model = kind(*networks, seed=0, ema_start_step=2, ema_momentum=0.5)
    rates = (keras.optimizers.Adam(1e-3, 0.0), keras.optimizers.Adam(1e-3, 0.0))
    model.compile(*rates, **options)
    return model


def batch():
    images, labels = data.load_digits(16)
    return data.normalize(images[:8]), labels[:8]


def train(model, steps):
    logs = []
    for _ in range(steps):
        model.reset_metrics()
        logs.append(model.train_on_batch(*batch(), return_dict=True))
    return [{k: float(v) for k, v in x.items()} for x in logs]


@pytest.mark.no_backend
def test_a_few_steps_are_those_of_float32():
    half, single = make_model(), make_model("float32")
    assert half.loss_scale is not None and single.loss_scale is None
    first, second = train(half, 5), train(single, 5)
    assert [x.pop("skipped_steps") for x in first] == [0] * 5
    for name in ("discriminator_loss", "generator_loss", "real_logits"):
        np.testing.assert_allclose(
            [x[name] for x in first],
            [x[name] for x in second],
            rtol=0.05,
            atol=0.05,
        )
    norms = [x["discriminator_gradient_norm"] for x in first]
    np.testing.assert_allclose(
        norms, [x["discriminator_gradient_norm"] for x in second], rtol=0.1
    )
    for variable in half.trainable_variables:
        assert variable.dtype == "float32"


@pytest.mark.parametrize(
    "network",
    [
        "discriminator",
        pytest.param("generator", marks=pytest.mark.no_backend),
    ],
)
def test_an_overflow_changes_nothing(network, monkeypatch):
    monkeypatch.setattr(Overflowing, "network", network)
    model = make_model(kind=Overflowing)
    train(model, 2)
    steps = model.count_steps()
    own = {id(v) for v in model.loss_scale.variables.values()}
    own |= {id(model.steps_trained), id(model.seed_generator.state)}
    kept = [
        v
        for v in [*model.variables, *model.optimizer.variables]
        if id(v) not in own
    ]
    model.factor.assign(np.inf)
    before = values(kept)
    logs = train(model, 3)
    for variable, old in zip(kept, before, strict=True):
        np.testing.assert_array_equal(array(variable), old, variable.path)
    assert [x["skipped_steps"] for x in logs] == [1, 2, 3]
    assert model.count_steps() == steps + 3
    scales = dict(zip(loss_scale.NETWORKS, array(model.loss_scale.scales)))
    # Behind an infinite discriminator nothing is known of the generator.
    others = set(loss_scale.NETWORKS) - {network}
    assert scales[network] == 2.0**7
    assert [scales[name] for name in others] == [2.0**10]
    model.factor.assign(1.0)
    logs = train(model, 1)[0]
    assert logs["skipped_steps"] == 3
    assert np.isfinite(list(logs.values())).all()
    assert not np.array_equal(array(kept[0]), before[0])


@pytest.mark.no_backend
def test_the_scale_grows_again():
    model = make_model()
    scale = model.loss_scale
    scale.scales.assign([8.0, 4.0])
    scale.clean_steps.assign([499, 498])
    train(model, 1)
    assert array(scale.scales).tolist() == [16.0, 4.0]
    assert array(scale.clean_steps).tolist() == [0, 499]


@pytest.mark.once
def test_is_saved_and_goes_on(tmp_path):
    penalty = losses.R1(0.1, every=2)
    model = make_model(gradient_penalty=penalty)
    train(model, 2)
    model.loss_scale.scales.assign([64.0, 128.0])
    model.loss_scale.skipped_steps.assign(5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert array(loaded.loss_scale.scales).tolist() == [64.0, 128.0]
    for one in (model, loaded):
        assert train(one, 1)[0]["skipped_steps"] == 5
    for a, b in zip(model.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(array(a), array(b), a.path)
    images = loaded.generate(labels=[1, 2], seed=0)
    assert images.shape == (2, 16, 16, 3) and images.std() > 0


@pytest.mark.slow
def test_learns_as_in_float32():
    results = {}
    for policy in ("float32", "mixed_float16"):
        for seed in (0, 1):
            model = make_model(policy)
            dataset = data.from_arrays(
                *data.load_digits(16),
                batch_size=16,
                seed=seed,
                steps_per_epoch=500,
            )
            history = model.fit(dataset, epochs=2, verbose=0).history
            names = ("discriminator_loss", "generator_loss", "real_logits")
            results[policy, seed] = [history[name][-1] for name in names]
            if policy != "float32":
                assert history["skipped_steps"][-1] <= 10
    print(results)
    noise = np.abs(np.subtract(results["float32", 0], results["float32", 1]))
    difference = np.abs(
        np.mean([results["float32", x] for x in (0, 1)], 0)
        - np.mean([results["mixed_float16", x] for x in (0, 1)], 0)
    )
    assert (difference <= 2 * noise + 0.1).all()


def test_weights_of_float32_load(tmp_path):
    """They have no loss scales, which stay as they are."""
    model = tiny_model()
    model.save_weights(tmp_path / "x.weights.h5")
    keras.config.set_dtype_policy("mixed_float16")
    try:
        again = tiny_model()
    finally:
        keras.config.set_dtype_policy("float32")
    scales = values(again.loss_scale.variables.values())
    again.load_weights(tmp_path / "x.weights.h5")
    assert all(same(values(again.loss_scale.variables.values()), scales))
    assert all(
        same(
            values(model.generator.variables),
            values(again.generator.variables),
        )
    )
