import keras
import numpy as np
import pytest

import keras_sagan
from keras_sagan.layers import SpectralNormalization
from keras_sagan.layers.nested import flatten_layers
from keras_sagan.models import step
from keras_sagan.models import updates
from tests.helpers import array
from tests.helpers import same
from tests.helpers import small_model
from tests.helpers import tiny_model
from tests.helpers import tiny_networks
from tests.helpers import values

BACKEND = keras.backend.backend()
LOGS = {
    "discriminator_loss",
    "generator_loss",
    "real_logits",
    "fake_logits",
    "discriminator_gradient_norm",
    "generator_gradient_norm",
    "largest_sigma",
    "generator_attention_8_gamma",
    "discriminator_attention_8_gamma",
    "images_per_second",
}


def fit(model, data, **kwargs):
    return model.fit(
        *data, **{"batch_size": 8, "verbose": 0, "shuffle": False, **kwargs}
    )


def test_fit_logs_what_one_watches(digits_like):
    model = small_model()
    history = fit(model, digits_like, epochs=2).history
    assert set(history) == LOGS
    for name in LOGS:
        assert len(history[name]) == 2
        assert np.all(np.isfinite(history[name]))
    sigmas = [
        float(array(layer.sigma()))
        for network in (model.generator, model.discriminator)
        for layer in flatten_layers(network)
        if isinstance(layer, SpectralNormalization)
    ]
    np.testing.assert_allclose(history["largest_sigma"][-1], max(sigmas), 1e-5)
    gamma = model.generator.get_layer("attention_8").gamma
    np.testing.assert_allclose(
        history["generator_attention_8_gamma"][-1], array(gamma), 1e-5
    )
    assert int(model.steps_trained) == 8


def test_gradient_norms_are_those_of_the_updates(digits_like):
    # Plain gradient descent moves a network by the rate times its gradient.
    model = small_model(compiled=False)
    model.compile(keras.optimizers.SGD(0.25), keras.optimizers.SGD(0.5))
    images, labels = (x[:8] for x in digits_like)
    networks = {"generator": 0.25, "discriminator": 0.5}
    before = {
        n: values(getattr(model, n).trainable_variables) for n in networks
    }
    history = fit(model, (images, labels)).history
    for name, rate in networks.items():
        after = values(getattr(model, name).trainable_variables)
        moved = sum(np.sum((a - b) ** 2) for a, b in zip(after, before[name]))
        np.testing.assert_allclose(
            history[f"{name}_gradient_norm"][0], np.sqrt(moved) / rate, 1e-3
        )


def test_uint8_images_are_normalized(digits_like):
    images, labels = digits_like
    pixels = np.rint(images * 127.5 + 127.5).astype("uint8")
    x, _ = step.unpack((pixels, labels))
    assert keras.backend.standardize_dtype(x.dtype) == "float32"
    np.testing.assert_allclose(array(x), pixels / 127.5 - 1, atol=1e-6)


def test_augmentation_is_of_real_and_fake_and_differentiable(digits_like):
    images, labels = (x[:8] for x in digits_like)
    model = small_model(augmentation=("translation", "color", "cutout"))
    inputs = model.prepare((images, labels))
    draws = [*inputs.discriminator, *inputs.generator]
    assert [tuple(d.augmentation.shape) for d in draws] == [(16, 7), (8, 7)]
    seen = []
    call = model.augment.call
    model.augment.call = lambda images, draws=None: (
        seen.append(tuple(images.shape)) or call(images, draws)
    )
    before = values(model.generator.trainable_variables)
    fit(model, (images, labels))
    assert {(16, 16, 16, 3), (8, 16, 16, 3)} <= set(seen)
    after = values(model.generator.trainable_variables)
    assert not same(before, after)[0]  # Gradients go through it.


def test_every_trainable_variable_learns(digits_like):
    model = tiny_model()
    before = values(model.trainable_variables)
    fit(model, digits_like)
    unchanged = [
        v.path
        for v, equal in zip(
            model.trainable_variables,
            same(before, values(model.trainable_variables)),
        )
        if equal
    ]
    # Gammas start at 0, so the attention behind them learns a step later.
    assert unchanged == []
    assert len(model.trainable_variables) == len(
        model.generator.trainable_variables
    ) + len(model.discriminator.trainable_variables)


