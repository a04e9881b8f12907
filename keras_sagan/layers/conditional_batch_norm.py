"""Class-conditional batch normalization."""

import keras
from keras import ops

from keras_sagan import backends
from keras_sagan.arguments import check_bool
from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_number
from keras_sagan.layers.batch_norm import BatchNorm
from keras_sagan.layers.copies import assign
from keras_sagan.layers.copies import blend
from keras_sagan.layers.spectral_normalization import SpectralNormalization


@keras.saving.register_keras_serializable(package="keras_sagan")
class ClassTable(keras.layers.Layer):
    """Looks up rows of a table: integers `(batch,)` to `(batch, channels)`.

    It is not an `Embedding`, so that spectral normalization takes the channels
    as outputs, as in a linear layer on one-hot labels.

    Args:
        num_classes: Positive integer, the number of rows.
        channels: Positive integer, the number of columns.
        **kwargs: Base layer arguments.
    """

    def __init__(self, num_classes, channels, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.channels = channels

    def build(self, input_shape=None):
        self.kernel = self.add_weight(
            shape=(self.num_classes, self.channels),
            initializer="glorot_uniform",
            name="kernel",
        )

    def call(self, labels):
        return self.call_with_kernel(self.kernel, labels)

    def call_with_kernel(self, kernel, labels):
        return ops.take(kernel, labels, axis=0)

    def compute_output_shape(self, input_shape):
        return *input_shape, self.channels

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "channels": self.channels,
        }


