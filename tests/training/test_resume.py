"""Training that was interrupted goes on as if it had not been."""

import keras

from keras_sagan import data
from keras_sagan.data.pipelines import Batches
from tests.helpers import same
from tests.helpers import tiny_model
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
    uninterrupted = tiny_model(ema_momentum=0.9, ema_start_step=3)
    fit(uninterrupted, 0, 4)

    keras.utils.set_random_seed(1)
    model = tiny_model(ema_momentum=0.9, ema_start_step=3)
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


class Noted(Batches):
    """Notes the steps for which it made batches."""

    def __init__(self, images, labels):
        source = data.ArrayImages(images, labels)
        super().__init__(source, 8, 0, 5, 2, None, 0, (0, 1))
        self.steps = set()

    def batch(self, step):
        self.steps.add(step)
        return super().batch(step)


def test_fit_and_evaluate_begin_where_a_dataset_is(digits_like):
    """Keras ends an epoch of a dataset before it begins."""
    training, validation = Noted(*digits_like), Noted(*digits_like)
    model = tiny_model()
    model.fit(training, epochs=3, verbose=0)
    assert (training.start_step, training.steps) == (11, {*range(5, 11)})
    training.steps.clear()
    model.evaluate(training, verbose=0)
    assert (training.start_step, training.steps) == (11, {11, 12})
    model.fit(training, validation_data=validation, epochs=2, verbose=0)
    assert (training.start_step, training.steps) == (15, {*range(11, 15)})
    assert (validation.start_step, validation.steps) == (5, {5, 6})
