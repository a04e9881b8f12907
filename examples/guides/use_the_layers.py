"""Guide: the layers in a model of your own.

    python examples/guides/use_the_layers.py

`SelfAttention2D` and `SpectralNormalization` are Keras layers: they work in
any model, trained in any way, on every backend. Here they are part of a small
classifier of scikit-learn's digits, which is not a GAN and is trained by `fit`
with a cross entropy. Afterwards we draw its attention.

This takes 20 seconds on one CPU core. The script writes attention figures to
--out.
"""

import keras
import numpy as np
from absl import app
from absl import flags
from keras import layers

from keras_sagan import data
from keras_sagan import visualization
from keras_sagan.layers import SelfAttention2D
from keras_sagan.layers import SpectralNormalization

FLAGS = flags.FLAGS
flags.DEFINE_integer("epochs", 12, "Passes over the digits.", lower_bound=1)
flags.DEFINE_string("out", "outputs/use_the_layers", "Folder for pictures.")


def build_classifier():
    inputs = keras.Input((16, 16, 3))
    x = inputs
    # The wrapper divides the kernel of any convolution or dense layer by its
    # largest singular value, in training and in inference. The kernel itself
    # does not change.
    x = SpectralNormalization(layers.Conv2D(32, 3, padding="same"))(x)
    x = layers.ReLU()(x)
    x = layers.AveragePooling2D(2)(x)
    x = SpectralNormalization(layers.Conv2D(32, 3, padding="same"))(x)
    x = layers.ReLU()(x)
    # On a map of 8x8, each of the 64 locations can look at all 64. With
    # `pool_size=2`, the default, it would look at 4x4 pooled ones, which is
    # better on large maps. gamma starts at 0: the layer begins as the
    # identity, and learns how much of the attention to add.
    x = SelfAttention2D(pool_size=1, name="attention")(x)
    x = layers.AveragePooling2D(2)(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(10)(x), name="classifier")


def main(_):
    keras.utils.set_random_seed(0)
    images, labels = data.load_digits(16)
    order = np.random.default_rng(0).permutation(len(images))
    train, held_out = order[:1347], order[1347:]
    # In [-1, 1], as everywhere in this library. `attention_maps` scales the
    # uint8 images that it gets in the same way.
    x = images.astype("float32") / 127.5 - 1

    model = build_classifier()
    model.compile(
        keras.optimizers.Adam(5e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        x[train],
        labels[train],
        batch_size=64,
        epochs=FLAGS.epochs,
        verbose=0,
    )
    _, accuracy = model.evaluate(x[held_out], labels[held_out], verbose=0)
    gamma = float(
        keras.ops.convert_to_numpy(model.get_layer("attention").gamma)
    )
    print(f"{accuracy:.1%} of 450 held-out digits; gamma is now {gamma:+.3f}")

    # One held-out digit of each class, with five points in each.
    first = [held_out[labels[held_out] == digit][0] for digit in range(10)]
    maps = visualization.attention_maps(
        model, images=images[first], labels=labels[first]
    )
    # The maps are plain arrays. Compute how far locations look on average.
    rows, columns = np.indices((8, 8))
    distance = np.hypot(
        rows[:, :, None, None] - rows, columns[:, :, None, None] - columns
    )
    print(
        f"A location looks {np.mean((maps.scores * distance).sum((3, 4))):.1f} "
        f"locations away on average; for a uniform map, it would be "
        f"{distance.mean():.1f}"
    )
    for path in visualization.save_attention(maps, FLAGS.out):
        print(path)


if __name__ == "__main__":
    app.run(main)
