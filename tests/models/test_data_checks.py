"""What is checked of images and labels: arrays whole, datasets as they come."""

import keras
import numpy as np
import pytest

from tests.helpers import array
from tests.helpers import small_model
from tests.helpers import values

BACKEND = keras.backend.backend()
ENTRIES = ("fit", "validation", "evaluate")


@pytest.fixture(scope="module")
def model():
    return small_model()


def give(model, entry, *data):
    """Gives data to a way into the model; returns nothing."""
    if entry == "fit":
        model.fit(*data, batch_size=8, verbose=0)
    elif entry == "evaluate":
        model.evaluate(*data, batch_size=8, verbose=0)
    else:
        rng = np.random.default_rng(1)
        good = rng.uniform(-1, 1, (8, 16, 16, 3)).astype("float32")
        model.fit(
            good,
            np.zeros(8, "int32"),
            validation_data=data if len(data) > 1 else data[0],
            verbose=0,
        )


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("at", [0, 20])
@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_out_of_range_anywhere_in_an_array(
    entry, at, label, model, digits_like
):
    images, labels = digits_like
    labels = labels.copy()
    labels[at] = label
    before = values(model.variables)
    with pytest.raises(ValueError, match=r"Labels must be in \[0, 3\)"):
        give(model, entry, images, labels)
    for a, b in zip(before, values(model.variables), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("value", [np.nan, np.inf, 3.0])
def test_a_pixel_that_is_no_pixel_anywhere_in_an_array(
    entry, value, model, digits_like
):
    images, labels = digits_like
    images = images.copy()
    images[29, 3, 4, 1] = value
    with pytest.raises(ValueError, match="Images must be"):
        give(model, entry, images, labels)


class Batches(keras.utils.PyDataset):
    def __init__(self, images, labels):
        super().__init__()
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.images) // 8

    def __getitem__(self, index):
        rows = slice(8 * index, 8 * index + 8)
        return self.images[rows], self.labels[rows]


def generator(images, labels):
    dataset = Batches(images, labels)
    yield from (dataset[i] for i in range(len(dataset)))


def tf_data(images, labels):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)


def loader(images, labels):
    torch = pytest.importorskip("torch")
    dataset = torch.utils.data.TensorDataset(
        torch.tensor(images), torch.tensor(labels)
    )
    return torch.utils.data.DataLoader(dataset, 8)


KINDS = {"PyDataset": Batches, "generator": generator}
if BACKEND == "tensorflow":
    KINDS["tf.data"] = tf_data
if BACKEND == "torch":  # On TensorFlow Keras makes a tf.data of a loader.
    KINDS["DataLoader"] = loader


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_out_of_range_in_a_later_batch(kind, label, model, digits_like):
    images, labels = digits_like
    labels = labels.copy()
    labels[20] = label
    for entry in ENTRIES:
        steps = model.count_steps()
        # TensorFlow runs a dataset's Python, and words its error.
        with pytest.raises(Exception, match=r"Labels must be in \[0, 3\)"):
            give(model, entry, kind(images, labels))
        # The model is whole, and has learned from what came before.
        done = model.count_steps() - steps
        assert done <= 2
        assert all(np.isfinite(x).all() for x in values(model.variables))
        model.train_on_batch(images[:8], labels[:8])


def test_no_batch_is_lost_or_changed(digits_like):
    model = small_model()  # Each time from the same state.
    state = [*model.variables, *model.optimizer.variables]
    start = values(state)
    ends = []
    kinds = (kind(*digits_like) for kind in KINDS.values())
    for data in (digits_like, *((x,) for x in kinds)):
        for variable, value in zip(state, start, strict=True):
            variable.assign(value)
        model.fit(*data, batch_size=8, shuffle=False, verbose=0)
        assert model.count_steps() == 4
        ends.append(values(model.trainable_variables))
    for name, end in zip(KINDS, ends[1:], strict=True):
        for a, b in zip(ends[0], end, strict=True):
            np.testing.assert_array_equal(a, b, name)


