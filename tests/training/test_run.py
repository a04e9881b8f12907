"""Runs in a folder: what they write, how they fail, and that they survive.

What is the same code on every backend is run once: `no_backend`.
"""

import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
import types
import zipfile

import keras
import numpy as np
import pytest

import keras_sagan
from keras_sagan import callbacks
from keras_sagan import data
from keras_sagan.training import Run
from tests.helpers import same
from tests.helpers import small_model
from tests.helpers import values
from tests.training.test_resume import state

ROOT = pathlib.Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("any_singular_vector")


def train(workdir, steps, images_and_labels, make_model=small_model, **kwargs):
    source = data.ArrayImages(*images_and_labels)
    options = {"log_every": 3, "sample_every": 4, "checkpoint_every": 2}
    return keras_sagan.train(
        workdir,
        make_model,
        lambda step: data.from_source(
            source, 8, start_step=step, steps_per_epoch=3
        ),
        steps,
        **{**options, **kwargs},
    )


def test_a_run_and_its_continuation(digits_like, tmp_path, capsys):
    names = ["ant", "bee", "cat"]
    model = train(
        tmp_path, 5, digits_like, class_names=names, settings={"width": 2}
    )
    assert int(model.steps_trained) == 5
    assert Run(tmp_path).class_names() == names
    assert [line["step"] for line in Run(tmp_path).log()] == [
        3,
        5,
    ]
    model = train(tmp_path, 8, digits_like, settings={"width": 2})
    assert int(model.steps_trained) == 8
    assert "Continuing from step 5" in capsys.readouterr().out
    again = train(tmp_path, 7, digits_like, settings={"width": 2})
    assert int(again.steps_trained) == 8
    assert "There is nothing to train: steps=7" in capsys.readouterr().out
    with pytest.raises(ValueError, match="`steps` must be a positive integer"):
        train(tmp_path, 0, digits_like, settings={"width": 2})
    lines = Run(tmp_path).log()
    assert [line["step"] for line in lines] == [3, 5, 8]
    assert {"discriminator_loss", "largest_sigma", "time"} <= set(lines[0])
    files = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.*")}
    assert files == {
        "settings.json",
        "classes.json",
        "log.jsonl",
        "environment.json",
        "model.keras",
        *(f"checkpoints/step_0000000{i}.keras" for i in (5, 6, 8)),
        *(f"samples/step_0000000{i}.png" for i in (0, 4, 5, 8)),
    }
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert all(same(values(state(again)), values(state(model))))
    with pytest.raises(ValueError, match="where width=2, now 3"):
        train(tmp_path, 9, digits_like, settings={"width": 3})
    nested = {"network": {"width": 2, "depth": 1}}
    with pytest.raises(ValueError, match=r"network\.width=None, now 2"):
        train(tmp_path, 9, digits_like, settings=nested)


@pytest.mark.no_backend
@pytest.mark.parametrize("log_every", [2, 100])
def test_it_ends_where_asked_however_long_an_epoch_is(
    log_every, digits_like, tmp_path
):
    model = train(tmp_path, 7, digits_like, log_every=log_every)
    assert int(model.steps_trained) == 7


@pytest.mark.no_backend
def test_a_refused_model_leaves_no_settings(digits_like, tmp_path):
    def refused():
        raise ValueError("no such network")

    for _ in range(2):
        with pytest.raises(ValueError, match="no such network"):
            train(tmp_path, 2, digits_like, refused, settings={"width": 3})
        assert not (tmp_path / "settings.json").exists()


@pytest.mark.no_backend
def test_one_process_a_folder(digits_like, tmp_path):
    with (
        Run(tmp_path).lock(),
        pytest.raises(ValueError, match="another process trains there now"),
    ):
        train(tmp_path, 2, digits_like)


@pytest.mark.no_backend
def test_half_written_checkpoints_are_removed(two_checkpoints, tmp_path):
    folder = shutil.copytree(two_checkpoints, tmp_path / "checkpoints")
    (folder / ".step_00000006.77.keras").write_bytes(b"half")
    assert callbacks.Checkpoint(folder).load_latest().count_steps() == 4
    assert len(step_names(folder)) == 2


