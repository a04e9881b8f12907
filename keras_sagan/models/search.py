"""The search for latents, as a model whose weights are the latents."""

import itertools

import keras
import numpy as np
from keras import ops

from keras_sagan.backends.padding import pad_rows
from keras_sagan.layers.calls import call

EVERY = 10  # Number of steps for each entry of the curve.
_CANDIDATES = 256  # Number of random images; the nearest is the start.
_SNAPSHOTS = 7  # Number of images that are kept, with the first and the last.
_SURE = 4.0  # Logit of the class that an image starts from; others have 0.


class Search(keras.Model):
    """A frozen generator, and the latents of some images as weights."""

    def __init__(
        self, generator, n, latent_dim, num_classes, has_labels, features, prior
    ):
        super().__init__(name="search", dtype="float32")
        generator.trainable = False
        self.generator = generator
        self.has_labels = has_labels
        # A function, because Keras would train a model that is an attribute.
        self.described = lambda images: _features_of(features, images)
        self.prior = prior
        self.latents = self.add_weight(shape=(n, latent_dim), name="latents")
        if num_classes is None:
            # The given labels, which are not used without classes.
            self.classes = self.add_weight(
                shape=(n,), name="labels", dtype="int32", trainable=False
            )
        else:
            self.classes = self.add_weight(
                shape=(n, num_classes), name="class_logits"
            )
        self.by_weights = num_classes is not None
        self.built = True

    def images(self):
        """Returns the images of the current latents."""
        latents = ops.convert_to_tensor(self.latents)
        if self.by_weights:
            inputs = [latents, self.class_weights()]
            return self.generator(inputs, training=False)
        labels = None
        if self.has_labels:
            labels = ops.convert_to_tensor(self.classes)
        return call(self.generator, latents, labels, training=False)

    def class_weights(self):
        return ops.softmax(ops.convert_to_tensor(self.classes), axis=-1)

    def call(self, inputs):
        images = self.images()
        squares = ops.square(ops.convert_to_tensor(self.latents))
        self.add_loss(self.prior * ops.mean(squares))
        return self.described(images)

    def run(self, targets, start, steps, bar):
        """Searches for the latents of targets.

        Args:
            targets: Floats in [-1, 1], at most as many as there are latents.
            start: Latents and classes to start from; see `start_of`.
            steps: Positive integer, the number of steps.
            bar: A `keras.utils.Progbar`.

        Returns:
            Latents, class weights or labels, images during the search `(N,
            snapshots, height, width, channels)`, and the losses.
        """
        n = self.latents.shape[0]
        (targets, latents, classes), count = pad_rows([targets, *start], n)
        self.latents.assign(latents)
        self.classes.assign(classes)
        if self.optimizer.built:  # It was used for other images before.
            for variable in self.optimizer.variables:
                variable.assign(np.zeros(variable.shape, variable.dtype))
        wanted = ops.convert_to_numpy(self.described(targets))
        images, losses = [], []
        data = _Same(np.zeros((n, 1), "float32"), wanted)
        shown = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: bar.add(EVERY)
        )
        for before, step in itertools.pairwise([0, *snapshots_of(steps)]):
            if step > before:
                history = self.fit(
                    data,
                    epochs=(step - before) // EVERY,
                    verbose=0,
                    callbacks=[shown],
                )
                losses += history.history["loss"]
            images.append(ops.convert_to_numpy(self.images()))
        classes = self.class_weights() if self.by_weights else self.classes
        return (
            ops.convert_to_numpy(self.latents)[:count],
            ops.convert_to_numpy(classes)[:count],
            np.stack(images, axis=1)[:count],
            losses,
        )


class _Same(keras.utils.PyDataset):
    """Repeats one batch; an epoch is an entry of the curve."""

    def __init__(self, *batch):
        super().__init__()
        self.batch = batch

    def __len__(self):
        return EVERY

    def __getitem__(self, index):
        return self.batch


def start_of(model, targets, labels, features, ema, seed):
    """Returns latents and classes of the random images nearest to targets.

    The classes are the given labels, or logits of the weights to be found, or
    zeros for a model without classes.
    """

    def described(images):
        found = ops.convert_to_numpy(_features_of(features, images))
        return found.reshape(len(images), -1)

    n = len(targets)
    by_weights = labels is None and model.num_classes is not None
    wanted = described(targets)
    latents = np.zeros((n, model.latent_dim), keras.config.floatx())
    chosen = np.zeros(n, "int32") if labels is None else labels
    for label in [None] if labels is None else np.unique(labels):
        drawn, classes = model.draw_inputs(label, _CANDIDATES, seed)
        images = model.generate(classes, latents=drawn, ema=ema, quantize=False)
        found = described(images)
        for i in range(n):
            if label is None or labels[i] == label:
                distances = np.square(found - wanted[i]).sum(axis=1)
                nearest = int(np.argmin(distances))
                latents[i] = drawn[nearest]
                if by_weights:
                    chosen[i] = classes[nearest]
    if by_weights:
        eye = np.eye(model.num_classes, dtype="float32")
        return latents, _SURE * eye[chosen]
    return latents, chosen


def _features_of(features, images):
    """Returns features for the loss, or the images themselves."""
    if features is None:
        return ops.convert_to_tensor(images)
    images = ops.convert_to_tensor(images)
    if isinstance(features, keras.layers.Layer):
        return features(images, training=False)
    return features(images)


def snapshots_of(steps):
    """Returns the steps whose images are kept, most of them early."""
    shares = np.linspace(0, 1, _SNAPSHOTS) ** 2
    return np.unique(np.rint(shares * (steps // EVERY)).astype(int)) * EVERY
