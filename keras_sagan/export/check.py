"""Checks that an exported generator gives the same images."""

import numpy as np
from keras import ops

from keras_sagan.layers.calls import call
from keras_sagan.models.cloning import in_float32
from keras_sagan.models.sampling import draw_latents


class ImagesDiffer(ValueError):
    """Raised for an export whose images are not those of the model."""


def check_images(model, ema, run, path):
    """Raises `ImagesDiffer` if images differ by more than 1 of 255.

    Args:
        model: A `SAGAN`.
        ema: Whether its EMA generator was written.
        run: Function that runs the exported generator. It takes a dict of
            latents, and labels if there are classes, and returns images in
            [-1, 1].
        path: The path to name in the message.
    """
    generator = model.ema_generator if ema else model.generator
    generator = in_float32(generator)
    for batch in (1, 3):  # Batches of any size must work.
        inputs = example_inputs(model, batch)
        expected = run_network(generator, inputs)
        images = np.asarray(run(inputs))
        if images.shape != expected.shape:
            raise ImagesDiffer(
                f"{path} was not written: its images must be of shape "
                f"{expected.shape}. Received: {images.shape}"
            )
        levels = np.max(np.abs(images - expected)) * 127.5
        if not levels <= 1:  # Also if NaN.
            raise ImagesDiffer(
                f"{path} was not written: its images must be within 1 of 255 "
                f"of the model's. Received: {levels:.3g} of 255"
            )


def example_inputs(model, batch):
    """Returns fixed latents, and labels spread over the classes."""
    latents = draw_latents(
        np.random.default_rng(batch), batch, model.latent_dim
    )
    inputs = {"latents": latents.astype("float32")}
    if model.num_classes is not None:
        last = model.num_classes - 1
        inputs["labels"] = np.linspace(0, last, batch).astype("int64")
    return inputs


def run_network(generator, inputs):
    """Returns the images of a `keras.Model` for `example_inputs`."""
    labels = inputs.get("labels")
    images = call(generator, inputs["latents"], labels, training=False)
    return ops.convert_to_numpy(images)
