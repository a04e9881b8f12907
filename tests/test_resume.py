"""Training that was interrupted goes on as if it had not been."""

import keras

from keras_sagan import data
from tests.conftest import same
from tests.conftest import tiny_model
from tests.conftest import values


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
