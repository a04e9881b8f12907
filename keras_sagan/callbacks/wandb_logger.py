"""Logs for Weights & Biases on any backend."""

import math

import keras


class WandbLogger(keras.callbacks.Callback):
    """Sends the logs of each epoch to Weights & Biases.

    W&B's own callback for Keras imports TensorFlow on every backend. This one
    only needs the package wandb.

    Args:
        **arguments: Arguments of `wandb.init`, such as `project` and
            `config`. If a run continues with the same `id`, it is still one
            run in W&B.

    Raises:
        ImportError: If wandb is not installed.

    Example:

    >>> logger = keras_sagan.callbacks.WandbLogger(  # doctest: +SKIP
    ...     project="sagan", id="one")
    >>> model.fit(dataset, callbacks=[logger])  # doctest: +SKIP
    """

    def __init__(self, **arguments):
        super().__init__()
        try:
            import wandb
        except ImportError as error:
            raise ImportError(
                "Logging for Weights & Biases needs the package wandb: "
                "pip install wandb"
            ) from error
        self._init = wandb.init
        self.arguments = {"resume": "allow", **arguments}

    def on_train_begin(self, logs=None):
        self._run = self._init(**self.arguments)

    def on_epoch_end(self, epoch, logs=None):
        self.model.sync_variables()
        values = {k: float(v) for k, v in (logs or {}).items()}
        self._run.log(
            {k: v for k, v in values.items() if math.isfinite(v)},
            step=self.model.count_steps(),
        )

    def on_train_end(self, logs=None):
        self._run.finish()
