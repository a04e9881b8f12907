"""Sampling from a trained `SAGAN`."""

import numpy as np

from keras_sagan.models import checks
from keras_sagan.models import sampling


class Generation:
    """`generate` of `SAGAN`, and what it draws."""

    def call(self, inputs, training=False):
        """Images of the EMA generator, as a Keras model gives them."""
        return self.ema_generator(inputs, training=training)

    def generate(
        self,
        labels=None,
        num_images=None,
        seed=None,
        latents=None,
        ema=True,
        truncation=None,
        standing_statistics=None,
        batch_size=64,
        quantize=True,
    ):
        """Generates images.

        Latents, and labels that are not given, are drawn with NumPy: one seed
        gives the same ones on every backend, and the seeds of training are
        not touched.

        Args:
            labels: Integer, or integers `(N,)`; one is repeated. None: drawn
                uniformly. None too for a model without classes. Or floats
                `(N, num_classes)`: each image has the gains and offsets of
                the classes in these shares, rows summing to 1, on a copy.
            num_images: Positive integer; that of `labels` or `latents`, or
                one, if None.
            seed: Integer, or None for images that differ at each call.
            latents: Floats `(N, latent_dim)`, or None for standard normal
                ones.
            ema: Whether to use the EMA generator.
            truncation: Positive float t: entries of the latents beyond +-t
                are drawn again (BigGAN's truncation trick). None: not.
            standing_statistics: Positive integer: batch norm uses the mean
                statistics of that many batches of fresh latents and labels,
                on a copy. None: those moved during training.
            batch_size: Images per batch, on each device of this process.
            quantize: Whether to round to uint8; else floats in [-1, 1].

        Returns:
            A NumPy array, uint8, `(N, resolution, resolution, 3)`.

        Raises:
            ValueError: If an argument is out of range or does not fit.
        """
        self.sync_variables()
        latents, labels = self.draw_inputs(
            labels, num_images, seed, latents, truncation
        )
        checks.check_positive_integer("batch_size", batch_size)
        generator = self.ema_generator if ema else self.generator
        if standing_statistics is not None:
            checks.check_positive_integer(
                "standing_statistics", standing_statistics
            )
            generator = sampling.with_standing_statistics(
                generator, standing_statistics, batch_size, self.num_classes
            )
        if labels is not None and labels.ndim == 2:
            generator = sampling.with_blended_classes(generator, labels)
            labels = np.arange(len(labels), dtype="int32")
        return sampling.generate(
            generator, latents, labels, batch_size, quantize
        )

    def draw_inputs(
        self,
        labels=None,
        num_images=None,
        seed=None,
        latents=None,
        truncation=None,
    ):
        """Returns the latents and labels that `generate` makes images of.

        Args:
            labels: As in `generate`.
            num_images: As in `generate`.
            seed: As in `generate`.
            latents: As in `generate`.
            truncation: As in `generate`.

        Returns:
            `(latents, labels)`, NumPy arrays: floats `(N, latent_dim)`; int32
            `(N,)`, or floats `(N, num_classes)` if such weights were given,
            or None for a model without classes.

        Raises:
            ValueError: If an argument is out of range or does not fit.

        Example:
        >>> model = keras_sagan.SAGAN.from_preset("digits")
        >>> latents, labels = model.draw_inputs(labels=7, num_images=2, seed=0)
        >>> latents.shape, labels.tolist()
        ((2, 128), [7, 7])
        """
        return sampling.prepare_inputs(
            labels,
            num_images,
            seed,
            latents,
            truncation,
            self.latent_dim,
            self.num_classes,
        )