def test_discriminator_step_moves_no_generator_weight(digits_like):
    model = small_model()
    model.compile(
        keras.optimizers.SGD(0.0),
        keras.optimizers.SGD(0.1),
        run_eagerly=BACKEND != "jax",  # What compiles soonest.
    )
    generator = values(model.generator.trainable_variables)
    discriminator = values(model.discriminator.trainable_variables)
    fit(model, digits_like, epochs=1)
    assert all(same(generator, values(model.generator.trainable_variables)))
    moved = same(discriminator, values(model.discriminator.trainable_variables))
    assert not all(moved)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.0))
    discriminator = values(model.discriminator.trainable_variables)
    fit(model, digits_like, epochs=1)
    assert all(
        same(discriminator, values(model.discriminator.trainable_variables))
    )


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(
            {"run_eagerly": True},
            # A minute there, where each operation is compiled by itself.
            marks=pytest.mark.slow if BACKEND == "jax" else (),
        ),
        pytest.param(
            {"jit_compile": False},
            marks=pytest.mark.skipif(
                BACKEND == "jax", reason="It is `run_eagerly` there"
            ),
        ),
        pytest.param(
            {"jit_compile": True},
            marks=pytest.mark.skipif(
                BACKEND == "torch",
                reason="torch.compile needs minutes and a C++ compiler",
            ),
        ),
        pytest.param(
            {"steps_per_execution": 2},
            marks=pytest.mark.skipif(
                BACKEND == "torch", reason="Keras has it not on PyTorch"
            ),
        ),
    ],
    ids=str,
)
def test_ways_to_run_a_step_agree(options, digits_like, default_way):
    if not default_way:
        default_way.extend(_run_a_way(digits_like))
    for a, b in zip(
        _run_a_way(digits_like, **options), default_way, strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def default_way():
    """What the default way leaves: filled by the first test that asks."""
    return []


def _run_a_way(digits_like, **options):
    # TensorFlow draws other numbers under XLA: give all the same ones.
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(8, 8)).astype("float32"), digits_like[1][:8]
    keras.utils.set_random_seed(3)
    model = small_model(compiled=False)
    draw = step.Draw(*map(keras.ops.convert_to_tensor, drawn))
    model.draw = lambda x, times=1: draw
    model.compile(
        keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), **options
    )
    fit(model, digits_like)
    return values(model.variables)


def test_batch_is_split_and_each_part_seen_once(digits_like):
    images, labels = digits_like
    model = small_model(discriminator_steps=2, gradient_accumulation_steps=2)
    parts = model.prepare((images[:8], labels[:8])).real
    assert len(parts) == 4
    np.testing.assert_array_equal(
        np.concatenate([array(x) for x, _ in parts]),
        np.concatenate([images[i:8:4] for i in range(4)]),
    )
    np.testing.assert_array_equal(
        np.concatenate([array(y) for _, y in parts]),
        np.concatenate([labels[i:8:4] for i in range(4)]),
    )
    fit(model, digits_like, epochs=1)
    assert int(model.discriminator_optimizer.iterations) == 8
    assert int(model.generator_optimizer.iterations) == 4
    assert int(model.steps_trained) == 4


@pytest.mark.once
def test_accumulated_gradient_is_that_of_the_whole_batch(digits_like):
    """It is the discriminator's, which has no batch statistics."""
    images, labels = digits_like
    latents = np.random.default_rng(0).normal(size=(8, 8)).astype("float32")
    weights = []
    for steps in (1, 2):
        keras.utils.set_random_seed(3)
        model = small_model(compiled=False, gradient_accumulation_steps=steps)
        for layer in flatten_layers(model.generator):
            layer.trainable = False
        for layer in flatten_layers(model.discriminator):
            if isinstance(layer, SpectralNormalization):
                layer.iterate = lambda layer=layer: (
                    keras.ops.convert_to_tensor(layer.u),
                    keras.ops.convert_to_tensor(layer.v),
                    layer.sigma(),
                )
        model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.1))
        fakes = model.generator([latents, labels[:8]], training=False)
        both = [
            step.split(step.Examples(x, keras.ops.array(labels[:8])), steps)
            for x in (keras.ops.array(images[:8]), fakes)
        ]
        parts = [(*pair, step.Draw(None, None)) for pair in zip(*both)]
        updates.update(model, "discriminator", parts)
        weights.append(values(model.discriminator.trainable_variables))
    # The gradients of some offsets are sums of real and fake images' that
    # cancel, so that what remains is rounding.
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_average_copies_before_its_start_and_moves_after_it(digits_like):
    model = small_model(ema_momentum=0.75, ema_start_step=2)
    data = [x[:16] for x in digits_like]
    fit(model, data, epochs=1)
    assert int(model.steps_trained) == 2
    assert all(
        same(
            values(model.ema_generator.variables),
            values(model.generator.variables),
        )
    )
    before = values(model.ema_generator.variables)
    fit(model, [x[:8] for x in digits_like], epochs=1)
    for variable, old, average, new in zip(
        model.generator.variables,
        before,
        values(model.ema_generator.variables),
        values(model.generator.variables),
        strict=True,
    ):
        if variable.name not in ("u", "v"):
            np.testing.assert_allclose(
                average, 0.75 * old + 0.25 * new, rtol=1e-4, atol=1e-6
            )
    names = {v.name for v in model.ema_generator.variables}
    assert {"kernel", "moving_mean", "moving_variance", "u", "v"} <= names


