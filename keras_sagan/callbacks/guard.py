"""Stops a run that has failed."""

import math

import keras

from keras_sagan.arguments import check_integer


class TrainingFailed(RuntimeError):
    """Raised if training has failed; the message says how.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> model.compile(discriminator_optimizer=keras.optimizers.SGD(1e30))
    >>> dataset = keras_sagan.data.from_arrays(
    ...     *keras_sagan.data.load_digits(), batch_size=8, steps_per_epoch=2)
    >>> guard = keras_sagan.callbacks.Guard()
    >>> try:
    ...     model.fit(dataset, callbacks=[guard], verbose=0)
    ... except keras_sagan.callbacks.TrainingFailed as error:
    ...     print(error)
    At step 2: discriminator_loss is nan.
    """


class Guard(keras.callbacks.Callback):
    """Stops `fit` when the losses or the images show that it has failed.

    Training has failed if a loss is NaN or infinite at the end of an epoch;
    if the discriminator's loss has stayed at zero, so that the generator
    learns nothing; or if the images of the EMA generator, which are checked
    every `images_every` epochs, do not depend on the latents.

    Args:
        patience: Positive integer. Training fails after this many epochs in a
            row with a discriminator loss from 0 to 0.001, or after this many
            checks in a row that find equal images.
        images_every: Positive integer, the number of epochs between checks of
            the images.

    Raises:
        TrainingFailed: In `fit`, with what happened and at which step.

    Example:

    >>> callback = keras_sagan.callbacks.Guard(patience=5)
    """

    def __init__(self, patience=5, images_every=10):
        super().__init__()
        for name, value in (
            ("patience", patience),
            ("images_every", images_every),
        ):
            check_integer(name, value, 1)
        self.patience = patience
        self.images_every = images_every

    def on_train_begin(self, logs=None):
        self._at_zero = self._alike = self._epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        for name in ("discriminator_loss", "generator_loss"):
            if not math.isfinite(float(logs[name])):
                self._fail(f"{name} is {float(logs[name])}")
        # Losses that can be negative, such as Wasserstein's, are not at their
        # least value there.
        at_zero = 0 <= float(logs["discriminator_loss"]) < 1e-3
        self._at_zero = self._at_zero + 1 if at_zero else 0
        if self._at_zero >= self.patience:
            self._fail(
                "the discriminator's loss has been 0 for "
                f"{self._at_zero} epochs: it recognizes all generated images, "
                "and the generator learns nothing. A lower learning rate of "
                "the discriminator or `augmentation` may help"
            )
        self._epochs += 1
        if self._epochs % self.images_every == 0:
            self._look()

    def _look(self):
        labels = None if self.model.num_classes is None else 0
        images = self.model.generate(labels=labels, num_images=8, seed=0)
        # In levels of 255. The images of a new network also differ by less.
        alike = images.astype("float32").std(axis=0).max() < 2
        self._alike = self._alike + 1 if alike else 0
        if self._alike >= self.patience:
            self._fail(
                "the images of eight latents have been the same "
                f"{self._alike} times: the generator has collapsed"
            )

    def _fail(self, what):
        self.model.sync_variables()
        step = self.model.count_steps()
        raise TrainingFailed(f"At step {step:,}: {what}.")
