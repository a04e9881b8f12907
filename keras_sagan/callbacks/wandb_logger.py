"""Logs for Weights & Biases, on any backend."""

import math

import keras


class WandbLogger(keras.callbacks.Callback):
    """Sends the logs of each epoch to Weights & Biases, by training step.

    W&B's own callback for Keras imports TensorFlow on every backend; this
    needs the package wandb alone.

    Args:
        **arguments: Of `wandb.init`: `project`, `config`, ... With one `id`, a
            run that goes on here is one run there too.

    Raises:
        ImportError: If wandb is missing.

    Example:
        callback = keras_sagan.callbacks.WandbLogger(project="sagan", id="one")
    """

    def __init__(self, **arguments):
        super().__init__()
        try:
            import wandb
        except ImportError as error:
            raise ImportError(
                "Logs for Weights & Biases are sent by wandb: pip install wandb"
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