def test_average_keeps_its_own_norms(digits_like):
    """Averaged u and v alone would not be those of the averaged kernel."""
    model = small_model(ema_momentum=0.9, ema_start_step=0, compiled=False)
    model.compile(
        keras.optimizers.Adam(0.02, beta_1=0.0), keras.optimizers.Adam(0.02)
    )
    fit(model, digits_like, epochs=5)
    for layer in flatten_layers(model.ema_generator):
        if isinstance(layer, SpectralNormalization):
            kernel = array(layer.kernel)
            kernel = kernel.reshape(-1, kernel.shape[-1])
            norm = np.linalg.svd(kernel, compute_uv=False)[0]
            assert float(array(layer.sigma())) > 0.95 * norm
            np.testing.assert_allclose(
                np.linalg.norm(array(layer.u)), 1, rtol=1e-5
            )


def test_fake_labels_are_uniform_and_fresh():
    model = small_model(num_classes=3)
    images = np.zeros((3000, 1), "float32")
    (latents, labels, *_), (more_latents, more_labels, *_) = (
        model.draw(images) for _ in range(2)
    )
    counts = np.bincount(array(labels), minlength=3)
    assert counts.sum() == 3000
    assert np.all(np.abs(counts - 1000) < 150)
    assert not np.array_equal(array(labels), array(more_labels))
    assert not np.array_equal(array(latents), array(more_latents))
    assert abs(array(latents).std() - 1) < 0.02


def test_evaluate_gives_the_hinge_losses_and_changes_nothing(digits_like):
    model = small_model()
    fit(model, digits_like, epochs=1)
    before = values([*model.variables, *model.optimizer.variables])
    results = [
        model.evaluate(*digits_like, batch_size=8, verbose=0, return_dict=True)
        for _ in range(2)
    ]
    after = values([*model.variables, *model.optimizer.variables])
    metrics = {id(v) for v in model.metrics_variables}
    for variable, equal in zip(
        [*model.variables, *model.optimizer.variables], same(before, after)
    ):
        assert equal or id(variable) in metrics
    assert results[0] == results[1]
    assert set(results[0]) == {
        "discriminator_loss",
        "generator_loss",
        "real_logits",
        "fake_logits",
    }
    images, labels = digits_like
    logits = array(model.discriminator([images, labels]))
    np.testing.assert_allclose(
        results[0]["real_logits"], logits.mean(), rtol=1e-3, atol=1e-5
    )


def test_validation_data_does_not_disturb_training(digits_like):
    results = []
    for kwargs in ({}, {"validation_data": digits_like}):
        keras.utils.set_random_seed(3)
        model = small_model()
        history = fit(model, digits_like, epochs=2, **kwargs)
        results.append(values(model.trainable_variables))
    assert "val_generator_loss" in history.history
    assert all(same(*results))


def test_unconditional(digits_like):
    images, _ = digits_like
    model = small_model(num_classes=None)
    model.fit(images, batch_size=8, verbose=0)
    assert model.generate(num_images=3).shape == (3, 16, 16, 3)
    assert np.isfinite(model.evaluate(images, verbose=0)).all()


def test_mixed_bfloat16_trains(digits_like):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = small_model()
    history = fit(model, digits_like, epochs=2).history
    assert np.isfinite(history["generator_loss"]).all()
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    assert model.generate(1).shape == (1, 16, 16, 3)


