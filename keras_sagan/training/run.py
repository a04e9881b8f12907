"""A training run in a folder, that goes on where it was stopped or killed."""

import contextlib
import json
import pathlib
import signal
import threading

import keras

from keras_sagan import backends
from keras_sagan import callbacks as our_callbacks
from keras_sagan.callbacks.every_steps import EverySteps
from keras_sagan.files import replacing
from keras_sagan.files import write_json


def train(
    workdir,
    make_model,
    make_dataset,
    steps,
    settings=None,
    class_names=None,
    log_every=100,
    sample_every=1000,
    checkpoint_every=1000,
    keep=3,
    max_rollbacks=0,
    callbacks=(),
):
    """Trains a SAGAN in a folder; called again, it goes on from there.

    The folder holds `settings.json`, `classes.json`, `log.jsonl`, `samples/`,
    `checkpoints/`, and at the end `model.keras`. A run that was killed at any
    moment goes on from its last checkpoint, and ends, on a CPU, with the
    weights, bit for bit, of one that never was. Ctrl-C and SIGTERM let the
    step end and save; a second Ctrl-C stops at once.

    On several processes, see `distribution.start`, each calls this; the first
    one writes, and all read, so that they must see the same folder. A run
    goes on on any number of devices. Signals are obeyed every ten steps.

    Args:
        workdir: Folder of the run, new or one that this function began.
        make_model: Function without arguments, that returns a compiled
            `SAGAN`; called if there is no checkpoint.
        make_dataset: Function of a number of steps, that returns a dataset
            for `fit` which goes on after them, such as
            `lambda step: data.from_source(source, 64, start_step=step,
            steps_per_epoch=100)`, or an endless `tf.data.Dataset`.
        steps: Positive integer, where the run ends.
        settings: Dict of what must stay the same while the run goes on.
        class_names: Strings, kept in `classes.json`; or None.
        log_every: Positive integer, steps between lines of the log for an
            endless dataset; a `PyDataset` has a line for each of its epochs.
        sample_every: Positive integer, steps between sample grids.
        checkpoint_every: Positive integer, steps between checkpoints.
        keep: Positive integer, checkpoints that are kept.
        max_rollbacks: Non-negative integer, how often a run that fails, see
            `callbacks.Guard`, goes back to its last checkpoint and on from
            there with other latents.
        callbacks: More callbacks for `fit`. Each process runs those that it
            gives: loggers belong to the first one alone, `Evaluation` to all.

    Returns:
        The trained `SAGAN`.

    Raises:
        ValueError: If `workdir` holds a run with other settings, or another
            process trains there.
        TrainingFailed: If the run fails more often than `max_rollbacks`; the
            message names the last checkpoint.
    """
    workdir = pathlib.Path(workdir)
    writes = backends.process()[0] == 0
    with _owned(workdir) if writes else contextlib.nullcontext():
        if writes:
            check_settings(workdir, settings or {})
        checkpoint = our_callbacks.Checkpoint(
            workdir / "checkpoints", checkpoint_every, keep
        )
        model = _load_latest(checkpoint)
        if model is None:
            model = make_model()
        elif writes:
            print(f"Going on from step {model.count_steps():,}")
        if writes:  # Not before there is a model: it may be refused.
            write_json(workdir / "settings.json", settings or {})
            if class_names is not None:
                write_json(workdir / "classes.json", list(class_names))
        _check_agreement(workdir, model)
        for attempt in range(max_rollbacks + 1):
            if model.count_steps() >= steps:
                break
            stop = _Stop(steps)
            try:
                with stop.on_signals():
                    _fit(
                        model,
                        make_dataset,
                        steps,
                        log_every,
                        [
                            *(_writers(workdir, steps, sample_every) * writes),
                            *callbacks,
                            # After what may change the logs, before saving.
                            our_callbacks.Guard(),
                            *([checkpoint] * writes),
                            stop,
                        ],
                    )
            except our_callbacks.TrainingFailed as error:
                model = _roll_back(checkpoint, attempt, max_rollbacks, error)
                continue
            break
        if writes:
            _finish(workdir, model, steps)
    return model


