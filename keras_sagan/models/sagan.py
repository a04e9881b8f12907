"""SAGAN: two networks, and the algorithm that trains them."""

import keras
from keras import ops

from keras_sagan import backends
from keras_sagan import losses
from keras_sagan import sizes
from keras_sagan.arguments import plain_integer
from keras_sagan.layers import DiffAugment
from keras_sagan.layers import calls
from keras_sagan.models import checks
from keras_sagan.models import classes
from keras_sagan.models import fitting
from keras_sagan.models import generation
from keras_sagan.models import loss_scale
from keras_sagan.models import networks
from keras_sagan.models import projection
from keras_sagan.models import saving
from keras_sagan.models import sharing
from keras_sagan.models import step
from keras_sagan.models import updates
from keras_sagan.models.meter import Meter


@keras.saving.register_keras_serializable(package="keras_sagan")
class SAGAN(backends.Trainer, keras.Model):
    """Self-attention GAN: trains a generator against a discriminator.

    A training step (`step`) makes `discriminator_steps` updates of the
    discriminator and then one of the generator, each with fresh latents and
    fresh, uniformly drawn labels. If the loss compares real and generated
    images, the labels are those of the real images instead. It ends with the
    exponential moving average (EMA) of the generator over all of its state:
    weights, batch norm statistics, and the vectors of the spectral
    normalization.

    A batch given to `fit` is split into `discriminator_steps *
    gradient_accumulation_steps` equal parts, and each part is used once. The
    update of the generator draws `gradient_accumulation_steps` batches of the
    size of a part. Every training pass of a network runs its power iterations
    and updates its moving statistics. In the release, those of the
    discriminator change only with real images.

    `fit` logs means over the epoch of the losses, of `real_logits` and
    `fake_logits` (means of D), of the gradient norms, of what the loss logs,
    and of `gradient_penalty` if there is one. It also logs, without averaging,
    the `gamma` of each attention layer, `images_per_second`, and
    `largest_sigma`, the largest spectral norm of a kernel.

    Networks that compute in float16 ("mixed_float16") are trained with a loss
    scale for each (see `loss_scale`). A step whose gradients are not finite
    does not change the networks, and is counted in the log `skipped_steps`.

    To change the algorithm, write an `AdversarialLoss` (see `losses`), or
    override `discriminator_loss`, `generator_loss`, `draw` or `step`.

    Args:
        generator: A `keras.Model`, functional, Sequential or subclassed, from
            latents `(batch, latent_dim)`, or `[latents, labels]` with
            classes, to images in [-1, 1]; see `build_generator`. Images with
            four channels are RGB and alpha.
        discriminator: A `keras.Model` from images, or `[images, labels]`, to
            logits `(batch, 1)` or a map of logits `(batch, h, w, 1)`, whose
            losses are averaged; see `build_discriminator`. It gets real and
            generated images in one pass.
        num_classes: Positive integer, the number of classes. If `None`, it is
            read from layers with an attribute `num_classes`; without such
            layers, there are no classes. Labels are integers `(batch,)`, or
            one-hot for a functional network whose second input is `(batch,
            num_classes)`.
        latent_dim: Positive integer, the number of entries of a latent vector.
            If `None`, it is read from the generator's inputs. It must be given
            for a subclassed generator.
        discriminator_steps: Positive integer, the number of updates of the
            discriminator per update of the generator.
        gradient_accumulation_steps: Positive integer, the number of parts
            whose mean gradient is used for one update.
        ema_momentum: Float in [0, 1), the share that the EMA generator keeps
            per step.
        ema_start_step: Non-negative integer. Before this step, the EMA
            generator is a copy of the generator.
        augmentation: Policy of `keras_sagan.layers.DiffAugment` for the
            discriminator's images, such as `("color", "translation",
            "cutout")`; it helps if there are few images. If `None`, there is
            no augmentation.
        seed: Integer, the seed for the latents and labels of training. If
            `None`, it is random.
        **kwargs: Base model arguments.

    Raises:
        ValueError: If an argument is out of range, or if the networks do not
            fit each other.

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
        num_classes=None,
        latent_dim=None,
        discriminator_steps=1,
        gradient_accumulation_steps=1,
        ema_momentum=0.9999,
        ema_start_step=2000,
        augmentation=None,
        seed=None,
        **kwargs,
    ):
        checks.check_networks(generator, discriminator)
        checks.check_sagan_arguments(
            discriminator_steps,
            gradient_accumulation_steps,
            ema_momentum,
            ema_start_step,
            augmentation,
            seed,
        )
        super().__init__(**kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.num_classes, self.latent_dim, self.image_shape = networks.examine(
            generator, discriminator, num_classes, latent_dim
        )
        self.discriminator_steps = int(discriminator_steps)
        self.gradient_accumulation_steps = int(gradient_accumulation_steps)
        self.ema_momentum = ema_momentum
        self.ema_start_step = int(ema_start_step)
        self.augmentation = augmentation and tuple(augmentation)
        self.seed = plain_integer(seed)
        self.augment = None
        if augmentation:
            self.augment = DiffAugment(augmentation, seed=0, dtype="float32")
            self.augment.build((None, *self.image_shape))
        self.ema_generator = networks.copy_of(
            generator, self.latent_dim, self.num_classes
        )
        self.ema_generator.trainable = False
        self.ema_generator.name = f"ema_{generator.name}"
        self.steps_trained = self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="int32",
            trainable=False,
            name="steps_trained",
            aggregation="only_first_replica",
        )
        self.seed_generator = backends.SeedGenerator(self.seed, name="training")
        self.evaluation_seed_generator = backends.SeedGenerator(
            0, name="evaluation"
        )
        self.meter = Meter()
        self.loss_scale = None
        if loss_scale.computes_in_float16(generator, discriminator):
            self.loss_scale = loss_scale.LossScale(self)
        self.loss, self.penalties = None, []
        self.compute_largest_sigma = None  # Compiled at the first use.
        self.built = True

    # The algorithm, which is the same on every backend. x are images, y their
    # labels, and z latents; `real` and `fake` are `Examples` (x, y).

    def step(self, data):
        """Runs one training step on a batch of `fit`; returns the logs.

        `run_learn` is `learn`, which PyTorch may run as a graph.
        """
        return self.run_learn(self.prepare(data))

    def prepare(self, data):
        """Splits a batch and draws the random numbers: `StepInputs`."""
        a = self.gradient_accumulation_steps
        real = step.split(step.unpack(data), self.discriminator_steps * a)
        # Twice, because real and generated images are both augmented.
        for_discriminator = [self.draw(x, times=2) for x, _ in real]
        if any(penalty.needs_interpolation for penalty in self.penalties):
            for_discriminator = [
                step.with_interpolation(draw, self.seed_generator)
                for draw in for_discriminator
            ]
        compares = self.loss.needs_real_logits
        times = 2 if compares else 1
        for_generator = [self.draw(x, times) for x, _ in real[-a:]]
        if compares:
            for_discriminator = step.with_classes_of(real, for_discriminator)
            for_generator = step.with_classes_of(real[-a:], for_generator)
        due = [self.is_due(penalty.every) for penalty in self.penalties]
        return step.StepInputs(real, for_discriminator, for_generator, due)

    def learn(self, inputs):
        """Updates D, then G, then the EMA of G; returns the logs."""
        if self.loss_scale is None:
            return updates.learn(self, inputs)[0]
        return self.loss_scale.run(self, inputs)

    def draw(self, x, times=1):
        """Returns a `Draw` for as many generated images as there are in `x`.

        `times` is the number of augmentations for each of them: 2 if a real
        image is augmented together with it.
        """
        n, seed = ops.shape(x)[0], self.seed_generator
        draw = step.draw_inputs(n, self.latent_dim, self.num_classes, seed)
        if self.augment is None:
            return draw
        u = step.draw_augmentation(self.augment, n, times, seed)
        return draw._replace(augmentation=u)

    def fakes(self, draw, training=True):
        """Generates images from a `Draw`; returns `Examples`."""
        z, y = draw.latents, draw.labels
        return step.Examples(calls.call(self.generator, z, y, training), y)

    def discriminator_loss(self, real, fake, draw, due=(), training=True):
        """Returns what the discriminator minimizes, and a dict to log.

        An override may log more, or return only the loss. Names that `compile`
        cannot know are logged with the value of the last step.

        Args:
            real: `Examples` from the data.
            fake: `Examples` from the generator, constants for the gradient.
            draw: The `Draw` from which `fake` was made.
            due: For each gradient penalty, whether this step uses it.
            training: Whether to run in training mode. False in `evaluate`.
        """
        x, y = step.join(real, fake)
        x = self.augmented(ops.stop_gradient(x), draw)
        logits = calls.call(self.discriminator, x, y, training)
        real_logits, fake_logits = ops.split(logits, 2)
        loss, extra = losses.with_logs(
            self.loss.discriminator_loss(real_logits, fake_logits)
        )
        logs = {
            "real_logits": losses.mean_logit(real_logits),
            "fake_logits": losses.mean_logit(fake_logits),
            **extra,
        }
        if due:
            seen = zip(ops.split(x, 2), (real.labels, fake.labels))
            penalty = updates.gradient_penalty(
                self, *seen, draw.interpolation, due
            )
            loss, logs["gradient_penalty"] = loss + penalty, penalty
        return loss, logs

    def generator_loss(self, draw, real, training=True):
        """Returns what the generator minimizes, and a dict to log.

        An override may log more, as in `discriminator_loss`.

        Args:
            draw: The `Draw` to generate from.
            real: `Examples` from the data, for losses that compare with them.
            training: Whether to run in training mode. False in `evaluate`.
        """
        fake = self.fakes(draw, training)
        with_real = self.loss.needs_real_logits
        x, y = step.join(fake, real) if with_real else fake
        x = self.augmented(x, draw)
        logits = calls.call(self.discriminator, x, y, training)
        pair = ops.split(logits, 2) if with_real else (logits, None)
        return losses.with_logs(self.loss.generator_loss(*pair))

    def augmented(self, x, draw):
        """Augments images with the random numbers of a `Draw`, if any."""
        u = draw.augmentation
        return x if u is None else self.augment(x, draws=u)

    def evaluation_step(self, data):
        """Computes the losses of a batch in inference; returns the logs."""
        return updates.evaluate_batch(self, data)

    @property
    def metrics(self):
        """The `keras.metrics.Metric` of the means that are logged."""
        return self.meter.metrics

    @property
    def generator_optimizer(self):
        """The optimizer of the generator; None before `compile`."""
        return self.optimizer and self.optimizer.generator_optimizer

    @property
    def discriminator_optimizer(self):
        """The optimizer of the discriminator; None before `compile`."""
        return self.optimizer and self.optimizer.discriminator_optimizer

    # These methods are functions in other modules of this package.

    compile = fitting.compile
    fit = fitting.fit
    evaluate = fitting.evaluate
    train_on_batch = fitting.train_on_batch
    test_on_batch = fitting.test_on_batch
    generate = generation.generate
    draw_inputs = generation.draw_inputs
    largest_sigma = generation.largest_sigma
    with_classes = classes.with_classes
    project = projection.project
    from_preset = classmethod(sharing.from_preset)
    save_to_preset = sharing.save_to_preset
    save = saving.save
    save_weights = saving.save_weights
    get_weights = saving.get_weights
    save_own_variables = saving.save_own_variables
    load_own_variables = saving.load_own_variables
    get_config = saving.get_config
    from_config = classmethod(saving.from_config)
    get_compile_config = saving.get_compile_config
    compile_from_config = saving.compile_from_config

    def call(self, inputs, training=False):
        """Runs the EMA generator on latents, or on `[latents, labels]`.

        `generate` does this for any number of images, and draws the latents.
        """
        return self.ema_generator(inputs, training=training)

    @property
    def resolution(self):
        """Side of the images in pixels, or `(height, width)`."""
        return sizes.plain(*self.image_shape[:2])

    def count_steps(self):
        """Returns the number of training steps so far, an integer."""
        self.sync_variables()
        # `int` does not accept a mirrored variable of TensorFlow.
        return int(ops.convert_to_numpy(self.steps_trained))