@pytest.mark.once
def test_an_iterable_loader_keeps_its_first_batch():
    torch = pytest.importorskip("torch")
    images = np.linspace(-1, 1, 16, dtype="float32")[:, None, None, None]
    images = np.tile(images, (1, 16, 16, 3))
    labels = np.arange(16, dtype="int32") % 3

    class Stream(torch.utils.data.IterableDataset):
        """Gives each image away once."""

        def __init__(self):
            self.pairs = zip(images, labels)

        def __iter__(self):
            yield from self.pairs

    models = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        models.append(small_model())
    models[0].fit(torch.utils.data.DataLoader(Stream(), 4), verbose=0)
    models[1].fit(images, labels, batch_size=4, shuffle=False, verbose=0)
    assert models[0].count_steps() == 4
    for a, b in zip(*(values(m.trainable_variables) for m in models)):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        (lambda y: y[:, None], r"take `labels\.reshape\(-1\)`"),
        (lambda y: np.eye(3)[y], r"take `labels\.argmax\(-1\)`"),
        (
            lambda y: np.eye(3, dtype="int32")[y],
            r"take `labels\.argmax\(-1\)`",
        ),
        (lambda y: y.astype("float32"), r"take `labels\.astype\('int32'\)`"),
        (
            lambda y: y[:, None].astype("float64"),
            r"take `labels\.reshape\(-1\)\.astype\('int32'\)`",
        ),
        (lambda y: y + 0.5, r"for each image\. Received"),
        (lambda y: np.full((32, 3), 0.5), r"for each image\. Received"),
        (lambda y: y.astype(str), r"for each image\. Received"),
        (lambda y: y[:31], r"for each image\. Received"),
    ],
)
def test_advice_on_labels_makes_the_right_ones(
    change, advice, model, digits_like
):
    images, labels = digits_like
    wrong = change(labels)
    with pytest.raises(ValueError, match=advice):
        model.fit(images, wrong, verbose=0)
    if "take" in advice:
        made = eval(advice.split("`")[1].replace("\\", ""), {"labels": wrong})
        np.testing.assert_array_equal(made, labels)


@pytest.mark.parametrize("name", ["sample_weight", "class_weight"])
def test_weights_are_refused(name, model, digits_like):
    images, labels = digits_like
    weight = {0: 2.0} if name == "class_weight" else np.ones(32)
    calls = [model.fit, model.train_on_batch]
    if name == "sample_weight":
        calls += [model.evaluate, model.test_on_batch]
    for call in calls:
        with pytest.raises(ValueError, match=f"`{name}` must be None"):
            call(images, labels, **{name: weight})
    dataset = [(images, labels, np.ones(32))]
    with pytest.raises(ValueError, match="`sample_weight` has no meaning"):
        model.fit((x for x in dataset), verbose=0)
    with pytest.raises(ValueError, match="`sample_weight` has no meaning"):
        model.fit(images, labels, validation_data=dataset[0], verbose=0)


def test_a_batch_of_numpy_arrays(model, digits_like):
    images, labels = digits_like
    for call in (model.train_on_batch, model.test_on_batch):
        for x in (images, np.uint8(127 * (images + 1)), np.float64(images)):
            logs = call(x[:8], labels[:8], return_dict=True)
            assert np.isfinite(float(array(logs["generator_loss"])))
        with pytest.raises(ValueError, match=r"Labels must be in \[0, 3\)"):
            call(images[:8], labels[:8] + 3)
        with pytest.raises(ValueError, match="Images must be finite"):
            call(images[:8] * np.nan, labels[:8])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps_per_execution": 0}, "`steps_per_execution` must be a posi"),
        ({"steps_per_execution": "2"}, "`steps_per_execution` must be a posi"),
        ({"run_eagerly": "no"}, "`run_eagerly` must be True or False"),
        ({"jit_compile": "yes"}, "`jit_compile` must be True, False or 'auto'"),
    ],
)
def test_compile_refuses(arguments, message, model):
    with pytest.raises(ValueError, match=message):
        model.compile(**arguments)


def test_a_dataset_without_batches_is_named(model):
    with pytest.raises(ValueError, match="`x` must yield batches"):
        model.fit((x for x in []), verbose=0)
    with pytest.raises(ValueError, match="`x` must be images or a dataset"):
        model.fit(verbose=0)
