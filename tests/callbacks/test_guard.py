"""Runs that have failed are stopped."""

import pytest

from keras_sagan import callbacks
from tests.helpers import small_model

pytestmark = pytest.mark.usefixtures("any_singular_vector")


@pytest.mark.no_backend
@pytest.mark.parametrize(
    ("losses", "fails"),
    [
        ([0.0, 0.0, 0.0], True),
        ([0.0, 0.0, 0.5, 0.0], False),
        ([-0.5, -0.1, -0.2, -0.3], False),  # Wasserstein's, for instance.
        ([float("inf")], True),
    ],
)
def test_guard(losses, fails):
    guard = callbacks.Guard(patience=3)
    guard.set_model(small_model())
    guard.on_train_begin()

    def run():
        for loss in losses:
            guard.on_epoch_end(
                0, {"discriminator_loss": loss, "generator_loss": 0.0}
            )

    if fails:
        with pytest.raises(callbacks.TrainingFailed, match="At step 0"):
            run()
    else:
        run()


@pytest.mark.no_backend
def test_guard_sees_a_collapse():
    model = small_model()
    guard = callbacks.Guard(patience=2, images_every=1)
    guard.set_model(model)
    logs = {"discriminator_loss": 1.0, "generator_loss": 0.0}
    guard.on_train_begin()
    kernel = next(
        v for v in model.ema_generator.variables if "kernel" in v.path
    )
    kernel.assign(kernel * 0)  # The latents no longer matter.
    guard.on_epoch_end(0, logs)
    with pytest.raises(callbacks.TrainingFailed, match="has collapsed"):
        guard.on_epoch_end(1, logs)
