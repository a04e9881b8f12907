"""Guide: what attention sees, and whether it matters.

    python examples/guides/what_attention_sees.py --model=model.keras

Without --model, a small SAGAN is first trained on scikit-learn's digits for
--steps steps, which are too few to learn more than the shape of digits.

The script answers three questions about each attention layer, in this order:

1. Is it used at all? The layer adds `gamma` times what it gathered, and gamma
   starts at 0. If gamma is near 0, the maps hardly affect the image, however
   good they look.
2. Does it choose? A map may be flat: then the location gathers the mean of the
   whole image. The entropy shows this: `exp(entropy)` is the number of keys
   that share the attention.
3. Does it change the image? The script sets gamma to 0 and compares the images.

This takes 10 seconds with --model. The script writes pictures to --out.
"""

import pathlib

import keras
import numpy as np
from absl import app
from absl import flags

import keras_sagan
from keras_sagan import data
from keras_sagan import visualization

FLAGS = flags.FLAGS
flags.DEFINE_string("model", None, "A .keras file. Default: a small one.")
flags.DEFINE_integer("steps", 200, "Steps to train it.", lower_bound=1)
flags.DEFINE_integer("seed", 0, "Seed of the images.", lower_bound=0)
flags.DEFINE_string("out", "outputs/attention", "Folder for pictures.")


def train_a_small_one(steps):
    images, labels = data.load_digits(16)
    model = keras_sagan.SAGAN.from_preset("digits", seed=0)
    dataset = data.from_arrays(images, labels, batch_size=16)
    model.fit(dataset, epochs=1, steps_per_epoch=steps, verbose=2)
    return model


def describe(maps):
    """Prints the answers to the first two questions."""
    keys = maps.scores[0, 0, 0].size
    # A softmax is never exactly 0, but its float32 value may be.
    logarithms = np.log(np.maximum(maps.scores, 1e-30))
    entropy = -np.sum(maps.scores * logarithms, axis=(3, 4))  # (N, H, W)
    used = np.exp(entropy)
    print(
        f"{maps.network} {maps.layer}: gamma {maps.gamma:+.3f}; a location "
        f"looks at {used.mean():.1f} of {keys} keys (from {used.min():.1f} to "
        f"{used.max():.1f})"
    )


def without_attention(model):
    """Returns a function that generates images without attention.

    It sets every gamma of the EMA generator to 0, and then restores it.
    """
    layers = visualization.attention_layers(model.ema_generator)

    def generate(**kwargs):
        gammas = [keras.ops.convert_to_numpy(x.gamma) for x in layers]
        for layer in layers:
            layer.gamma.assign(0.0)
        try:
            return model.generate(**kwargs)
        finally:
            for layer, gamma in zip(layers, gammas):
                layer.gamma.assign(gamma)

    return generate


def main(_):
    keras.utils.set_random_seed(0)
    out = pathlib.Path(FLAGS.out)
    if FLAGS.model:
        model = keras.saving.load_model(FLAGS.model)
    else:
        model = train_a_small_one(FLAGS.steps)

    what = {"seed": FLAGS.seed, "num_images": 8}
    if model.num_classes is not None:
        what["labels"] = [i % model.num_classes for i in range(8)]
    # Both networks for the same images: the generator while it makes them,
    # and the discriminator while it judges them.
    for name in ("generator", "discriminator"):
        network = getattr(model, name)
        for layer in visualization.attention_layers(network):
            maps = visualization.attention_maps(
                model, network=name, layer=layer.name, **what
            )
            describe(maps)
            print(f"    {visualization.save_attention(maps, out)[-1]}")

    # The third question: with attention above, without it below.
    images = model.generate(**what)
    others = without_attention(model)(**what)
    change = np.abs(images.astype(float) - others).mean()
    visualization.image_grid(
        np.concatenate([images, others]),
        columns=8,
        scale=None,
        path=out / "with_and_without.png",
        row_names=["with", "without"],
    )
    print(
        f"Without the generator's attention, pixels change by {change:.1f} of "
        f"255 on average: {out / 'with_and_without.png'}"
    )


if __name__ == "__main__":
    app.run(main)
