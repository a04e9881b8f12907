"""Training in a folder that can continue after it was stopped or killed."""

import contextlib
import signal
import sys
import threading

import keras

from keras_sagan import backends
from keras_sagan import callbacks as our_callbacks
from keras_sagan.arguments import check_integer
from keras_sagan.callbacks.every_steps import EverySteps
from keras_sagan.distribution.agreement import check_agreement
from keras_sagan.distribution.agreement import check_same_folder
from keras_sagan.files import replacing
from keras_sagan.files import write_json
from keras_sagan.training.environment import describe_environment
from keras_sagan.training.environment import warn_elsewhere
from keras_sagan.training.folder import Run


def train(
    workdir,
    make_model,
    make_dataset,
    steps,
    settings=None,
    class_names=None,
    log_every=100,
    sample_every=None,
    checkpoint_every=1000,
    keep=3,
    max_rollbacks=0,
    callbacks=(),
):
    """Trains a SAGAN in a folder. If it is called again, it continues.

    See `Run` for the contents of the folder. A run that was killed at any time
    continues from its last checkpoint. On a CPU with the same number of cores
    and the same versions, its final weights are equal, bit for bit, to those
    of an uninterrupted run; otherwise there is a warning. Ctrl-C and SIGTERM
    end the run after the current step, with a checkpoint. They are then
    raised, so that the code that follows does not use the model as a trained
    one. A second Ctrl-C stops at once.

    With several processes (see `distribution.start`), each process calls this
    function. The first one writes and all of them read, so they must see the
    same folder. A run can continue on another number of devices. Signals are
    handled every ten steps.

    Args:
        workdir: Folder of the run: a new one, or one that this function began.
        make_model: Function without arguments that returns a compiled
            `SAGAN`. It is called if there is no checkpoint.
        make_dataset: Function of a number of steps. It returns the dataset
            for `fit` that follows these steps, such as
            `lambda step: data.from_source(source, 64, start_step=step,
            steps_per_epoch=100)`, or an endless `tf.data.Dataset`.
        steps: Positive integer, the step at which the run ends.
        settings: Dict of settings that must not change when the run continues.
        class_names: Strings that are written to `classes.json`, or None.
        log_every: Positive integer, the number of steps between lines of the
            log, for an endless dataset. A `PyDataset` has a line for each of
            its epochs.
        sample_every: Positive integer, the number of steps between sample
            grids. If `None`, defaults to the steps of `callbacks.SampleGrid`.
        checkpoint_every: Positive integer, the number of steps between
            checkpoints.
        keep: Positive integer, the number of checkpoints to keep.
        max_rollbacks: Non-negative integer. If training fails (see
            `callbacks.Guard`), it returns to the last checkpoint and continues
            with other latents, at most this many times.
        callbacks: More callbacks for `fit`. Each process runs those that it
            gets: only the first process needs loggers, but all processes need
            `Evaluation`.

    Returns:
        The trained `SAGAN`.

    Raises:
        ValueError: If `steps` is not a positive integer, if `workdir` contains
            a run with other settings, or if another process trains there.
        TrainingFailed: If training fails more often than `max_rollbacks`. The
            message names the last checkpoint.
        KeyboardInterrupt: After Ctrl-C, when the checkpoint is written.
        SystemExit: After SIGTERM, when the checkpoint is written, with status
            143.

    Example:

    >>> images, labels = keras_sagan.data.load_digits()
    >>> def make_model():
    ...     model = keras_sagan.SAGAN.from_preset("digits")
    ...     model.compile()
    ...     return model
    >>> def make_dataset(step):
    ...     return keras_sagan.data.from_arrays(
    ...         images, labels, 8, start_step=step, steps_per_epoch=1)
    >>> model = keras_sagan.train(  # doctest: +ELLIPSIS
    ...     "runs/digits", make_model, make_dataset, steps=1)
    Compiling the first step...
    Wrote runs/digits/model.keras; see runs/digits/samples
    """
    check_integer("steps", steps, 1)
    backends.prepare_training()  # Before `fit`; see this function.
    run = Run(workdir)
    writes = backends.process()[0] == 0
    check_agreement(
        settings=settings,
        steps=steps,
        log_every=log_every,
        checkpoint_every=checkpoint_every,
        max_rollbacks=max_rollbacks,
    )
    with run.lock() if writes else contextlib.nullcontext():
        check_same_folder("workdir", run.path)
        if writes:
            run.check_settings(settings or {})
        checkpoint = our_callbacks.Checkpoint(
            run.checkpoints_path, checkpoint_every, keep
        )
        model = _load_latest(checkpoint)
        if model is None:
            model = make_model()
        elif writes:
            print(f"Continuing from step {model.count_steps():,}")
            if model.count_steps() >= steps:
                print(f"There is nothing to train: steps={steps:,}")
            warn_elsewhere(run.environment_path)
        if writes:  # Not before, because making the model may fail.
            run.write_settings(settings or {}, class_names)
            write_json(run.environment_path, describe_environment())
        check_agreement(first_step=model.count_steps())
        stop = _Stop(steps)
        for attempt in range(max_rollbacks + 1):
            if model.count_steps() >= steps:
                break
            try:
                with stop.on_signals():
                    _fit(
                        model,
                        make_dataset,
                        steps,
                        log_every,
                        [
                            *([_StillThere(run)] * writes),
                            *(_writers(run, steps, sample_every) * writes),
                            *callbacks,
                            # After callbacks that may change the logs, but
                            # before the checkpoint.
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
            _finish(run, model, steps)
    stop.raise_signal()
    return model


def _finish(run, model, steps):
    done = model.count_steps()
    if done < steps:
        print(f"Stopped at step {done:,}; run again to continue from there")
        return
    grid = _sample_grid(run)
    if not grid.path(done).exists():  # For any `sample_every`.
        grid.set_model(model)
        grid.act(done, {})
    with replacing(run.model_path) as temporary:
        model.save(temporary)
    print(f"Wrote {run.model_path}; see {run.samples_path}")


def _sample_grid(run, every=None):
    return our_callbacks.SampleGrid(
        run.samples_path, every, class_names=run.class_names()
    )


def _writers(run, steps, sample_every):
    return [
        our_callbacks.ProgressBar(total=steps),
        our_callbacks.JSONLogger(run.log_path),
        _sample_grid(run, sample_every),
    ]


def _load_latest(checkpoint):
    """Loads the newest checkpoint after all processes have finished writing."""
    backends.gather(0)
    return checkpoint.load_latest()


class _StillThere(EverySteps):
    """Ends training with an error if the run's folder is moved or removed.

    Writing into it would make a new folder with only a part of the run.
    """

    def __init__(self, run):
        super().__init__(every=1)
        self.path = run.path
        self.begun = self._identity()

    def act(self, step, logs):
        if self._identity() != self.begun:
            raise ValueError(
                "`workdir` must stay where it is while training goes on. "
                f"Received: workdir={self.path}, which was moved or removed "
                f"before step {step:,}"
            )

    def _identity(self):
        try:
            state = self.path.stat()
        except FileNotFoundError:
            return None
        return state.st_dev, state.st_ino


class _Stop(EverySteps):
    """Ends `fit` at a step, or after the step in which a signal arrives."""

    def __init__(self, steps):
        super().__init__(every=1)
        self.steps = steps
        self.asked = 0  # The number of the signal.
        self.processes = backends.process()[1]
        self.calls = 0

    def act(self, step, logs):
        asked, self.calls = self.asked, self.calls + 1
        if self.processes > 1:
            # All must stop together, or one would wait for another forever.
            asked = 0
            if self.calls % 10 == 0:
                asked = self.asked = int(backends.gather(self.asked).max())
        if asked or step >= self.steps:
            self.model.stop_training = True

    def raise_signal(self):
        """Raises the exception of the signal, if one arrived."""
        if self.asked == signal.SIGINT:
            raise KeyboardInterrupt
        if self.asked:
            sys.exit(128 + self.asked)  # The convention of shells.

    @contextlib.contextmanager
    def on_signals(self):
        if threading.current_thread() is not threading.main_thread():
            yield  # Only the main thread can handle signals.
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
        self.asked = number
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
    """Returns the model of the last checkpoint, or raises an error."""
    paths = checkpoint.paths()
    last = (
        f"the last good checkpoint is {paths[-1]}"
        if paths
        else "there is no checkpoint yet"
    )
    if attempt == max_rollbacks or not paths:
        raise our_callbacks.TrainingFailed(f"{error} {last}") from error
    print(f"\n{error} Going back: {last}")
    model = _load_latest(checkpoint)
    # With the same latents, training would fail in the same way.
    other = keras.random.SeedGenerator(attempt + 1).state
    model.seed_generator.state.assign(
        model.seed_generator.state + keras.ops.convert_to_tensor(other)
    )
    return model
