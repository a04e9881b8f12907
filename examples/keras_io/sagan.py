"""
Title: Class-conditional images with a self-attention GAN (SAGAN)
Author: [the keras_sagan authors](https://pypi.org/project/keras_sagan/)
Date created: 2026/11/29
Last modified: 2026/11/29
Description: Two networks with self-attention and spectral normalization.
Accelerator: GPU
"""

"""
## Introduction

A generative adversarial network (GAN) is a game between two networks. The
*generator* makes images from random numbers. The *discriminator* tries to
distinguish them from real images, and the generator learns from the
discriminator's answers.

[SAGAN](https://arxiv.org/abs/1805.08318) (Zhang et al., 2018) added three
things to this game that later models kept:

- **Self-attention** in both networks. A convolution sees only a small window.
  With attention, each location can look at all others, so that distant parts of
  an image fit together.
- **Spectral normalization** in both networks. It bounds how fast the output of
  a layer can change. This keeps the game stable.
- **Two learning rates.** The discriminator has a larger learning rate than the
  generator. Then one update of each network per step is enough.

In this example, we build both networks from Keras layers and from the layers of
the package `keras_sagan`, and train them on handwritten digits. The code runs
on TensorFlow, JAX and PyTorch.

## Setup

```shell
pip install "keras_sagan[data]"
```
"""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # or "tensorflow", "torch"

import keras
import numpy as np
from keras import layers

import keras_sagan
from keras_sagan.layers import ConditionalBatchNorm
from keras_sagan.layers import SelfAttention2D
from keras_sagan.layers import SpectralNormalization

LATENT_DIM = 64
NUM_CLASSES = 10
STEPS = int(os.environ.get("STEPS", 3000))
keras.utils.set_random_seed(0)

"""
## Data

scikit-learn comes with 1,797 digits of 8x8 pixels. We enlarge them to 16x16
pixels. The generator ends with `tanh`, so we scale the images to [-1, 1], the
range of `tanh`.
"""

images, labels = keras_sagan.data.load_digits(resolution=16)
images = images[..., :1].astype("float32") / 127.5 - 1.0
print(images.shape, images.min(), images.max())

"""
## Spectral normalization

`SpectralNormalization` wraps a layer and divides its kernel by the largest
singular value of the kernel. It tracks this value by power iteration, with one
iteration per training call. We wrap every convolution, every dense layer and
the embedding.
"""


def conv(x, filters, kernel_size=3):
    """A convolution with spectral normalization."""
    layer = layers.Conv2D(filters, kernel_size, padding="same")
    return SpectralNormalization(layer)(x)


"""
## The generator

The generator starts with a 4x4 map and doubles its size in residual blocks. The
class enters by *conditional batch norm*, where each class has its own scale and
shift for every channel. The self-attention layer works on the 8x8 map. It
multiplies its result by `gamma` and adds the product to its input. `gamma`
starts at 0, so at first the network learns as if there were no attention.
"""


def up_block(x, y, filters):
    """Doubles a feature map; `y` are the labels."""
    shortcut = conv(layers.UpSampling2D()(x), filters, 1)
    x = layers.ReLU()(ConditionalBatchNorm(NUM_CLASSES, momentum=0.9)(x, y))
    x = conv(layers.UpSampling2D()(x), filters)
    x = layers.ReLU()(ConditionalBatchNorm(NUM_CLASSES, momentum=0.9)(x, y))
    x = conv(x, filters)
    return layers.Add()([x, shortcut])


def build_generator(width=64):
    z = keras.Input((LATENT_DIM,), name="latents")
    y = keras.Input((), dtype="int32", name="labels")
    x = SpectralNormalization(layers.Dense(4 * 4 * width))(z)
    x = layers.Reshape((4, 4, width))(x)
    x = up_block(x, y, width)
    x = SelfAttention2D()(x)
    x = up_block(x, y, width)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Activation("tanh")(conv(x, 1))
    return keras.Model([z, y], x, name="generator")


generator = build_generator()
generator.summary()

"""
## The discriminator

The discriminator halves the size of the map in residual blocks. At the end, it
sums the features over the map to a vector `h`. Its answer is the sum of two
parts. A dense layer says how real the image looks. The inner product of `h`
with a learned vector of the class says how well the image fits its class. This
is the *projection discriminator* of Miyato and Koyama.
"""