def test_kinds_of_data(digits_like):
    images, labels = digits_like
    model = small_model()
    model.fit(keras_sagan.data.from_arrays(images, labels, 8), verbose=0)

    def batches():
        for i in range(4):
            yield images[8 * i : 8 * i + 8], labels[8 * i : 8 * i + 8]

    model.fit(batches(), verbose=0)
    assert int(model.steps_trained) == 8  # None of the four was lost.
    model.fit(images, labels.astype("int64"), batch_size=8, verbose=0)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        dataset = tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)
        model.fit(dataset, verbose=0)
        model.fit(dataset.repeat(), steps_per_epoch=3, verbose=0)
    if BACKEND == "torch":
        import torch

        dataset = torch.utils.data.TensorDataset(
            torch.tensor(images), torch.tensor(labels)
        )
        model.fit(torch.utils.data.DataLoader(dataset, 8), verbose=0)


def test_callbacks_run(digits_like, tmp_path):
    model = small_model()
    seen = []
    fit(
        model,
        digits_like,
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: seen.append(dict(logs))
            ),
            keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras"),
            keras.callbacks.CSVLogger(tmp_path / "log.csv"),
            keras.callbacks.TerminateOnNaN(),
            keras_sagan.callbacks.SampleGrid(tmp_path, every=4, columns=2),
        ],
        epochs=2,
    )
    assert len(seen) == 2 and "generator_loss" in seen[0]
    assert (tmp_path / "2.keras").exists()
    assert (tmp_path / "step_00000008.png").exists()
    loaded = keras.saving.load_model(tmp_path / "2.keras")
    np.testing.assert_array_equal(
        loaded.generate(1, seed=0), model.generate(1, seed=0)
    )


def test_learning_rate_of_both_is_refused():
    model = small_model()
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-4)
    with pytest.raises(AttributeError, match="SAGAN has two learning rates"):
        model.optimizer.learning_rate = 0.1


def test_defaults_are_those_of_the_release():
    model = small_model()
    generator, discriminator = (
        model.generator_optimizer,
        model.discriminator_optimizer,
    )
    assert float(generator.learning_rate) == pytest.approx(1e-4)
    assert float(discriminator.learning_rate) == pytest.approx(4e-4)
    for optimizer in (generator, discriminator):
        assert (optimizer.beta_1, optimizer.beta_2) == (0.0, 0.999)
        assert optimizer.epsilon == 1e-8


def test_save_and_load_is_whole(digits_like, tmp_path):
    model = small_model(discriminator_steps=2, ema_momentum=0.5)
    model.compile(
        keras.optimizers.Adam(1e-3, beta_1=0.5), keras.optimizers.RMSprop(2e-3)
    )
    fit(model, digits_like)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for name in ("discriminator_steps", "ema_momentum", "seed"):
        assert getattr(loaded, name) == getattr(model, name)
    assert isinstance(loaded.discriminator_optimizer, keras.optimizers.RMSprop)
    metrics = {id(v) for v in model.metrics_variables}
    for a, b in zip(
        [*model.variables, *model.optimizer.variables],
        [*loaded.variables, *loaded.optimizer.variables],
        strict=True,
    ):
        if id(a) not in metrics:
            np.testing.assert_array_equal(array(a), array(b), a.path)
    fit(model, digits_like)
    fit(loaded, digits_like)
    for a, b in zip(
        values(model.trainable_variables), values(loaded.trainable_variables)
    ):
        np.testing.assert_array_equal(a, b)


def test_save_weights_and_load_weights(digits_like, tmp_path):
    model = small_model()
    fit(model, digits_like)
    model.save_weights(tmp_path / "x.weights.h5")
    other = small_model()
    other.load_weights(tmp_path / "x.weights.h5")
    assert int(other.steps_trained) == int(model.steps_trained)
    np.testing.assert_array_equal(
        other.generate(1, seed=0), model.generate(1, seed=0)
    )


def test_uncompiled_model_saves_and_loads(tmp_path):
    model = small_model(compiled=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.generate(1, seed=0), model.generate(1, seed=0)
    )


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"discriminator_steps": 0}, "`discriminator_steps` must be a pos"),
        ({"gradient_accumulation_steps": 1.5}, "`gradient_accumulation_ste"),
        ({"ema_momentum": 1.0}, r"`ema_momentum` must be in \[0, 1\)"),
        ({"ema_start_step": -1}, "`ema_start_step` must be a non-negative"),
    ],
)
def test_refuses_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        small_model(**kwargs)