def flip(path, member="model.weights.h5", offset=5000):
    """Flips the bits of a byte in a member of a zip file."""
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo(member).header_offset + offset
    content[at] ^= 255
    path.write_bytes(content)


def step_names(folder):
    return sorted(p.name for p in folder.iterdir())


@pytest.fixture(scope="module")
def two_checkpoints(tmp_path_factory):
    """A folder with the checkpoints of steps 2 and 4."""
    rng = np.random.default_rng(0)
    noise = rng.uniform(-1, 1, (32, 16, 16, 3)).astype("float32")
    workdir = tmp_path_factory.mktemp("run")
    train(workdir, 4, (noise, rng.integers(3, size=32)), sample_every=100)
    return workdir / "checkpoints"


def rezip(path, change):
    """Writes a zip again, its members changed by a function of the name."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, change(name, content))


def encrypt(path):
    """Sets the flags that say that each member is encrypted."""
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(signature, at + 4)
    path.write_bytes(content)


def another_method(path):
    """Says that each member is compressed in a way that nobody knows."""
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\x01\x02")
    while at >= 0:
        content[at + 10 : at + 12] = b"\x63\x00"
        at = content.find(b"PK\x01\x02", at + 4)
    path.write_bytes(content)


DAMAGES = {
    "flipped": flip,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1000]),
    "empty": lambda path: path.write_bytes(b""),
    "encrypted": encrypt,
    "method": another_method,
    "not_json": lambda path: rezip(
        path, lambda name, x: b"{" if name == "config.json" else x
    ),
    "other_class": lambda path: rezip(
        path, lambda name, x: x.replace(b"keras_sagan>SAGAN", b"none>SAGAN")
    ),
    "no_weights": lambda path: rezip(
        path, lambda name, x: b"" if name.endswith(".h5") else x
    ),
}


@pytest.mark.no_backend
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_one_bad_checkpoint_is_set_aside(
    damage, two_checkpoints, tmp_path, capsys
):
    folder = shutil.copytree(two_checkpoints, tmp_path / "checkpoints")
    damage(folder / "step_00000004.keras")
    damaged = (folder / "step_00000004.keras").read_bytes()
    checkpoint = callbacks.Checkpoint(folder, keep=1)
    model = checkpoint.load_latest()
    assert model.count_steps() == 2
    assert "step_00000004.keras" in capsys.readouterr().out
    assert step_names(folder) == [
        "step_00000002.keras",
        "step_00000004.keras.damaged",
    ]
    # It does not hinder the same step, nor count as the one to keep.
    model.steps_trained.assign(4)
    checkpoint.set_model(model)
    checkpoint.save()
    assert step_names(folder) == [
        "step_00000004.keras",
        "step_00000004.keras.damaged",
    ]
    assert checkpoint.load_latest().count_steps() == 4
    aside = (folder / "step_00000004.keras.damaged").read_bytes()
    assert aside == damaged


@pytest.mark.no_backend
def test_checkpoints_that_are_damaged_while_training(two_checkpoints, tmp_path):
    folder = shutil.copytree(two_checkpoints, tmp_path / "checkpoints")
    checkpoint = callbacks.Checkpoint(folder, keep=1)
    model = checkpoint.load_latest()
    flip(folder / "step_00000004.keras")
    checkpoint.set_model(model)
    for step in (4, 6):  # Both damaged; the older one is kept until then.
        model.steps_trained.assign(step)
        checkpoint.save()
    assert step_names(folder) == [
        "step_00000004.keras.damaged",
        "step_00000006.keras",
    ]


@pytest.mark.no_backend
def test_a_checkpoint_counts_by_the_step_in_it(two_checkpoints, tmp_path):
    folder = shutil.copytree(two_checkpoints, tmp_path / "checkpoints")
    (folder / "step_00000002.keras").rename(folder / "step_00000099.keras")
    checkpoint = callbacks.Checkpoint(folder, keep=1)
    model = checkpoint.load_latest()
    assert model.count_steps() == 4
    model.steps_trained.assign(5)
    checkpoint.set_model(model)
    checkpoint.save()
    assert step_names(folder) == ["step_00000005.keras"]


@pytest.mark.no_backend
def test_without_a_checkpoint_that_loads_nothing_begins_again(
    digits_like, two_checkpoints, tmp_path
):
    folder = shutil.copytree(two_checkpoints, tmp_path / "checkpoints")
    for path in folder.iterdir():
        flip(path)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(ValueError, match="One of the checkpoints must load"):
        train(tmp_path, 6, digits_like)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


@pytest.mark.no_backend
def test_a_log_never_stops_training(digits_like, tmp_path):
    train(tmp_path, 3, digits_like, sample_every=100)
    log = Run(tmp_path).log_path
    good = log.read_bytes()
    odd = b'[1]\n3\nnull\n\xff\xfe\n{"step": "two"}\n{}\n' + b"[" * 100_000
    log.write_bytes(odd + b"\n" + good + b'{"step": 9}\n{"st')
    train(tmp_path, 5, digits_like, sample_every=100)
    assert log.read_bytes().startswith(odd + b"\n" + good)
    assert [line["step"] for line in Run(tmp_path).log()] == [3, 5]
    # It cannot even be written: a folder is in its place.
    log.unlink()
    log.mkdir()
    with pytest.warns(UserWarning, match=r"log\.jsonl cannot be written"):
        model = train(tmp_path, 7, digits_like, sample_every=100)
    assert model.count_steps() == 7


@pytest.mark.no_backend
@pytest.mark.parametrize(
    "content", [b"[]", b"{", b"\xff", b"3", b"[" * 100_000, b""]
)
def test_odd_settings_name_the_file(content, digits_like, tmp_path):
    (tmp_path / "settings.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"settings\.json must hold"):
        train(tmp_path, 2, digits_like)


@pytest.mark.no_backend
def test_the_lock_is_not_a_file_that_can_be_deleted(digits_like, tmp_path):
    class Intruder(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            for path in tmp_path.glob(".*"):
                path.unlink()
            with pytest.raises(ValueError, match="another process trains"):
                train(tmp_path, 2, digits_like)
            refused.append(batch)

    refused = []
    train(tmp_path, 2, digits_like, callbacks=[Intruder()])
    assert refused == [0, 1]


@pytest.mark.no_backend
@pytest.mark.parametrize("moved", [True, False])
def test_a_folder_that_is_moved_ends_the_run(moved, digits_like, tmp_path):
    workdir, elsewhere = tmp_path / "run", tmp_path / "elsewhere"

    class Remover(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 1:
                workdir.rename(elsewhere)
                if not moved:
                    shutil.rmtree(elsewhere)

    with pytest.raises(ValueError, match="was moved or removed before step 2"):
        train(workdir, 8, digits_like, callbacks=[Remover()])
    assert not workdir.exists()
    assert elsewhere.exists() == moved


@pytest.mark.no_backend
def test_a_clock_before_1980_saves(tmp_path, monkeypatch):
    localtime = time.localtime
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    monkeypatch.setattr(time, "localtime", lambda *seconds: localtime(1000.0))
    model = small_model(compiled=False)
    model.save(tmp_path / "model.keras")
    assert zipfile.time is time
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert all(same(values(state_of(again)), values(state_of(model))))


def state_of(model):
    return [*model.generator.variables, *model.discriminator.variables]


class Poison(keras.callbacks.Callback):
    """Makes a weight NaN after a step, once."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_begin(self, batch, logs=None):
        self.model.sync_variables()
        if int(self.model.steps_trained) == self.step:
            self.step = None
            weight = self.model.generator.trainable_variables[0]
            weight.assign(weight * float("nan"))


