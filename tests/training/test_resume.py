"""Training that was interrupted goes on as if it had not been."""

import keras

from keras_sagan import data
from tests.helpers import same
from tests.helpers import small_model
from tests.helpers import values


def state(model):
    metrics = {id(v) for v in model.metrics_variables}
    return [
        v
        for v in [*model.variables, *model.optimizer.variables]
        if id(v) not in metrics
    ]


def test_resuming_is_exact(digits_like, tmp_path):
    def fit(model, first, last):
        dataset = data.from_arrays(
            *digits_like, batch_size=8, seed=3, start_step=4 * first
        )
        model.fit(dataset, initial_epoch=first, epochs=last, verbose=0)

    keras.utils.set_random_seed(1)
    uninterrupted = small_model(ema_momentum=0.9, ema_start_step=3)
    fit(uninterrupted, 0, 4)

    keras.utils.set_random_seed(1)
    model = small_model(ema_momentum=0.9, ema_start_step=3)
    fit(model, 0, 2)
    model.save(tmp_path / "checkpoint.keras")
    halfway = values(state(model))
    del model
    keras.utils.set_random_seed(99)
    resumed = keras.saving.load_model(tmp_path / "checkpoint.keras")
    assert all(same(halfway, values(state(resumed))))
    fit(resumed, 2, 4)

    assert not all(same(halfway, values(state(resumed))))
    for variable, equal in zip(
        state(uninterrupted),
        same(values(state(uninterrupted)), values(state(resumed))),
        strict=True,
    ):
        assert equal, variable.path


def noting(images_and_labels):
    """A dataset, and the set of the steps for which it made batches."""
    steps = set()

    def note(images, step):
        steps.add(step)
        return images

    return steps, data.from_arrays(
        *images_and_labels,
        batch_size=8,
        start_step=5,
        steps_per_epoch=2,
        augment=note,
    )


def test_fit_and_evaluate_begin_where_a_dataset_is(digits_like):
    """Keras ends an epoch of a dataset before it begins."""
    steps, training = noting(digits_like)
    validation_steps, validation = noting(digits_like)
    model = small_model()
    model.fit(training, epochs=3, verbose=0)
    assert (training.start_step, steps) == (11, {*range(5, 11)})
    steps.clear()
    model.evaluate(training, verbose=0)
    assert (training.start_step, steps) == (11, {11, 12})
    model.fit(training, validation_data=validation, epochs=2, verbose=0)
    assert (training.start_step, steps) == (15, {*range(11, 15)})
    assert (validation.start_step, validation_steps) == (5, {5, 6})
