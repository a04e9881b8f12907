"""Making a `SAGAN` of a recipe or of a file, and keeping one."""

import keras
from keras import ops

from keras_sagan import backends
from keras_sagan.backends.precision import dtype_policy
from keras_sagan.hub import folders
from keras_sagan.models import checks
from keras_sagan.models import presets
from keras_sagan.models.discriminator import build_discriminator
from keras_sagan.models.generator import build_generator


class Persistence:
    """Presets and saving of `SAGAN`.

    The networks and optimizers are saved by Keras, as attributes.
    """

    @classmethod
    def from_preset(cls, name, precision=None, **overrides):
        """Builds the SAGAN of a recipe, or loads one that was shared.

        A preset of `list_presets()` carries a recipe, not weights: its
        networks are new. A folder and a repository carry a trained model.

        Args:
            name: One of `keras_sagan.list_presets()`, or a dict such as
                `keras_sagan.get_preset` returns, changed at will; a folder that
                `save_to_preset` wrote (`"./digits"`, if it is called as a
                recipe is), or a `.keras` file; or `"hf://owner/name"`, with
                `@revision` or not, on the Hugging Face Hub. No code that a
                file may hold is run.
            precision: For a recipe: `"float32"`, or `"mixed_bfloat16"`:
                convolutions and products in bfloat16, while the weights,
                spectral norms, moments, softmax, images, logits and losses
                stay in float32. None: the global dtype policy.
            **overrides: For a recipe: arguments of `SAGAN`, in the place of
                the preset's.

        Returns:
            A `SAGAN`, compiled if it is a recipe or was saved so.

        Raises:
            ValueError: If there is no such preset, folder or precision.
            ImportError: If huggingface_hub is missing for `hf://`.

        Example:
        >>> model = keras_sagan.SAGAN.from_preset("digits")
        >>> model.resolution
        16
        """
        if folders.is_place(name):
            return folders.load_shared(cls, name, precision, overrides)
        preset = name if isinstance(name, dict) else presets.get_preset(name)
        checks.check_precision(precision)
        with dtype_policy(precision):
            model = cls(
                build_generator(**preset["generator"]),
                build_discriminator(**preset["discriminator"]),
                **{**preset["model"], **overrides},
            )
        model.compile(
            keras.optimizers.Adam(**preset["generator_optimizer"]),
            keras.optimizers.Adam(**preset["discriminator_optimizer"]),
        )
        return model

    def save_to_preset(
        self,
        folder,
        class_names=None,
        data=None,
        recipe=None,
        metrics=None,
        license=None,
    ):
        """Writes a folder for others: the model, and what it is.

        `model.keras`, the whole model; `config.json`; `classes.json`; a model
        card, `README.md`, as the Hugging Face Hub shows it, with what is
        given here and what the model knows of itself; `samples.png`, eight
        images of each of up to eight classes, from seed 0.
        `keras_sagan.upload_preset` uploads it; `from_preset` loads it.

        Args:
            folder: A new or empty folder.
            class_names: A string for each class, or None.
            data: What it was trained on, in words.
            recipe: What the model does not know: batch size, augmentation, a
                preset's name.
            metrics: Dict of numbers and of the `"protocol"` by which they
                were measured.
            license: Identifier, such as `"apache-2.0"`.

        Raises:
            FileExistsError: If there are files in the folder.
            ValueError: If `class_names`, `metrics` or `license` is not so.
            ImportError: If Pillow is not installed.

        Example:
            model.save_to_preset("shared", license="apache-2.0")
            model = keras_sagan.SAGAN.from_preset("shared")
        """
        self.sync_variables()
        statements = {"data": data, "recipe": recipe, "metrics": metrics}
        statements["license"] = license
        folders.save(self, folder, class_names, statements)

    def save(self, *args, **kwargs):
        """Saves the model; as in `keras.Model.save`.

        Of several processes that train together, one may do it alone.
        """
        with backends.alone():
            super().save(*args, **kwargs)

    def save_own_variables(self, store):
        store["steps_trained"] = ops.convert_to_numpy(self.steps_trained)
        # Keras leaves seeds out; without this one, resuming is not exact.
        store["seed"] = ops.convert_to_numpy(self.seed_generator.state)

    def load_own_variables(self, store):
        self.steps_trained.assign(store["steps_trained"][()])
        self.seed_generator.state.assign(store["seed"][()])

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "generator": serialize(self.generator),
            "discriminator": serialize(self.discriminator),
            "discriminator_steps": self.discriminator_steps,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
            "ema_momentum": self.ema_momentum,
            "ema_start_step": self.ema_start_step,
            "augmentation": self.augmentation,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        for name in ("generator", "discriminator"):
            config[name] = keras.saving.deserialize_keras_object(
                config[name], custom_objects
            )
        return cls(**config)

    def get_compile_config(self):
        if not self.compiled:
            return {}
        return {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            **self._compile_arguments,
        }

    def compile_from_config(self, config):
        config = dict(config)
        pair = keras.saving.deserialize_keras_object(config.pop("optimizer"))
        self.compile(
            pair.generator_optimizer, pair.discriminator_optimizer, **config
        )
