"""A base class of callbacks that act after a number of steps."""

import keras

from keras_sagan.arguments import check_integer


class EverySteps(keras.callbacks.Callback):
    """Calls `act(step, logs)` after every `every`-th step of training.

    Steps are counted from the first training of the model, as in
    `steps_trained`. A run that was interrupted therefore acts at the same
    steps.

    Args:
        every: Positive integer, the number of steps.
    """

    def __init__(self, every):
        super().__init__()
        check_integer("every", every, 1)
        self.every = every

    def on_train_begin(self, logs=None):
        # The callback counts by itself, because reading the count of the model
        # would wait for the device after each step.
        self._before = self.model.count_steps()
        self._step = self._before

    def on_epoch_begin(self, epoch, logs=None):
        self._before = self._step

    def on_train_batch_end(self, batch, logs=None):
        previous, self._step = self._step, self._before + batch + 1
        if self.is_due(previous, self._step):
            self.act(self._step, logs or {})

    def is_due(self, previous, step):
        """Returns whether to act after `step`.

        `previous` is the step of the call before. One call may be for several
        steps.
        """
        return step // self.every > previous // self.every

    def act(self, step, logs):
        """Does the work of the callback; a subclass defines it."""
        raise NotImplementedError