def test_refuses_networks_that_do_not_fit():
    generator, discriminator = tiny_networks()
    for networks, message in (
        ((generator, tiny_networks(None)[1]), r"take \[images, labels\]"),
        ((generator, tiny_networks(4)[1]), "must agree on the number"),
        ((generator, discriminator, 4), "and 3 in up_8_norm_1"),
        ((generator, discriminator, 3, 9), "`latent_dim` must be the number"),
        ((generator, tiny_networks(3, 32)[1]), "images of the shape that"),
        ((keras.Sequential(), discriminator), "`latent_dim` must be the num"),
        ((keras.layers.ReLU(), discriminator, 3, 8), "must be a `keras.Model"),
    ):
        with pytest.raises(ValueError, match=message):
            keras_sagan.SAGAN(*networks)


def test_refuses_one_optimizer_for_both():
    optimizer = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="must be two objects"):
        small_model(compiled=False).compile(optimizer, optimizer)


def test_fit_before_compile(digits_like):
    with pytest.raises(ValueError, match=r"must call `compile\(\)` before"):
        fit(small_model(compiled=False), digits_like)


def test_fit_refuses_bad_data(digits_like):
    images, labels = digits_like
    nan = images.copy()
    nan[3, 0, 0, 0] = np.nan
    model = small_model()
    for x, y, message in (
        (images[:, :8], labels, r"must have the shape \(batch, 16, 16, 3\)"),
        (images[..., :1], labels, "repeat the channel of gray images"),
        (images * 127.5 + 127.5, labels, r"must be in \[-1, 1\]: for pixels"),
        (nan, labels, "Images must be finite"),
        (images, labels + 1, r"Labels must be in \[0, 3\)"),
        (images, labels - 1, "Received: labels from -1"),
        (images, labels.astype("float32"), "Labels must be integers"),
        (images, np.eye(3)[labels], r"labels.argmax\(-1\)"),
        (images, None, "This SAGAN has 3 classes"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(model, (x, y))
    with pytest.raises(ValueError, match="This SAGAN has no classes"):
        fit(small_model(num_classes=None), (images, labels))
    with pytest.raises(ValueError, match="must divide into"):
        fit(small_model(discriminator_steps=3), digits_like)
    # Wrong labels, so that nothing is trained.
    with (
        pytest.warns(UserWarning, match=r"use `2 \* images - 1`"),
        pytest.raises(ValueError, match="Labels must be"),
    ):
        fit(model, (images / 2 + 0.5, labels + 1))
    assert int(model.steps_trained) == 0


def test_steps_per_execution_works_everywhere(digits_like, tmp_path):
    """A file of one backend trains on another, which may not group steps."""
    model = small_model(compiled=False)
    model.compile(steps_per_execution=2)
    model.save(tmp_path / "x.keras")
    again = keras.saving.load_model(tmp_path / "x.keras")
    fit(again, digits_like)
    again.evaluate(*digits_like, batch_size=8, verbose=0)
    assert again.count_steps() == 4
    assert again.get_compile_config()["steps_per_execution"] == 2


@pytest.mark.no_backend
def test_evaluate_needs_compile(digits_like):
    with pytest.raises(ValueError, match="`compile` must be called"):
        small_model(compiled=False).evaluate(*digits_like)


def test_a_callback_may_evaluate_after_a_batch(digits_like):
    class Evaluate(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.evaluate(*digits_like, batch_size=8, verbose=0)

    states = []
    for callbacks in ([], [Evaluate()]):
        keras.utils.set_random_seed(0)
        model = small_model()
        fit(model, digits_like, callbacks=callbacks)
        states.append(values(model.variables))
    assert all(same(*states))


@pytest.mark.no_backend
def test_integers_of_numpy_are_integers():
    """As in `num_classes=labels.max() + 1`."""
    three, two = np.int64(3), np.int32(2)
    networks = (
        keras_sagan.models.build_generator(
            16, num_classes=three, base_channels=two, latent_dim=np.int64(8)
        ),
        keras_sagan.models.build_discriminator(
            16, num_classes=three, base_channels=two
        ),
    )
    model = keras_sagan.SAGAN(*networks, seed=three, ema_start_step=two)
    assert model.num_classes == 3
    again = keras_sagan.SAGAN.from_config(model.get_config())
    assert again.seed == 3