@pytest.mark.no_backend
def test_nan_stops_with_the_last_good_checkpoint(digits_like, tmp_path):
    with pytest.raises(callbacks.TrainingFailed) as error:
        train(tmp_path, 9, digits_like, callbacks=[Poison(3)])
    assert "At step 6" in str(error.value)
    assert "_loss is nan" in str(error.value)
    assert "checkpoint is" in str(error.value)
    assert "step_00000002.keras" in str(error.value)
    assert not (tmp_path / "model.keras").exists()
    checkpoint = callbacks.Checkpoint(tmp_path / "checkpoints")
    assert [p.name for p in checkpoint.paths()] == ["step_00000002.keras"]


@pytest.mark.no_backend
def test_goes_back_when_asked(digits_like, tmp_path, capsys):
    model = train(
        tmp_path, 7, digits_like, callbacks=[Poison(3)], max_rollbacks=1
    )
    assert int(model.steps_trained) == 7
    assert "Going back" in capsys.readouterr().out
    assert all(np.isfinite(v).all() for v in values(model.variables))


@pytest.mark.no_backend
@pytest.mark.parametrize(
    ("number", "raised"),
    [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)],
)
def test_a_signal_saves_and_is_raised(number, raised, digits_like, tmp_path):
    class Terminate(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 0:
                os.kill(os.getpid(), number)

    with pytest.raises(raised) as ending:
        train(
            tmp_path,
            9,
            digits_like,
            callbacks=[Terminate()],
            checkpoint_every=100,
        )
    assert raised is KeyboardInterrupt or ending.value.code == 143
    checkpoint = callbacks.Checkpoint(tmp_path / "checkpoints")
    assert [p.name for p in checkpoint.paths()] == ["step_00000001.keras"]
    assert not (tmp_path / "model.keras").exists()


@pytest.mark.no_backend
def test_tensorboard_reads_what_is_logged(digits_like, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing import event_accumulator

    train(
        tmp_path,
        6,
        digits_like,
        callbacks=[callbacks.TensorBoardLogger(tmp_path)],
    )
    events = event_accumulator.EventAccumulator(str(tmp_path)).Reload()
    lines = Run(tmp_path).log()
    scalars = events.Scalars("discriminator_loss")
    assert [s.step for s in scalars] == [3, 6]
    np.testing.assert_allclose(
        [s.value for s in scalars],
        [line["discriminator_loss"] for line in lines],
        1e-6,
    )


@pytest.mark.no_backend
def test_what_is_sent_to_wandb(digits_like, tmp_path, monkeypatch):
    """A stand-in with the three functions that are called receives it."""
    called = []

    class Session:
        def log(self, values, step):
            called.append((step, values["discriminator_loss"]))

        def finish(self):
            called.append("finished")

    def init(**arguments):
        called.append(arguments)
        return Session()

    module = types.ModuleType("wandb")
    module.init = init
    monkeypatch.setitem(sys.modules, "wandb", module)
    logger = callbacks.WandbLogger(project="sagan", id="one")
    train(tmp_path, 6, digits_like, callbacks=[logger])
    lines = Run(tmp_path).log()
    assert called == [
        {"project": "sagan", "id": "one", "resume": "allow"},
        *((line["step"], line["discriminator_loss"]) for line in lines),
        "finished",
    ]
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ImportError, match="pip install wandb"):
        callbacks.WandbLogger(project="sagan")


SCRIPT = """
import os
import resource
import sys
import keras
import numpy as np
import keras_sagan
from keras_sagan import data, layers, models

# Networks are built without the search for their norms: far sooner.
layers.spectral_normalization.leading_singular_vector = (
    lambda matrix: keras.ops.ones(matrix.shape[1]))
rng = np.random.default_rng(0)
images = rng.integers(256, size=(37, 16, 16, 3), dtype="uint8")
source = data.ArrayImages(images, rng.integers(3, size=37))

def make_model():
    keras.utils.set_random_seed(0)
    model = keras_sagan.SAGAN(
        models.build_generator(16, 3, latent_dim=8, base_channels=2),
        models.build_discriminator(16, 3, base_channels=2),
        ema_momentum=0.9, ema_start_step=2,
        augmentation=("translation", "color"), seed=0)
    model.compile()
    return model

if limit := os.environ.get("LARGEST_FILE"):  # Writing fails beyond it.
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
keras_sagan.train(
    sys.argv[1], make_model,
    lambda step: data.from_source(
        source, 8, start_step=step, steps_per_epoch=5,
        augment=data.augmentation("flip")),
    steps=int(sys.argv[2]), log_every=5, sample_every=1000,
    checkpoint_every=int(sys.argv[3]))
"""


def start(workdir, steps, every, **variables):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(workdir), str(steps), str(every)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
    )


