import io
import json
import re

import keras
import numpy as np
import pytest

from keras_sagan.callbacks import Evaluation
from keras_sagan.callbacks import ProgressBar
from keras_sagan.callbacks import SampleGrid
from keras_sagan.metrics import Metric
from tests.helpers import small_model


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Notebook(io.StringIO):
    __module__ = "ipykernel.iostream"


@pytest.mark.no_backend
@pytest.mark.parametrize("kind", [Terminal, Notebook, io.StringIO])
def test_progress_bar_tells_where_training_is(kind, digits_like, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    stream = kind()
    model = small_model()
    model.fit(
        *digits_like,
        batch_size=8,
        epochs=7,
        initial_epoch=2,
        verbose=0,
        callbacks=ProgressBar(stream=stream),
    )
    lines = re.split(r"[\r\n]+", stream.getvalue().strip())
    assert lines[0].startswith("Compiling the first step")
    assert "step 20/20" in lines[-1]
    assert "[########################]" in lines[-1]
    for part in ("D loss", "G loss", "D(real)", "images/s", "0:00 left"):
        assert part in lines[-1], part
    if kind is io.StringIO:
        assert len(lines) == 21
    else:
        assert stream.getvalue().count("\n") == 1


@pytest.mark.no_backend
@pytest.mark.parametrize("columns", [20, 80])
def test_progress_bar_fits_on_a_line(columns, digits_like, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    small_model().fit(
        *digits_like,
        batch_size=8,
        epochs=2,
        verbose=0,
        callbacks=ProgressBar(total=1_000_000, stream=stream),
    )
    lines = re.split(r"[\r\n]+", stream.getvalue().strip("\r\n"))[1:]
    assert all(len(line) < max(columns, 48) for line in lines), lines
    assert "step 8/1,000,000" in lines[-1]
    assert ("G loss" in lines[-1]) == (columns == 80)


@pytest.mark.no_backend
def test_sample_grids_come_early(tmp_path):
    grid = SampleGrid(tmp_path)
    due = [step for step in range(1, 3001) if grid.is_due(step - 1, step)]
    assert due == [100, 200, 400, 800, 1000, 2000, 3000]
    assert grid.is_due(90, 110) and not grid.is_due(100, 150)
    every = SampleGrid(tmp_path, every=50)
    assert [s for s in range(1, 201) if every.is_due(s - 1, s)] == [
        50,
        100,
        150,
        200,
    ]


class Classes:
    """Generates images that tell their class, and nothing else."""

    def __init__(self, num_classes, width=16):
        self.num_classes = num_classes
        self.image_shape = (width, width, 1)

    def generate(self, labels=None, num_images=None, seed=None):
        labels = np.zeros(num_images) if labels is None else np.array(labels)
        ones = np.ones((1, *self.image_shape), "uint8")
        return ones * labels.astype("uint8")[:, None, None, None]

    def count_steps(self):
        return 0


@pytest.mark.no_backend
@pytest.mark.parametrize(
    ("num_classes", "width", "shown"),
    [
        (3, 16, [0, 1, 2]),
        (26, 32, list(range(26))),
        (1000, 128, np.rint(np.linspace(0, 999, 16)).astype(int).tolist()),
    ],
)
def test_every_class_of_a_sample_grid_is_named(
    num_classes, width, shown, tmp_path, monkeypatch
):
    given = {}

    def image_grid(images, columns=None, scale=None, **kwargs):
        given.update(kwargs, images=images, columns=columns)

    monkeypatch.setattr(
        "keras_sagan.visualization.samples.image_grid", image_grid
    )
    names = [f"c{i}" for i in range(num_classes)]
    grid = SampleGrid(tmp_path, columns=4, class_names=names)
    grid.set_model(Classes(num_classes, width))
    grid.act(7, {})
    found = given["images"][:, 0, 0, 0].reshape(-1, given["columns"])
    expected = np.array(shown).astype("uint8")
    if num_classes <= 12:
        assert given["row_names"] == [f"c{i}" for i in shown]
        assert np.array_equal(found, expected[:, None].repeat(4, axis=1))
    else:
        assert given["column_names"] == [f"c{i}" for i in shown]
        assert np.array_equal(found, expected[None].repeat(4, axis=0))
    assert given["path"] == tmp_path / "step_00000007.png"


@pytest.mark.no_backend
def test_progress_bar_without_a_known_end(digits_like):
    images, labels = digits_like
    stream = Terminal()

    def batches():
        yield images[:8], labels[:8]
        yield images[8:16], labels[8:16]

    small_model().fit(
        batches(), verbose=0, callbacks=[ProgressBar(stream=stream)]
    )
    assert "step 2" in stream.getvalue() and "left" not in stream.getvalue()


def colours(images):
    return images.mean(axis=(1, 2))


def test_evaluation_keeps_the_best_model(
    any_singular_vector, digits_like, tmp_path, capsys
):
    images, _labels = digits_like
    real = ((images + 1) * 127.5).astype("uint8")

    def evaluation(**kwargs):
        return Evaluation(
            real,
            every=3,
            path=tmp_path / "best.keras",
            num_images=20,
            feature_extractor=colours,
            **kwargs,
        )

    model, callback = small_model(ema_start_step=100), evaluation()
    history = model.fit(
        *digits_like, batch_size=8, epochs=3, verbose=0, callbacks=[callback]
    )
    steps = [results["step"] for results in callback.history]
    assert steps == [3, 6, 9, 12]
    values = [results["fid"] for results in callback.history]
    assert history.history["fid"] == [values[i] for i in (0, 1, 3)]
    best = keras.saving.load_model(tmp_path / "best.keras")
    assert int(best.steps_trained) == steps[np.argmin(values)]
    record = json.loads((tmp_path / "best.json").read_text())
    assert record["fid"] == min(values) == callback.best
    assert record["protocol"]["extractor"] == "colours"
    assert {p.name for p in tmp_path.iterdir()} == {"best.keras", "best.json"}
    assert "the best so far" in capsys.readouterr().out
    # A resumed run counts on, and knows the best.
    (tmp_path / "best.json").write_text('{"fid": 0.0}')
    before = (tmp_path / "best.keras").stat().st_mtime_ns
    callback = evaluation(verbose=False)
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_begin(3)
    for batch in range(4):
        callback.on_train_batch_end(batch)
    assert [results["step"] for results in callback.history] == [15]
    assert (tmp_path / "best.keras").stat().st_mtime_ns == before
    assert capsys.readouterr().out == ""


class Steps(Metric):
    """A user's metric that gives what it is told to give."""

    name = "steps"
    title = "steps done"
    higher_is_better = True
    real_needs = None

    def __init__(self, values):
        self.next = iter(values)

    def compute(self, real, generated, protocol):
        return next(self.next)


@pytest.mark.parametrize("higher", [True, False])
def test_evaluation_keeps_the_best_by_a_metric_of_ones_own(
    higher, any_singular_vector, digits_like, tmp_path, capsys
):
    metric = Steps([2, 5, 1, 4])
    metric.higher_is_better = higher
    callback = Evaluation(
        None,
        every=3,
        metrics=[metric],
        monitor="steps",
        path=tmp_path / "best.keras",
        num_images=4,
        feature_extractor=colours,
    )
    history = small_model().fit(
        *digits_like, batch_size=8, epochs=3, verbose=0, callbacks=[callback]
    )
    assert history.history["steps"] == [2, 5, 4]
    assert callback.best == (5 if higher else 1)
    best = keras.saving.load_model(tmp_path / "best.keras")
    assert int(best.steps_trained) == (6 if higher else 9)
    assert "steps done         5.0000" in capsys.readouterr().out


@pytest.mark.no_backend
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 0}, "`every` must be"),
        ({"metrics": ["FID"]}, "`metrics` must be fid"),
        ({"monitor": "is"}, "`monitor` must be one of 'fid'"),
        ({"path": "best.h5"}, "must end in .keras"),
    ],
)
def test_evaluation_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Evaluation(None, **arguments)


@pytest.mark.no_backend
def test_classes_of_a_grid_can_be_an_array(tmp_path):
    grid = SampleGrid(tmp_path, classes=np.array([2, 0]))
    grid.set_model(small_model())
    grid.on_train_begin()
    assert len(list(tmp_path.iterdir())) == 1