def check_settings(workdir, settings):
    """Raises a ValueError if a run in this folder has other settings."""
    path = pathlib.Path(workdir) / "settings.json"
    if not path.exists():
        return
    before = dict(_flat(json.loads(path.read_text())))
    now = dict(_flat(json.loads(json.dumps(settings))))
    other = [
        f"{name}={before.get(name)}, now {now.get(name)}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
    if other:
        raise ValueError(
            "`workdir` holds a run with other settings: choose another folder, "
            f"or those. Received: workdir={workdir}, where {'; '.join(other)}"
        )


def _flat(settings, prefix=""):
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _finish(workdir, model, steps):
    done = model.count_steps()
    if done < steps:
        print(f"Stopped at step {done:,}; run again, it goes on from there")
        return
    grid = our_callbacks.SampleGrid(workdir / "samples")
    if not grid.path(done).exists():  # Whatever `sample_every`.
        grid.set_model(model)
        grid.act(done, {})
    with replacing(workdir / "model.keras") as temporary:
        model.save(temporary)
    print(f"Wrote {workdir / 'model.keras'}; see {workdir / 'samples'}")


def _writers(workdir, steps, sample_every):
    return [
        our_callbacks.ProgressBar(total=steps),
        our_callbacks.JSONLogger(workdir / "log.jsonl"),
        our_callbacks.SampleGrid(workdir / "samples", sample_every),
    ]


def _load_latest(checkpoint):
    """Loads the newest checkpoint once no process writes one any more."""
    backends.gather(0)
    return checkpoint.load_latest()


def _check_agreement(workdir, model):
    steps = backends.gather(model.count_steps()).tolist()
    if len(set(steps)) > 1:
        raise ValueError(
            "`workdir` must be a folder that all processes see. Received: "
            f"workdir={workdir}, where they find the steps {steps}"
        )


class _Stop(EverySteps):
    """Ends `fit` at a step, or after the one in which a signal comes."""

    def __init__(self, steps):
        super().__init__(every=1)
        self.steps = steps
        self.asked = False
        self.processes = backends.process()[1]
        self.calls = 0

    def act(self, step, logs):
        asked, self.calls = self.asked, self.calls + 1
        if self.processes > 1:
            # Together, or one would wait for another that has stopped.
            asked = self.calls % 10 == 0 and backends.gather(asked).any()
        if asked or step >= self.steps:
            self.model.stop_training = True

    @contextlib.contextmanager
    def on_signals(self):
        if threading.current_thread() is not threading.main_thread():
            yield  # Signals are the main thread's.
            return
        before = {
            number: signal.signal(number, self._ask)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, number, frame):
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True
        print("\nStopping after this step, with a checkpoint", flush=True)


def _fit(model, make_dataset, steps, log_every, callbacks):
    done = model.count_steps()
    dataset = make_dataset(done)
    endless = not isinstance(dataset, keras.utils.PyDataset)
    an_epoch = log_every if endless else len(dataset)
    model.fit(
        dataset,
        epochs=-(-(steps - done) // an_epoch),
        steps_per_epoch=log_every if endless else None,
        verbose=0,
        callbacks=callbacks,
    )


def _roll_back(checkpoint, attempt, max_rollbacks, error):
    """Returns the model of the last checkpoint, or raises."""
    paths = checkpoint.paths()
    last = (
        f"the last good checkpoint is {paths[-1]}"
        if paths
        else ("there is no checkpoint yet")
    )
    if attempt == max_rollbacks or not paths:
        raise our_callbacks.TrainingFailed(f"{error} {last}") from error
    print(f"\n{error} Going back: {last}")
    model = _load_latest(checkpoint)
    # With the same latents it would fail in the same way.
    other = keras.random.SeedGenerator(attempt + 1).state
    model.seed_generator.state.assign(
        model.seed_generator.state + keras.ops.convert_to_tensor(other)
    )
    return model


@contextlib.contextmanager
def _owned(workdir):
    """Holds the folder for this process; a killed one lets go of it."""
    workdir.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Windows.
        yield
        return
    with open(workdir / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                "`workdir` must be that of one process: another trains there "
                f"now. Received: workdir={workdir}"
            ) from None
        yield
