"""`jit_compile=True` on PyTorch: the step as a graph is the step."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_sagan
from tests.helpers import same
from tests.helpers import tiny_model
from tests.helpers import tiny_networks
from tests.helpers import values

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="PyTorch's graph of the step"
)


def train(jit_compile, batches, **kwargs):
    """State after a step of each batch size, the last at another rate."""
    keras.utils.set_random_seed(0)
    model = tiny_model(compiled=False, **kwargs)
    model.compile(jit_compile=jit_compile)
    rng = np.random.default_rng(0)
    for i, n in enumerate(batches):
        images = rng.uniform(-1, 1, (n, 16, 16, 3)).astype("float32")
        labels = rng.integers(3, size=n).astype("int32")
        if i == len(batches) - 1:
            model.generator_optimizer.learning_rate = 0.01
        batch = (images,) if model.num_classes is None else (images, labels)
        logs = model.train_on_batch(*batch, return_dict=True)
    variables = [*model.variables, *model.optimizer.variables]
    return model, values(variables), logs


@pytest.mark.parametrize(
    ("batches", "kwargs"),
    [
        ((8, 4, 8), {"ema_start_step": 1}),
        (
            (8, 8),
            {
                "num_classes": None,
                "discriminator_steps": 2,
                "gradient_accumulation_steps": 2,
            },
        ),
    ],
)
def test_leaves_the_same_state(batches, kwargs):
    model, state, logs = train(True, batches, **kwargs)
    assert len(model._graph.graphs) == len(set(batches))
    _, expected, expected_logs = train(False, batches, **kwargs)
    assert all(same(state, expected))
    assert logs == expected_logs


def test_can_be_the_first_step_of_a_process():
    """What an earlier step without a graph computed once is not needed."""
    script = (
        "import warnings\n"
        "warnings.filterwarnings('error', '`jit_compile=True`')\n"
        "import numpy as np\n"
        "from tests.helpers import tiny_model\n"
        "model = tiny_model(compiled=False)\n"
        "model.compile(jit_compile=True)\n"
        "images = np.zeros((4, 16, 16, 3), 'float32')\n"
        "model.train_on_batch(images, np.arange(4, dtype='int32') % 3)\n"
        "assert model._graph.graphs\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)


def test_is_kept_with_the_model(tmp_path):
    model = tiny_model(compiled=False)
    model.compile(jit_compile=True)
    model.save(tmp_path / "x.keras")
    assert keras.saving.load_model(tmp_path / "x.keras")._graph is not None


def test_reports_numerics_eagerly():
    """`run_eagerly` is for looking at a step: no graph then."""
    model = tiny_model(compiled=False)
    model.compile(jit_compile=True, run_eagerly=True)
    model.train_on_batch(np.zeros((4, 16, 16, 3), "float32"), np.arange(4) % 3)
    assert not model._graph.graphs


class Noise(keras.layers.Layer):
    def call(self, inputs):
        return inputs + keras.random.normal(keras.ops.shape(inputs), seed=5)


@pytest.mark.filterwarnings("ignore:`jit_compile=True` has no effect")
@pytest.mark.parametrize("kind", ["dropout", "noise"])
def test_random_layers_are_not_frozen(kind):
    """A graph would hold one generator of random numbers, out of any seed."""
    states = []
    for jit_compile in (True, False):
        keras.utils.set_random_seed(0)
        z = keras.Input((4,))
        random = {
            "dropout": keras.layers.Dropout(0.5, seed=3),
            "noise": Noise(),
        }
        x = random[kind](keras.layers.Dense(12)(z))
        generator = keras.Model(z, keras.layers.Reshape((2, 2, 3))(x))
        x = keras.Input((2, 2, 3))
        logits = keras.layers.Dense(1)(keras.layers.Flatten()(x))
        model = keras_sagan.SAGAN(generator, keras.Model(x, logits), seed=1)
        model.compile(jit_compile=jit_compile)
        for _ in range(3):
            model.train_on_batch(np.zeros((4, 2, 2, 3), "float32"))
        states.append(values(model.variables))
    assert all(same(*states))


def test_an_overridden_step_is_run():
    class Counted(keras_sagan.SAGAN):
        def step(self, data):
            counts.append(1)
            return super().step(data)

    counts = []
    model = Counted(*tiny_networks())
    model.compile(jit_compile=True)
    for _ in range(2):
        model.train_on_batch(
            np.zeros((4, 16, 16, 3), "float32"), np.arange(4) % 3
        )
    assert len(counts) == 2 and len(model._graph.graphs) == 1


class CountsSteps(keras_sagan.SAGAN):
    """A user's model whose loss reads a variable on the host."""

    def generator_loss(self, *args, **kwargs):
        loss, logs = super().generator_loss(*args, **kwargs)
        step = float(keras.ops.convert_to_numpy(self.steps_trained))
        return loss, {**logs, "step_seen": step}


def adam(**kwargs):
    return keras.optimizers.Adam(0.01, beta_1=0.0, **kwargs)


@pytest.mark.parametrize(
    ("kind", "make_optimizer", "reason"),
    [
        (keras_sagan.SAGAN, keras.optimizers.Nadam, "__array__"),
        (
            keras_sagan.SAGAN,
            lambda: adam(gradient_accumulation_steps=2),
            "__bool__",
        ),
        (CountsSteps, adam, "__array__"),
    ],
    ids=["nadam", "accumulation", "loss"],
)
def test_values_read_on_the_host_are_not_frozen(kind, make_optimizer, reason):
    images = np.zeros((4, 16, 16, 3), "float32")
    states = []
    for jit_compile in (True, False):
        keras.utils.set_random_seed(0)
        model = kind(*tiny_networks(3), seed=7)
        model.compile(
            make_optimizer(), make_optimizer(), jit_compile=jit_compile
        )
        if jit_compile:
            with pytest.warns(UserWarning, match=f"no effect.*{reason}"):
                model.train_on_batch(images, np.arange(4) % 3)
        else:
            model.train_on_batch(images, np.arange(4) % 3)
        for _ in range(2):
            logs = model.train_on_batch(
                images, np.arange(4) % 3, return_dict=True
            )
        assert logs.get("step_seen", 2) == 2
        states.append(values(model.variables))
    assert all(same(*states))
