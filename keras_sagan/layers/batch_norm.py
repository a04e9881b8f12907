"""Batch normalization with moments that are correct in every precision."""

import keras
from keras import ops

from keras_sagan import backends
from keras_sagan.arguments import check_bool
from keras_sagan.arguments import check_number
from keras_sagan.backends.precision import at_least_float32
from keras_sagan.layers.copies import assign
from keras_sagan.layers.copies import blend


@keras.saving.register_keras_serializable(package="keras_sagan")
class BatchNorm(keras.layers.Layer):
    """Batch normalization over all axes but the last.

    `y = gamma * (x - mean) / sqrt(variance + epsilon) + beta`.

    Training uses the moments of the batch and moves the stored ones,
    `moving = momentum * moving + (1 - momentum) * batch`, with the biased
    variance, as the SAGAN release does; inference uses the stored ones.
    Moments are computed as `mean((x - mean)^2)` in at least float32: Keras'
    `BatchNormalization` uses `E[x^2] - E[x]^2` on PyTorch, which is negative
    for `mean 100, std 0.01`. Gradients of every order are correct. As in
    Keras, a layer with `trainable = False` always runs in inference mode.

    Args:
        momentum: Float in [0, 1], the share that the moving moments keep.
            The release uses 0.999 in the blocks and 0.9999 in the last layer.
        epsilon: Positive float, added to the variance.
        synchronized: Whether several devices that share a batch normalize by
            the statistics of the whole batch, as one device would. If
            `False`, each device uses the statistics of its own part, as in
            the release, and the moving statistics follow their mean.
        **kwargs: Base layer arguments.

    Call arguments:
        inputs: Float tensor `(batch, ..., channels)`.
        training: Whether to use the moments of this batch, and to move the
            stored ones towards them.

    Returns:
        A tensor of the shape of `inputs`, in the compute dtype.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> images = np.random.normal(5.0, 2.0, (8, 4, 4, 3)).astype("float32")
    >>> y = keras_sagan.layers.BatchNorm()(images, training=True)
    >>> abs(float(keras.ops.mean(y))) < 1e-3
    True

    Reference: Ioffe and Szegedy, arXiv 1502.03167.
    """

    def __init__(
        self, momentum=0.999, epsilon=1e-5, synchronized=True, **kwargs
    ):
        check_number("momentum", momentum, 0, 1)
        check_number("epsilon", epsilon, 0, low_open=True)
        check_bool("synchronized", synchronized)
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = float(epsilon)
        self.synchronized = synchronized

    def build(self, input_shape, *_):
        channels = input_shape[-1]
        self._build_affine(channels)
        self.moving_mean = self._add_statistic("moving_mean", channels, "zeros")
        self.moving_variance = self._add_statistic(
            "moving_variance", channels, "ones"
        )

    def call(self, inputs, training=False):
        return self._normalize(inputs, self.gamma, self.beta, training)

    def parts(self):
        """Returns a dict of the variables by name."""
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        return {name: getattr(self, name) for name in names}

    def with_classes(self, rows):
        """Returns a `ConditionalBatchNorm` with equal classes.

        Every class gets the gamma and beta of this layer.

        Args:
            rows: Floats `(classes, 1)`, all ones.
        """
        # Imported here, because that class is a subclass of this one.
        from keras_sagan.layers.conditional_batch_norm import (
            ConditionalBatchNorm,
        )

        channels = self.moving_mean.shape[0]
        copy = ConditionalBatchNorm(num_classes=len(rows), **self.get_config())
        copy.build((None, channels))
        tables = [blend(rows, x[None]) for x in (self.gamma, self.beta)]
        assign(
            copy.parts().values(),
            (*tables, self.moving_mean, self.moving_variance),
        )
        return copy

    def _build_affine(self, channels):
        self.gamma = self.add_weight(
            shape=(channels,), initializer="ones", name="gamma", autocast=False
        )
        self.beta = self.add_weight(
            shape=(channels,),
            name="beta",
            initializer="zeros",
            autocast=False,
        )

    def _add_statistic(self, name, channels, initializer):
        return self.add_weight(
            shape=(channels,),
            initializer=initializer,
            trainable=False,
            name=name,
            autocast=False,
        )

    def _normalize(self, inputs, gamma, beta, training):
        """Normalizes; `gamma` and `beta` broadcast to `(..., channels)`."""
        if training and self.trainable:
            x, mean, variance = backends.standardize(
                inputs, self.epsilon, self.synchronized
            )
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance)
        else:
            scale = gamma * ops.rsqrt(self.moving_variance + self.epsilon)
            mean = ops.convert_to_tensor(self.moving_mean)
            beta = beta - backends.snapshot(mean) * scale
            # The mean may be large, so that a rounded offset would be far off.
            x = ops.cast(inputs, at_least_float32(inputs.dtype))
            gamma = scale
        gamma, beta = (ops.cast(t, x.dtype) for t in (gamma, beta))
        return ops.cast(
            backends.scale_and_shift(x, gamma, beta), self.compute_dtype
        )

    def _move(self, statistic, value):
        value = ops.stop_gradient(ops.cast(value, statistic.dtype))
        backends.move(statistic, value, self.momentum)

    def compute_output_shape(self, input_shape, *_):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "synchronized": self.synchronized,
        }
