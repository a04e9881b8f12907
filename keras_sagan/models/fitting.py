"""The methods `compile`, `fit` and `evaluate` of `SAGAN`, around Keras' own."""

import keras
from keras import ops
from keras.callbacks import LambdaCallback

from keras_sagan import backends
from keras_sagan import losses
from keras_sagan.arguments import check_bool
from keras_sagan.arguments import check_integer
from keras_sagan.models import checks
from keras_sagan.models import data_checks
from keras_sagan.models import step_callbacks
from keras_sagan.models.meter import Meter
from keras_sagan.models.optimizer_pair import make_optimizer_pair
from keras_sagan.models.watch import Watch


def compile(
    model,
    generator_optimizer=None,
    discriminator_optimizer=None,
    loss="hinge",
    gradient_penalty=None,
    run_eagerly=False,
    steps_per_execution=1,
    jit_compile="auto",
):
    """Sets both optimizers (TTUR), the loss, and how a step is run.

    Args:
        model: The `SAGAN`.
        generator_optimizer: A `keras.optimizers.Optimizer` or its name. If
            `None`, defaults to Adam with learning rate 1e-4, beta_1 0, beta_2
            0.999, epsilon 1e-8.
        discriminator_optimizer: A `keras.optimizers.Optimizer` or its name. If
            `None`, defaults to the same Adam with learning rate 4e-4.
        loss: An `AdversarialLoss`, or its name: `"hinge"`,
            `"non_saturating"`, `"least_squares"`, `"wasserstein"` or
            `"relativistic"`.
        gradient_penalty: A `losses.GradientPenalty` such as `R1`, a list
            of them, or None.
        run_eagerly: Whether to run without compiling, for debugging.
        steps_per_execution: Number of steps per compiled call. The results are
            those of single steps, except for rounding on a GPU with JAX.
            Callbacks are called once per call. On PyTorch, each step is a
            call of its own.
        jit_compile: As in `keras.Model.compile`. On PyTorch, `True` records
            a graph of the step once and then runs it without the Python code
            of Keras, which is faster if steps are short.

    Raises:
        ValueError: If the two optimizers are the same object, or if `loss` or
            `gradient_penalty` has the wrong type.
    """
    check_bool("run_eagerly", run_eagerly)
    check_integer("steps_per_execution", steps_per_execution, 1)
    if not isinstance(jit_compile, (bool, str, type(None))) or (
        jit_compile not in (True, False, None, "auto")
    ):
        raise ValueError(
            "`jit_compile` must be True, False or 'auto'. "
            f"Received: jit_compile={jit_compile!r}"
        )
    loss = losses.get(loss)
    extra = checks.check_loss(loss)
    penalties = checks.check_penalties(gradient_penalty)
    pair = make_optimizer_pair(generator_optimizer, discriminator_optimizer)
    # Saved as the user gave them, because "auto" depends on the backend.
    model.run_options = {
        "run_eagerly": run_eagerly,
        "steps_per_execution": steps_per_execution,
        "jit_compile": jit_compile,
    }
    keras.Model.compile(
        model,
        optimizer=pair,
        auto_scale_loss=False,
        **{
            **model.run_options,
            # Keras (3.15.1) refuses other numbers where it runs eagerly.
            "steps_per_execution": 1
            if backends.RUNS_EAGERLY
            else steps_per_execution,
            "jit_compile": model.set_jit_compile(jit_compile),
        },
    )
    model.loss, model.penalties = loss, penalties
    model.meter = Meter([*extra, *(["gradient_penalty"] * bool(penalties))])
    pair.build_pair(
        model.generator.trainable_variables,
        model.discriminator.trainable_variables,
    )


def fit(
    model,
    x=None,
    y=None,
    batch_size=None,
    epochs=1,
    verbose="auto",
    callbacks=None,
    **kwargs,
):
    """Trains on images and labels, with the arguments of `keras.Model.fit`.

    Args:
        model: The `SAGAN`.
        x: Images `(N, height, width, channels)`, floats in [-1, 1] or
            uint8, or a dataset of batches `(images, labels)`: a
            `tf.data.Dataset`, a `keras.utils.PyDataset`, a PyTorch
            `DataLoader`, a generator. Without classes, the batches are only
            images.
        y: Integer labels `(N,)`, if `x` is an array of images.
        batch_size: Number of images per batch, if `x` is an array.
        epochs: Number of passes over the data.
        verbose: As in Keras.
        callbacks: As in Keras.
        **kwargs: As in Keras.

    Returns:
        A `keras.callbacks.History`.

    Raises:
        ValueError: If the arrays, the first batch of a dataset, or the
            labels of a later batch do not fit the networks. The message says
            what to do.
    """
    if not model.compiled:
        raise ValueError("You must call `compile()` before `fit()`.")
    check_integer("batch_size", batch_size, 1, optional=True)
    check_integer("epochs", epochs, 1)
    check_integer("initial_epoch", kwargs.get("initial_epoch", 0), 0)
    check_integer(
        "steps_per_epoch", kwargs.get("steps_per_epoch"), 1, optional=True
    )
    check_bool("shuffle", kwargs.get("shuffle", True))
    data_checks.check_no_weights(kwargs)
    validation = kwargs.pop("validation_data", None)
    given = x
    x, batch = data_checks.checked(model, x, y, batch_size)
    parts = model.discriminator_steps * model.gradient_accumulation_steps
    checks.check_batch_size(batch, parts, backends.devices())
    if validation is not None:
        kwargs["validation_data"] = checked_validation(model, validation)
    checks.check_processes(model, given, batch, epochs, kwargs)
    backends.prepare_training()
    if isinstance(x, keras.utils.PyDataset):
        # Keras would shuffle the batches by a global seed, and a resumed
        # run would get another order. The dataset itself decides the order.
        kwargs.setdefault("shuffle", False)
    callbacks = fit_callbacks(
        callbacks, x, kwargs.get("validation_data"), batch
    )
    if not isinstance(callbacks, keras.callbacks.CallbackList):
        steps = step_callbacks.steps_in_epoch(
            x,
            batch_size,
            kwargs.get("steps_per_epoch"),
            kwargs.get("validation_split", 0.0),
        )
        callbacks = step_callbacks.callback_list(
            model, callbacks, verbose, epochs, steps, in_fit=True
        )
    model.broadcast_variables()
    with model.keeping_variables():
        return keras.Model.fit(
            model, x, y, batch_size, epochs, verbose, callbacks, **kwargs
        )


