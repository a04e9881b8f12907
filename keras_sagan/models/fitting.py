"""Compiling and fitting: what `SAGAN` takes, checked, before Keras has it."""

import keras
from keras import ops
from keras.callbacks import LambdaCallback

from keras_sagan import backends
from keras_sagan.backends.optimizer_pair import OptimizerPair
from keras_sagan.models import checks
from keras_sagan.models.watch import Watch


class Fitting:
    """`compile`, `fit` and `evaluate` of `SAGAN`."""

    def compile(
        self,
        generator_optimizer=None,
        discriminator_optimizer=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
    ):
        """Sets both optimizers (TTUR) and how the step is run.

        Args:
            generator_optimizer: A `keras.optimizers.Optimizer` or its name.
                None: Adam with learning rate 1e-4, beta_1 0, beta_2 0.999,
                epsilon 1e-8.
            discriminator_optimizer: Likewise, with learning rate 4e-4.
            run_eagerly: Whether to run without compiling, to debug.
            steps_per_execution: Steps per compiled call. Not on PyTorch.
            jit_compile: As in `keras.Model.compile`; on PyTorch, True makes a
                graph of the step in its first seconds and then runs that,
                without Keras' Python: worth it where steps are short.

        Raises:
            ValueError: If the two optimizers are one object.
        """
        generator_optimizer = keras.optimizers.get(
            generator_optimizer or default_optimizer(1e-4)
        )
        discriminator_optimizer = keras.optimizers.get(
            discriminator_optimizer or default_optimizer(4e-4)
        )
        if generator_optimizer is discriminator_optimizer:
            raise ValueError(
                "`generator_optimizer` and `discriminator_optimizer` must be "
                "two objects: each keeps the state of one network. Received: "
                f"{generator_optimizer} for both"
            )
        pair = OptimizerPair(generator_optimizer, discriminator_optimizer)
        super().compile(
            optimizer=pair,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=self.set_jit_compile(jit_compile),
            auto_scale_loss=False,
        )
        pair.build_pair(
            self.generator.trainable_variables,
            self.discriminator.trainable_variables,
        )
        # As given: "auto" means another thing on another backend.
        self._compile_arguments = {
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        **kwargs,
    ):
        """Trains on images and labels; arguments as in `keras.Model.fit`.

        Args:
            x: Images, `(N, resolution, resolution, 3)`, floats in [-1, 1] or
                uint8, or a dataset of batches `(images, labels)`: a
                `tf.data.Dataset`, a `keras.utils.PyDataset`, a PyTorch
                `DataLoader`, a generator. Without classes, of images alone.
            y: Integer labels `(N,)`, if `x` is an array of images.
            batch_size: Images per batch, if `x` is an array.
            epochs: Passes over the data.
            verbose: As in Keras.
            callbacks: As in Keras.
            **kwargs: As in Keras.

        Returns:
            A `keras.callbacks.History`.

        Raises:
            ValueError: If the first batch is not what the networks take: the
                message says what to do.
        """
        self._assert_compile_called("fit")
        parts = self.discriminator_steps * self.gradient_accumulation_steps
        images, labels, x = checks.first_batch(x, y, batch_size)
        checks.check_images(images, self.resolution)
        checks.check_labels(labels, self.num_classes, len(images))
        checks.check_batch_size(len(images), parts, backends.devices())
        if isinstance(x, keras.utils.PyDataset):
            # Keras would shuffle the batches by a global seed, and a resumed
            # run would see another order; such a dataset orders itself.
            kwargs.setdefault("shuffle", False)
        self.broadcast_variables()
        validation_data = kwargs.get("validation_data")
        callbacks = _with(
            callbacks,
            Watch(len(images) * backends.process()[1]),
            LambdaCallback(on_train_begin=_way_back(x)),
            LambdaCallback(on_test_begin=_way_back(validation_data)),
        )
        return super().fit(
            x, y, batch_size, epochs, verbose, callbacks, **kwargs
        )

    def evaluate(self, x=None, *args, callbacks=None, **kwargs):
        """Computes the hinge losses; arguments as in `keras.Model.evaluate`.

        Both networks run in inference, on the same latents and labels at each
        call. No state of training changes, and a dataset of
        `keras_sagan.data` stays where it is.
        """
        state = self.evaluation_seed_generator.state
        before = ops.convert_to_numpy(state)
        take_back = _way_back(x)
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            # Otherwise `fit` has done it.
            callbacks = _with(
                callbacks, LambdaCallback(on_test_begin=take_back)
            )
        try:
            return super().evaluate(x, *args, callbacks=callbacks, **kwargs)
        finally:
            state.assign(before)
            take_back()


def _with(callbacks, *ours):
    """Returns a user's callbacks, in any form that Keras takes, and ours."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        for callback in ours:
            callbacks.append(callback)
        return callbacks
    return [*ours, *keras.tree.flatten(callbacks or [])]


def _way_back(dataset):
    """Returns what takes a dataset of `keras_sagan.data` back to where it is.

    Before anything begins, Keras tells a `PyDataset` that an epoch has ended
    (`EpochIterator.reset`, 3.15.1), and those go on to the next one then.
    """
    start_step = getattr(dataset, "start_step", None)

    def take_back(logs=None):
        if start_step is not None:
            dataset.start_step = start_step

    return take_back


def default_optimizer(learning_rate):
    """Adam of the SAGAN release; TTUR gives the networks two rates."""
    return keras.optimizers.Adam(
        learning_rate, beta_1=0.0, beta_2=0.999, epsilon=1e-8
    )
