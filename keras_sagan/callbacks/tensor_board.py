"""Logs for TensorBoard without TensorFlow."""

import math

import keras

from keras_sagan.arguments import check_path


class TensorBoardLogger(keras.callbacks.Callback):
    """Writes the logs of each epoch for TensorBoard.

    `keras.callbacks.TensorBoard` imports TensorFlow on every backend. This
    callback only needs the package tensorboard.

    Args:
        directory: Folder for the event files.

    Raises:
        ImportError: If tensorboard is not installed.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> model.compile()
    >>> dataset = keras_sagan.data.from_arrays(
    ...     *keras_sagan.data.load_digits(), batch_size=8, steps_per_epoch=1)
    >>> logger = keras_sagan.callbacks.TensorBoardLogger("logs")
    >>> history = model.fit(dataset, callbacks=[logger], verbose=0)
    >>> import os
    >>> os.listdir("logs")  # doctest: +ELLIPSIS
    ['events.out.tfevents...']
    """

    def __init__(self, directory):
        super().__init__()
        try:
            from tensorboard.compat.proto import event_pb2
            from tensorboard.compat.proto import summary_pb2
            from tensorboard.summary.writer import event_file_writer
        except ImportError as error:
            raise ImportError(
                "Logging for TensorBoard needs the package tensorboard: "
                "pip install 'keras_sagan[tensorboard]'"
            ) from error
        self.directory = check_path("directory", directory)
        self._writer_class = event_file_writer.EventFileWriter
        self._event, self._summary = event_pb2.Event, summary_pb2.Summary

    def on_train_begin(self, logs=None):
        self._writer = self._writer_class(str(self.directory))

    def on_epoch_end(self, epoch, logs=None):
        self.model.sync_variables()
        values = [
            self._summary.Value(tag=name, simple_value=float(value))
            for name, value in (logs or {}).items()
            if math.isfinite(float(value))
        ]
        self._writer.add_event(
            self._event(
                step=self.model.count_steps(),
                summary=self._summary(value=values),
            )
        )
        self._writer.flush()

    def on_train_end(self, logs=None):
        self._writer.close()