def down_block(x, filters, halve=True, first=False):
    shortcut = conv(x, filters, 1)
    # The first block gets an image, whose negative values must not be lost.
    x = conv(x if first else layers.ReLU()(x), filters)
    x = conv(layers.ReLU()(x), filters)
    x = layers.Add()([x, shortcut])
    return layers.AveragePooling2D(2)(x) if halve else x


def build_discriminator(width=64):
    images = keras.Input((16, 16, 1), name="images")
    y = keras.Input((), dtype="int32", name="labels")
    x = down_block(images, width, first=True)
    x = SelfAttention2D()(x)
    x = down_block(x, width)
    x = down_block(x, width, halve=False)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    h = layers.Rescaling(4 * 4)(x)  # the sum over the map
    real = SpectralNormalization(layers.Dense(1))(h)
    e = SpectralNormalization(layers.Embedding(NUM_CLASSES, width))(y)
    fits = layers.Dot(axes=1)([h, e])
    return keras.Model([images, y], layers.Add()([real, fits]))


discriminator = build_discriminator()

"""
## Training

The discriminator minimizes the *hinge loss*. Its answers should be above 1 for
real images and below -1 for generated ones. The generator tries to get high
answers for its images.

A training step with two optimizers must be written differently for each
backend. In addition, the best images come from an *average* of the generator
over the last steps. `keras_sagan.SAGAN` provides both for any two Keras models,
so we give it our two networks as they are. The discriminator has the larger
learning rate. This is TTUR, the *two time-scale update rule*.
"""

model = keras_sagan.SAGAN(
    generator, discriminator, ema_momentum=0.99, ema_start_step=100, seed=0
)
model.compile(
    keras.optimizers.Adam(2e-4, beta_1=0.0, beta_2=0.999),
    keras.optimizers.Adam(4e-4, beta_1=0.0, beta_2=0.999),
    loss="hinge",
)
dataset = keras_sagan.data.from_arrays(
    images, labels, batch_size=64, steps_per_epoch=min(100, STEPS)
)
model.fit(
    dataset,
    epochs=max(1, STEPS // 100),
    verbose=0,
    callbacks=[keras_sagan.callbacks.ProgressBar()],
)

"""
## Results

Each column shows one class, and each image comes from its own latents.
"""

keras_sagan.visualization.class_grid(
    model, columns=8, seed=0, scale=4, in_columns=True, path="digits.png"
)

"""
![Generated digits](digits.png)

Has the generator memorized the training images? To find out, we show the
five nearest training images beside each generated image.
"""

made = model.generate(labels=range(10), seed=1)
real = np.rint((images + 1) * 127.5).astype("uint8")
keras_sagan.visualization.nearest_neighbors(
    made, real, count=5, scale=4, path="nearest.png"
)

"""
## What the attention looks at

For a few points of each image, the maps below show where the generator's
attention layer looks. A point looks most at the bright places.
"""

maps = keras_sagan.visualization.attention_maps(
    model, labels=[0, 3, 8], seed=1, queries=4
)
keras_sagan.visualization.attention_sheet(maps, path="attention.png")
print(f"gamma of the attention layer: {maps.gamma:+.3f}")

"""
## Next steps

- To make larger images, use `keras_sagan.models.build_generator(64,
  num_classes=...)` and `build_discriminator`. They build the networks of the
  paper, for images of 12 to 256 pixels.
- To use another loss, call `model.compile(loss="relativistic",
  gradient_penalty=keras_sagan.losses.R1(1.0))`, or write a loss class.
- To train on your own images, call `keras_sagan.train_on_images("photos/")`.

## References

- Zhang, Goodfellow, Metaxas, Odena: "Self-Attention Generative Adversarial
  Networks", [arXiv:1805.08318](https://arxiv.org/abs/1805.08318)
- Miyato, Kataoka, Koyama, Yoshida: "Spectral Normalization for Generative
  Adversarial Networks", [arXiv:1802.05957](https://arxiv.org/abs/1802.05957)
- Miyato, Koyama: "cGANs with Projection Discriminator",
  [arXiv:1802.05637](https://arxiv.org/abs/1802.05637)
"""