def evaluate(
    model,
    x=None,
    y=None,
    batch_size=None,
    verbose="auto",
    sample_weight=None,
    steps=None,
    callbacks=None,
    **kwargs,
):
    """Computes the losses, with the arguments of `keras.Model.evaluate`.

    Both networks run in inference mode, on the same latents and labels at each
    call. The state of the training does not change.
    """
    if not model.compiled:
        raise ValueError(
            "`compile` must be called before `evaluate`. Received: a model "
            "that is not compiled"
        )
    model.sync_variables()  # A callback of `fit` may call this.
    state = model.evaluation_seed_generator.state
    before = ops.convert_to_numpy(state)
    rewind = rewind_to_here(x)
    # `fit` has already checked its validation data.
    if not isinstance(callbacks, keras.callbacks.CallbackList):
        data_checks.check_no_weights({"sample_weight": sample_weight})
        x, _ = data_checks.checked(model, x, y, batch_size)
        callbacks = _with(callbacks, LambdaCallback(on_test_begin=rewind))
        callbacks = step_callbacks.callback_list(
            model,
            callbacks,
            verbose,
            1,
            step_callbacks.steps_in_epoch(x, batch_size, steps),
            in_fit=False,
        )
    try:
        with model.keeping_variables():
            return keras.Model.evaluate(
                model,
                x,
                y,
                batch_size,
                verbose,
                None,
                steps,
                callbacks,
                **kwargs,
            )
    finally:
        state.assign(before)
        rewind()


def train_on_batch(model, x, y=None, *args, **kwargs):
    """Runs one step, with the arguments of `keras.Model.train_on_batch`.

    Raises:
        ValueError: As in `fit`.
    """
    x = checked_batch(model, x, y, args, kwargs)
    return keras.Model.train_on_batch(model, x, y, *args, **kwargs)


def test_on_batch(model, x, y=None, *args, **kwargs):
    """Computes the losses, with the arguments of `keras.Model.test_on_batch`.

    Raises:
        ValueError: As in `fit`.
    """
    x = checked_batch(model, x, y, args, kwargs)
    return keras.Model.test_on_batch(model, x, y, *args, **kwargs)


def checked_batch(model, x, y, weights, arguments):
    """Checks the arguments of `train_on_batch` and `test_on_batch`.

    Returns:
        The images.
    """
    names = ("sample_weight", "class_weight")
    data_checks.check_no_weights({**arguments, **dict(zip(names, weights))})
    return data_checks.checked(model, x, y)[0]


def checked_validation(model, validation):
    """Returns the validation data of `fit`, checked."""
    if isinstance(validation, (tuple, list)):
        if not 1 <= len(validation) <= 3:
            raise ValueError(
                "`validation_data` must be (images, labels) or a dataset. "
                f"Received: a tuple of {len(validation)} entries"
            )
        images, labels = data_checks.unpack_batch(tuple(validation))
        images, _ = data_checks.checked(model, images, labels)
        return (images, *validation[1:])
    return data_checks.checked(model, validation)[0]


def fit_callbacks(callbacks, x, validation_data, batch_size):
    """Returns the user's callbacks and those of every `fit` of `SAGAN`."""
    return _with(
        callbacks,
        Watch(batch_size * backends.process()[1]),
        LambdaCallback(on_train_begin=rewind_to_here(x)),
        LambdaCallback(on_test_begin=rewind_to_here(validation_data)),
    )


def rewind_to_here(dataset):
    """Returns a function that sets a dataset back to its current position.

    Before training begins, Keras tells a `PyDataset` that an epoch has ended
    (`EpochIterator.reset`, 3.15.1). The datasets of `keras_sagan.data` then go
    on to the next epoch.
    """
    start_step = getattr(dataset, "start_step", None)

    def rewind(logs=None):
        if start_step is not None:
            dataset.start_step = start_step

    return rewind


def _with(callbacks, *ours):
    """Adds callbacks to those of the user, in any form that Keras accepts."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        for callback in ours:
            callbacks.append(callback)
        return callbacks
    callbacks = [] if callbacks is None else keras.tree.flatten(callbacks)
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ValueError(
                "`callbacks` must be a list of `keras.callbacks.Callback`. "
                f"Received: {callback!r:.80} in it"
            )
    return [*ours, *callbacks]