def killed_run(workdir, steps, every, kills, wait, largest_file=None):
    """Kills a run at random moments after its first step, then ends it.

    With `largest_file` it runs once more after each kill, with files that can
    take only so many bytes or fewer, and ends with an error.

    Returns how often it was killed before it ended by itself.
    """
    rng, count = random.Random(0), 0
    for _ in range(kills):
        process, began = start(workdir, steps, every), time.time()
        folder = workdir / "checkpoints"
        before = set(folder.glob("step_*")) if folder.exists() else set()
        while process.poll() is None and time.time() - began < 120:
            # Files of checkpoints come and go: also half-written ones.
            if folder.exists() and set(folder.glob("*")) - before:
                break
            time.sleep(0.002)
        time.sleep(rng.uniform(0, wait))
        count += process.poll() is None
        process.kill()
        process.wait()
        if largest_file:
            limit = rng.randrange(largest_file)
            process = start(workdir, steps, every, LARGEST_FILE=str(limit))
            assert process.wait() > 0
    assert start(workdir, steps, every).wait() == 0
    return count


def final_state(workdir):
    return values(state(keras.saving.load_model(workdir / "model.keras")))


@pytest.mark.skipif(
    keras.backend.backend() != "torch",
    reason="Three processes; the slow test is for every backend",
)
def test_killed_it_ends_with_the_same_weights(tmp_path):
    assert start(tmp_path / "whole", 40, 7).wait() == 0
    assert killed_run(tmp_path / "killed", 40, 2, kills=1, wait=0.05) == 1
    a, b = (final_state(tmp_path / name) for name in ("whole", "killed"))
    assert all(same(a, b))