@keras.saving.register_keras_serializable(package="keras_sagan")
class ConditionalBatchNorm(BatchNorm):
    """Batch normalization with one gamma and one beta per class.

    `y = gamma[label] * (x - mean) / sqrt(variance + epsilon) + beta[label]`.

    The moments are those of the whole batch, whatever its classes, and are
    treated as in `BatchNorm`. Gradients of every order are correct. The gammas
    start at 1 and the betas at 0. As in the SAGAN release, the tables have no
    spectral normalization. `spectral_normalization=True` gives the module of
    StudioGAN instead: gamma is `1 + table[label]`, and both tables are
    spectrally normalized, as linear layers from classes to channels.

    Args:
        num_classes: Positive integer, the number of classes.
        momentum: Float in [0, 1], the share that the moving moments keep.
        epsilon: Positive float, added to the variance.
        spectral_normalization: Whether the tables are spectrally normalized.
        spectral_epsilon: Epsilon of that normalization.
        synchronized: Whether several devices normalize by the statistics of
            the whole batch; see `BatchNorm`.
        **kwargs: Base layer arguments.

    Call arguments:
        inputs: Float tensor `(batch, ..., channels)`.
        labels: Integer tensor `(batch,)`, values in `[0, num_classes)`; or
            floats `(batch, num_classes)`, the weights of a weighted sum of
            the rows of the tables.
        training: Whether to use the moments of this batch, and to move the
            stored ones towards them.

    Returns:
        A tensor of the shape of `inputs`, in the compute dtype.

    Raises:
        ValueError: If an argument is out of range, or `labels` are neither
            integers of shape `(batch,)` nor such weights.

    Example:

    >>> layer = keras_sagan.layers.ConditionalBatchNorm(num_classes=10)
    >>> tuple(layer(np.ones((2, 8, 8, 4), "float32"), np.array([3, 7])).shape)
    (2, 8, 8, 4)

    Reference: Dumoulin et al., arXiv 1610.07629; the SAGAN release, `ops.py`.
    """

    def __init__(
        self,
        num_classes,
        momentum=0.999,
        epsilon=1e-5,
        spectral_normalization=False,
        spectral_epsilon=1e-12,
        synchronized=True,
        **kwargs,
    ):
        check_integer("num_classes", num_classes, 1)
        check_bool("spectral_normalization", spectral_normalization)
        check_number("spectral_epsilon", spectral_epsilon, 0)
        super().__init__(
            momentum=momentum,
            epsilon=epsilon,
            synchronized=synchronized,
            **kwargs,
        )
        self.num_classes = num_classes
        self.spectral_normalization = spectral_normalization
        self.spectral_epsilon = float(spectral_epsilon)

    def call(self, inputs, labels, training=False):
        self._check_labels(labels)
        if len(labels.shape) == 2:
            gamma, beta = (
                ops.cast(labels, table.dtype) @ table
                for table in self.class_tables()
            )
        elif self.spectral_normalization:
            gamma = 1.0 + self.gamma(labels, training=training)
            beta = self.beta(labels, training=training)
        else:
            gamma = ops.take(self.gamma, labels, axis=0)
            beta = ops.take(self.beta, labels, axis=0)
        shape = (-1,) + (1,) * (len(inputs.shape) - 2) + (inputs.shape[-1],)
        gamma, beta = (backends.reshape(x, shape) for x in (gamma, beta))
        return self._normalize(inputs, gamma, beta, training)

    def _check_labels(self, labels):
        is_int = keras.backend.is_int_dtype(labels.dtype)
        shape = tuple(labels.shape)
        weights = shape[1:] == (self.num_classes,) and not is_int
        if not weights and not (is_int and len(shape) == 1):
            raise ValueError(
                "`labels` must be integers of shape (batch,), or weights, "
                f"floats of shape (batch, {self.num_classes}). Received: "
                f"labels of shape {shape} and dtype "
                f"{keras.backend.standardize_dtype(labels.dtype)}"
            )

    def class_tables(self):
        """Returns the gammas and betas of all classes.

        Returns:
            Two tensors `(num_classes, channels)`. In inference, `call` takes
            its rows from them, with or without spectral normalization.
        """
        if self.spectral_normalization:
            gammas = 1.0 + self.gamma.normalized_kernel()
            return gammas, self.beta.normalized_kernel()
        return ops.convert_to_tensor(self.gamma), ops.convert_to_tensor(
            self.beta
        )

    def with_class_tables(self, gammas, betas):
        """Returns a copy with other classes.

        The copy has the same statistics, and tables that are not spectrally
        normalized.

        Args:
            gammas: Floats `(classes, channels)`; any number of classes.
            betas: Floats of the same shape.

        Returns:
            A built `ConditionalBatchNorm`.
        """
        config = {**self.get_config(), "spectral_normalization": False}
        config["num_classes"] = gammas.shape[0]
        copy = type(self).from_config(config)
        copy.build((None, gammas.shape[-1]))
        assign(
            copy.parts().values(),
            (gammas, betas, self.moving_mean, self.moving_variance),
        )
        return copy

    def with_classes(self, rows):
        """Returns a copy with new classes, each a blend of the old ones.

        Args:
            rows: Floats `(new classes, num_classes)`. The tables of the copy
                are the products of `rows` and the tables of this layer.

        Returns:
            A built `ConditionalBatchNorm`. Its tables are spectrally
            normalized if those of this layer are.
        """
        copy = type(self).from_config(
            {**self.get_config(), "num_classes": len(rows)}
        )
        copy.build((None, self.moving_mean.shape[0]))
        for name in ("gamma", "beta"):
            table, new = getattr(self, name), getattr(copy, name)
            if self.spectral_normalization:
                assign([new.kernel], [blend(rows, table.kernel)])
                new.restart()
            else:
                assign([new], [blend(rows, table)])
        statistics = ("moving_mean", "moving_variance")
        assign(
            [getattr(copy, x) for x in statistics],
            [getattr(self, x) for x in statistics],
        )
        return copy

    def without_classes(self):
        """Returns a `BatchNorm` with the mean gamma and beta of all classes."""
        channels = self.moving_mean.shape[0]
        config = BatchNorm.get_config(self)
        copy = BatchNorm.from_config(config)
        copy.build((None, channels))
        means = [ops.mean(table, axis=0) for table in self.class_tables()]
        assign(
            copy.parts().values(),
            (*means, self.moving_mean, self.moving_variance),
        )
        return copy

    def folded(self):
        """Returns a copy whose tables are not spectrally normalized.

        In inference, the copy computes the same as this layer.
        """
        return self.with_class_tables(*self.class_tables())

    def _build_affine(self, channels):
        if self.spectral_normalization:
            self.gamma = self._build_normalized_table(channels, "gamma")
            self.beta = self._build_normalized_table(channels, "beta")
            return
        shape = (self.num_classes, channels)
        self.gamma = self.add_weight(
            shape=shape, initializer="ones", name="gamma", autocast=False
        )
        self.beta = self.add_weight(
            shape=shape, initializer="zeros", name="beta", autocast=False
        )

    def _build_normalized_table(self, channels, name):
        table = SpectralNormalization(
            ClassTable(self.num_classes, channels, dtype=self.variable_dtype),
            epsilon=self.spectral_epsilon,
            name=name,
        )
        table.build(())
        table.trainable = self.trainable  # False in a layer saved as frozen.
        return table

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "spectral_normalization": self.spectral_normalization,
            "spectral_epsilon": self.spectral_epsilon,
        }
