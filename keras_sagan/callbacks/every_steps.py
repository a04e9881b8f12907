"""What callbacks that act every so many steps have in common."""

import keras


class EverySteps(keras.callbacks.Callback):
    """Calls `act(step, logs)` after every `every`-th step of training.

    Steps are those of the model's whole life, as `steps_trained` counts them:
    a run that goes on acts where it would have.

    Args:
        every: Positive integer.
    """

    def __init__(self, every):
        super().__init__()
        if not isinstance(every, int) or every < 1:
            raise ValueError(
                "`every` must be a positive integer, in steps. "
                f"Received: every={every}"
            )
        self.every = every

    def on_train_begin(self, logs=None):
        # Counted here: asking the model after each step would wait for it.
        self._before = self.model.count_steps()
        self._step = self._before

    def on_epoch_begin(self, epoch, logs=None):
        self._before = self._step

    def on_train_batch_end(self, batch, logs=None):
        previous, self._step = self._step, self._before + batch + 1
        # Several steps may make one call.
        if self._step // self.every > previous // self.every:
            self.act(self._step, logs or {})

    def act(self, step, logs):
        raise NotImplementedError