@pytest.mark.slow
def test_killed_twenty_times_it_ends_with_the_same_weights(tmp_path):
    steps = 600
    assert start(tmp_path / "whole", steps, 1000).wait() == 0
    count = killed_run(tmp_path / "killed", steps, 1, 20, wait=0.6)
    print(f"\n{count} kills")
    assert count == 20
    a, b = (final_state(tmp_path / name) for name in ("whole", "killed"))
    assert all(same(a, b))


@pytest.mark.slow
def test_a_full_disk_between_kills_loses_nothing(tmp_path):
    steps = 400
    assert start(tmp_path / "whole", steps, 100).wait() == 0
    size = (tmp_path / "whole" / "model.keras").stat().st_size
    count = killed_run(tmp_path / "killed", steps, 1, 10, 0.6, size)
    print(f"\n{count} kills, and 10 times a full disk")
    assert count >= 8
    a, b = (final_state(tmp_path / name) for name in ("whole", "killed"))
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)
    folder = tmp_path / "killed"
    # Nothing half-written is left, and the log holds whole lines.
    assert not [x for x in folder.rglob(".*") if x.is_file()]
    steps = [line["step"] for line in Run(folder).log()]
    assert steps == sorted(set(steps))


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="It warned at its end"
)
def test_a_run_ends_without_a_warning(tmp_path):
    """A stop within an epoch leaves an iterator, which warned at its end."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "run"), "3", "9"]
    result = subprocess.run(
        command,
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "1",
        },
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert "interpreter state" not in result.stderr


@pytest.mark.no_backend
def test_checkpoints_of_another_run_are_refused(tmp_path, digits_like):
    """The newest by step are kept, so all of the new run would be removed."""
    checkpoint = callbacks.Checkpoint(tmp_path, every=1, keep=1)
    old = small_model()
    old.steps_trained.assign(50)
    checkpoint.set_model(old)
    checkpoint.save()
    files = sorted(tmp_path.iterdir())
    new = small_model()
    with pytest.raises(ValueError, match="with step 50, and a model at step 0"):
        new.fit(*digits_like, verbose=0, callbacks=[checkpoint])
    assert sorted(tmp_path.iterdir()) == files
