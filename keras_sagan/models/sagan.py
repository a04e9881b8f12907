"""SAGAN: the two networks, and the algorithm that trains them."""

import keras
from keras import ops

from keras_sagan import backends
from keras_sagan.layers import DiffAugment
from keras_sagan.layers import SelfAttention2D
from keras_sagan.layers import SpectralNormalization
from keras_sagan.losses import discriminator_hinge_loss
from keras_sagan.losses import generator_hinge_loss
from keras_sagan.losses import mean_logit
from keras_sagan.models import checks
from keras_sagan.models import sampling
from keras_sagan.models.checks import flatten_layers
from keras_sagan.models.fitting import Fitting
from keras_sagan.models.generation import Generation
from keras_sagan.models.persistence import Persistence


@keras.saving.register_keras_serializable(package="keras_sagan")
class SAGAN(Fitting, Generation, Persistence, backends.Trainer, keras.Model):
    """Self-attention GAN: trains a generator against a discriminator.

    A training step (`step`) makes `discriminator_steps` updates of the
    discriminator and then one of the generator, each with fresh latents and
    fresh, uniformly drawn labels, on the hinge loss (eq. 4), and moves an
    exponential moving average of the generator over all of its state: weights,
    batch norm statistics, and the vectors of the spectral normalization.

    A batch given to `fit` is split into `discriminator_steps *
    gradient_accumulation_steps` equal parts, each seen once. The generator's
    update uses `gradient_accumulation_steps` batches of the size of a part.

    Every training forward pass of a network advances its power iterations and
    moving statistics: the generator's in both updates, and the
    discriminator's too. The SAGAN release advances the discriminator's on the
    real images only.

    Logs of `fit`: `discriminator_loss`, `generator_loss`, `real_logits` and
    `fake_logits` (means of D over the epoch), `discriminator_gradient_norm`
    and `generator_gradient_norm`, the `gamma` of each attention layer,
    `images_per_second`, and at the end of an epoch `largest_sigma`, the
    largest spectral norm of a kernel.

    Args:
        generator: A `keras.Model` from `[latents, labels]`, or latents alone,
            to images in [-1, 1]; see `build_generator`.
        discriminator: A `keras.Model` from `[images, labels]`, or images
            alone, to logits; see `build_discriminator`.
        discriminator_steps: Positive integer, updates of the discriminator
            per update of the generator.
        gradient_accumulation_steps: Positive integer, parts whose mean
            gradient makes one update.
        ema_momentum: Float in [0, 1), share that the EMA generator keeps
            per step.
        ema_start_step: Non-negative integer; in the steps before it the
            EMA generator is a copy.
        augmentation: What the discriminator's images go through, a policy of
            `keras_sagan.layers.DiffAugment` such as `("color", "translation",
            "cutout")`: for data of few images. None: nothing.
        seed: Integer, from which latents and labels of training are drawn, or
            None for one drawn at random.
        **kwargs: Base model arguments.

    Raises:
        ValueError: If an argument is out of range or the networks do not fit
            one another.

    Example:
    >>> from keras_sagan import models
    >>> model = keras_sagan.SAGAN(
    ...     models.build_generator(32, num_classes=10, base_channels=8),
    ...     models.build_discriminator(32, num_classes=10, base_channels=8))
    >>> model.compile()
    >>> images = np.zeros((8, 32, 32, 3), "float32")
    >>> history = model.fit(images, np.arange(8), batch_size=4, verbose=0)
    >>> model.generate(labels=[1, 2], seed=0).shape
    (2, 32, 32, 3)

    Reference: Zhang et al., "Self-Attention Generative Adversarial Networks",
    arXiv 1805.08318.
    """

    def __init__(
        self,
        generator,
        discriminator,
        discriminator_steps=1,
        gradient_accumulation_steps=1,
        ema_momentum=0.9999,
        ema_start_step=2000,
        augmentation=None,
        seed=None,
        **kwargs,
    ):
        checks.check_sagan_arguments(
            discriminator_steps,
            gradient_accumulation_steps,
            ema_momentum,
            ema_start_step,
        )
        super().__init__(**kwargs)
        self.num_classes = checks.check_networks(generator, discriminator)
        self.generator = generator
        self.discriminator = discriminator
        self.discriminator_steps = discriminator_steps
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.ema_momentum = ema_momentum
        self.ema_start_step = ema_start_step
        self.augmentation = augmentation and tuple(augmentation)
        self.augment = None
        if augmentation:
            self.augment = DiffAugment(augmentation, seed=0, dtype="float32")
            self.augment.build(discriminator.inputs[0].shape)
        self.seed = seed
        self.ema_generator = sampling.copy_of(generator)
        self.ema_generator.trainable = False
        self.steps_trained = self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="int32",
            trainable=False,
            name="steps_trained",
            aggregation="only_first_replica",
        )
        self.seed_generator = keras.random.SeedGenerator(seed, name="training")
        self.evaluation_seed_generator = keras.random.SeedGenerator(
            0, name="evaluation"
        )
        self.means = {
            name: keras.metrics.Mean(name=name)
            for name in (
                "discriminator_loss",
                "generator_loss",
                "real_logits",
                "fake_logits",
                "discriminator_gradient_norm",
                "generator_gradient_norm",
            )
        }
        self.built = True

    @property
    def resolution(self):
        """Side of the images in pixels."""
        return self.generator.output_shape[1]

    @property
    def latent_dim(self):
        """Entries of a latent vector."""
        return self.generator.inputs[0].shape[-1]

    @property
    def generator_optimizer(self):
        return self.optimizer and self.optimizer.generator_optimizer

    @property
    def discriminator_optimizer(self):
        return self.optimizer and self.optimizer.discriminator_optimizer

    @property
    def metrics(self):
        return list(self.means.values())

    # The algorithm, the same on every backend. `data` is what `fit` yields.

    def step(self, data):
        """Runs one training step, and returns the logs."""
        return self.learn(*self.prepare(data))

    def prepare(self, data):
        """Returns the parts of a batch, and what is drawn for the step.

        The latents, labels and augmentation of each part's fakes, then those
        of the generator's update.
        """
        parts = self._split(data)
        draws = [
            # The discriminator sees as many images again, the real ones.
            (*self._draw(images), self._draw_augmentation(images, 2))
            for images, _ in parts
        ] + [
            (*self._draw(images), self._draw_augmentation(images, 1))
            for images, _ in parts[: self.gradient_accumulation_steps]
        ]
        return parts, draws

    def learn(self, parts, draws):
        """Updates both networks and the average, and returns the logs."""
        a = self.gradient_accumulation_steps
        for i in range(0, len(parts), a):
            batches = []
            for (images, labels), (latents, fake_labels, u) in zip(
                parts[i : i + a], draws[i : i + a]
            ):
                fakes = self._call(self.generator, latents, fake_labels)
                batches.append((images, labels, fakes, fake_labels, u))
            self._minimize(
                self._discriminator_loss,
                batches,
                self.discriminator,
                self.discriminator_optimizer,
            )
        self._minimize(
            self._generator_loss,
            draws[len(parts) :],
            self.generator,
            self.generator_optimizer,
        )
        self._move_average()
        self.steps_trained.assign_add(1)
        return self._logs()

    def _discriminator_loss(self, images, labels, fakes, fake_labels, u=None):
        # Real and fake in one pass: there is no batch norm to mix them.
        images = ops.concatenate([images, ops.stop_gradient(fakes)])
        logits = self._call(
            self.discriminator,
            self._augmented(images, u),
            None if labels is None else ops.concatenate([labels, fake_labels]),
        )
        real_logits, fake_logits = ops.split(logits, 2)
        return {
            "discriminator_loss": discriminator_hinge_loss(
                real_logits, fake_logits
            ),
            "real_logits": mean_logit(real_logits),
            "fake_logits": mean_logit(fake_logits),
        }

    def _generator_loss(self, latents, labels, u=None):
        fakes = self._call(self.generator, latents, labels)
        fakes = self._augmented(fakes, u)
        logits = self._call(self.discriminator, fakes, labels)
        return {"generator_loss": generator_hinge_loss(logits)}

    def _augmented(self, images, u):
        return images if u is None else self.augment(images, draws=u)

    def _minimize(self, loss_fn, batches, network, optimizer):
        """Updates a network with its mean gradient over the batches.

        `loss_fn` returns a dict of scalars to log, the loss first.
        """
        variables, total, seen = network.trainable_variables, None, []
        for batch in batches:
            scalars, gradients = self.value_and_gradients(
                lambda batch=batch: loss_fn(*batch), variables
            )
            seen.append(scalars)
            total = (
                gradients
                if total is None
                else [a + b for a, b in zip(total, gradients)]
            )
        if len(batches) > 1:
            total = [gradient / len(batches) for gradient in total]
        total, seen = backends.mean_over_replicas((list(total), seen))
        for scalars in seen:
            self._update_means(scalars)
        name = "generator" if network is self.generator else "discriminator"
        squares = [ops.sum(ops.square(gradient)) for gradient in total]
        self._update_means({f"{name}_gradient_norm": ops.sqrt(sum(squares))})
        backends.apply_gradients(optimizer, total, variables)

    def _move_average(self):
        """Moves the average by `1 - ema_momentum`, or copies before its start.

        It covers every variable. The mean of unit vectors is not one: u and v
        go on by a power iteration on the averaged kernel. Without it sigma is
        too small while u still turns, and the images are not those of any
        generator.
        """
        momentum = ops.where(
            self.steps_trained < self.ema_start_step, 0.0, self.ema_momentum
        )
        backends.move_average(
            self.ema_generator.variables,
            self.generator.variables,
            momentum,
        )
        for layer in flatten_layers(self.ema_generator):
            if isinstance(layer, SpectralNormalization):
                copied = [ops.convert_to_tensor(x) for x in (layer.u, layer.v)]
                u, v, _ = layer.iterated_vectors()
                layer.u.assign(ops.where(momentum > 0, u, copied[0]))
                layer.v.assign(ops.where(momentum > 0, v, copied[1]))

    def _draw(self, images):
        """Draws latents and labels, as many as there are images."""
        return self._draw_with(self.seed_generator, ops.shape(images)[0])

    def _draw_augmentation(self, images, times):
        if self.augment is None:
            return None
        n = backends.global_batch_size(ops.shape(images)[0])
        draws = self.augment.draw(times * n, self.seed_generator)
        parts = [
            backends.local_slice(draws[i * n : (i + 1) * n])
            for i in range(times)
        ]
        return ops.concatenate(parts)

    def _draw_with(self, seed_generator, n):
        """Draws for the whole batch, and returns what belongs here.

        One device or several, they learn from the same latents and labels.
        """
        n = backends.global_batch_size(n)
        latents = keras.random.normal((n, self.latent_dim), seed=seed_generator)
        latents = backends.local_slice(latents)
        if self.num_classes is None:
            return latents, None
        labels = keras.random.randint(
            (n,), 0, self.num_classes, dtype="int32", seed=seed_generator
        )
        return latents, backends.local_slice(labels)

    def _call(self, network, inputs, labels, training=True):
        inputs = inputs if labels is None else [inputs, labels]
        return network(inputs, training=training)

    def _split(self, data):
        """Returns the parts of a batch, each `(images, labels)`.

        Every n-th image: of a batch that lies in pieces on several devices,
        each has a piece of every part.
        """
        images, labels = _unpack(data)
        n = self.discriminator_steps * self.gradient_accumulation_steps
        if n == 1:
            return [(images, labels)]
        checks.check_batch_size(images.shape[0], n)
        return [
            (
                _every(n, images, i),
                None if labels is None else _every(n, labels, i),
            )
            for i in range(n)
        ]

    def _update_means(self, scalars):
        for name, value in scalars.items():
            self.means[name].update_state(value)

    def _logs(self):
        logs = {mean.name: mean.result() for mean in self.means.values()}
        for network in (self.generator, self.discriminator):
            for layer in flatten_layers(network):
                if isinstance(layer, SelfAttention2D):
                    gamma = ops.convert_to_tensor(layer.gamma)
                    logs[f"{network.name}_{layer.name}_gamma"] = gamma
        return logs

    def count_steps(self):
        """Returns the steps trained, an integer, on any engine."""
        # Where TensorFlow mirrors variables, `int` does not take one.
        return int(ops.convert_to_numpy(self.steps_trained))

    def largest_sigma(self):
        """Returns the largest spectral norm of a kernel, a float, or None.

        That of both networks, as their stored `u` and `v` give it; None
        without spectral normalization.
        """
        self.sync_variables()
        sigmas = [
            float(ops.convert_to_numpy(layer.sigma()))
            for network in (self.generator, self.discriminator)
            for layer in flatten_layers(network)
            if isinstance(layer, SpectralNormalization)
        ]
        return max(sigmas, default=None)

    def evaluation_step(self, data):
        """Computes the hinge losses of one batch, in inference."""
        images, labels = _unpack(data)
        latents, fake_labels = self._draw_with(
            self.evaluation_seed_generator, ops.shape(images)[0]
        )
        fakes = self._call(self.generator, latents, fake_labels, False)
        real_logits = self._call(self.discriminator, images, labels, False)
        fake_logits = self._call(self.discriminator, fakes, fake_labels, False)
        scalars = {
            "discriminator_loss": discriminator_hinge_loss(
                real_logits, fake_logits
            ),
            "generator_loss": generator_hinge_loss(fake_logits),
            "real_logits": mean_logit(real_logits),
            "fake_logits": mean_logit(fake_logits),
        }
        self._update_means(backends.mean_over_replicas(scalars))
        return {name: self.means[name].result() for name in scalars}


def _unpack(data):
    """Returns the images and labels, or None, that `fit` yields."""
    images, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
    if keras.backend.standardize_dtype(images.dtype) == "uint8":
        # Here, not on the host: a quarter of the bytes travel.
        images = ops.cast(images, keras.config.floatx()) / 127.5 - 1.0
    return images, None if labels is None else ops.cast(labels, "int32")


def _every(n, x, i):
    return ops.reshape(x, (-1, n, *x.shape[1:]))[:, i]
