"""Recipes, as plain data: architecture, optimizers, batch and steps.

They have no weights. `parameters` are the numbers of trainable parameters of
the generator and the discriminator; a test counts them.
"""

import copy

from keras_sagan.arguments import check_choice

_ADAM = {"beta_1": 0.0, "beta_2": 0.999, "epsilon": 1e-8}
_RELEASE = {
    "generator": {
        "resolution": 128,
        "num_classes": 1000,
        "batch_norm_momentum": (0.999, 0.9999),
    },
    "discriminator": {"resolution": 128, "num_classes": 1000},
    "model": {"ema_momentum": 0.0, "ema_start_step": 0},
    "generator_optimizer": {"learning_rate": 1e-4, **_ADAM},
    "discriminator_optimizer": {"learning_rate": 4e-4, **_ADAM},
    "batch_size": 256,
    "steps": 1_000_000,
    "data": "ImageNet, centre crop, 128 pixels",
}


def _with_attention(preset, attention_resolutions, **entries):
    """Returns a copy with attention at other sizes in both networks."""
    preset = {**copy.deepcopy(preset), **entries}
    for network in ("generator", "discriminator"):
        preset[network]["attention_resolutions"] = attention_resolutions
    return preset


PRESETS = {
    "imagenet_128": {
        "description": (
            "The recipe with the best published FID: attention at 64, and an "
            "EMA generator over all of its state. Published: IS 69.5, "
            "FID 12.83 (mmgeneration, with an EMA of 0.999)."
        ),
        "source": "BigGAN-PyTorch, scripts/launch_SAGAN_bs128x2_ema.sh",
        "parameters": (42_017_412, 39_448_258),
        "generator": {
            "resolution": 128,
            "num_classes": 1000,
            "attention_resolutions": (64,),
            "spectral_epsilon": 1e-8,
            "batch_norm_momentum": 0.9,
        },
        "discriminator": {
            "resolution": 128,
            "num_classes": 1000,
            "attention_resolutions": (64,),
            "spectral_epsilon": 1e-8,
        },
        "model": {
            "gradient_accumulation_steps": 2,
            "ema_momentum": 0.9999,
            "ema_start_step": 2000,
        },
        "generator_optimizer": {"learning_rate": 1e-4, **_ADAM},
        "discriminator_optimizer": {"learning_rate": 4e-4, **_ADAM},
        "batch_size": 256,
        "steps": 1_000_000,
        "data": "ImageNet, centre crop, 128 pixels",
    },
    "imagenet_128_released": _with_attention(
        _RELEASE,
        (32,),
        description=(
            "The SAGAN release: attention at 32, beta_2 0.999, no EMA "
            "generator. Published for it: IS 51.43, FID 18.28 (Table 1)."
        ),
        source="brain-research/self-attention-gan, and arXiv 1805.08318",
        parameters=(42_078_852, 39_463_618),
    ),
    "imagenet_128_paper": _with_attention(
        {
            **_RELEASE,
            "generator": {**_RELEASE["generator"], "attention": "paper"},
            "discriminator": {
                **_RELEASE["discriminator"],
                "attention": "paper",
            },
        },
        (64,),
        description=(
            "The paper's text: keys and values not pooled, value of C / 8, "
            "beta_2 0.9; attention at 64, as in Table 2. Published: IS 52.52, "
            "FID 18.65."
        ),
        source="arXiv 1805.08318, Sections 3 and 5, Table 2",
        parameters=(42_005_124, 39_445_186),
        generator_optimizer={"learning_rate": 1e-4, **_ADAM, "beta_2": 0.9},
        discriminator_optimizer={"learning_rate": 4e-4, **_ADAM, "beta_2": 0.9},
    ),
    "imagenet_128_baseline": _with_attention(
        _RELEASE,
        (),
        description=(
            "The release without attention: the paper's baseline. Published: "
            "IS 42.87, FID 22.96 (Table 1)."
        ),
        source="arXiv 1805.08318, Table 1; the release, `generator`",
        parameters=(41_996_931, 39_443_137),
    ),
    "cifar10_32": {
        "description": (
            "CIFAR-10: one learning rate, five discriminator steps. "
            "Published: FID 9.4 to 10.4 (StudioGAN, mmgeneration)."
        ),
        "source": "PyTorch-StudioGAN, src/configs/CIFAR10/SAGAN.yaml",
        "parameters": (4_386_308, 1_075_586),
        "generator": {
            "resolution": 32,
            "num_classes": 10,
            "attention_resolutions": (16,),
            "spectral_epsilon": 1e-6,
            "batch_norm_momentum": 0.9,
            "batch_norm_epsilon": 1e-4,
            "class_table_spectral_normalization": True,
        },
        "discriminator": {
            "resolution": 32,
            "num_classes": 10,
            "attention_resolutions": (16,),
            "spectral_epsilon": 1e-6,
        },
        "model": {
            "discriminator_steps": 5,
            "ema_momentum": 0.0,
            "ema_start_step": 0,
        },
        "generator_optimizer": {
            "learning_rate": 2e-4,
            **_ADAM,
            "beta_1": 0.5,
        },
        "discriminator_optimizer": {
            "learning_rate": 2e-4,
            **_ADAM,
            "beta_1": 0.5,
        },
        # Five parts of 64, one for each discriminator step.
        "batch_size": 320,
        "steps": 100_000,
        "data": "CIFAR-10",
    },
    "digits": {
        "description": (
            "scikit-learn's handwritten digits at 16 pixels; trains within "
            "minutes on two CPU cores. See examples/digits.py for the results."
        ),
        "source": "measured here; docs/results.md shows what each part does",
        "parameters": (300_228, 270_530),
        "generator": {
            "resolution": 16,
            "num_classes": 10,
            "base_channels": 16,
            "batch_norm_momentum": 0.9,
        },
        "discriminator": {
            "resolution": 16,
            "num_classes": 10,
            "base_channels": 32,
        },
        "model": {"ema_momentum": 0.99, "ema_start_step": 100},
        "generator_optimizer": {"learning_rate": 2e-4, **_ADAM},
        "discriminator_optimizer": {"learning_rate": 4e-4, **_ADAM},
        "batch_size": 64,
        "steps": 3_500,
        "data": "keras_sagan.data.load_digits(16)",
    },
    "letters_32": {
        "description": (
            "Letters A to Z of 2,300 typefaces at 32 pixels, gray. Training "
            "takes hours on two CPU cores. The loss is relativistic, because "
            "with the hinge loss all letters of a class became alike."
        ),
        "source": "measured here; docs/results.md compares the losses",
        "parameters": (391_938, 270_274),
        "generator": {
            "resolution": 32,
            "num_classes": 26,
            "channels": 1,
            "base_channels": 16,
            "batch_norm_momentum": 0.9,
        },
        "discriminator": {
            "resolution": 32,
            "num_classes": 26,
            "channels": 1,
            "base_channels": 32,
        },
        "model": {"ema_momentum": 0.999, "ema_start_step": 500},
        "loss": "relativistic",
        "gradient_penalty": {
            "R1": {"weight": 1.0, "every": 4},
            "R2": {"weight": 1.0, "every": 4},
        },
        "generator_optimizer": {
            "learning_rate": 2e-4,
            **_ADAM,
            "beta_2": 0.99,
        },
        "discriminator_optimizer": {
            "learning_rate": 2e-4,
            **_ADAM,
            "beta_2": 0.99,
        },
        "batch_size": 64,
        "steps": 10_000,
        "data": "docs/results.md says how they were made from fonts",
    },
}


def list_presets():
    """Returns the names of the presets.

    Example:

    >>> "imagenet_128" in keras_sagan.list_presets()
    True
    """
    return list(PRESETS)


def get_preset(name):
    """Returns a copy of a preset.

    Its entries are `description`, `source`, `parameters` (the numbers of
    trainable parameters of the generator and the discriminator), the arguments
    of `build_generator`, `build_discriminator`, `SAGAN` and both Adam
    optimizers, `batch_size` (of one `fit` batch), `steps`, and `data`. If the
    loss is not the hinge loss, `loss` names it, and `gradient_penalty` maps the
    name of each penalty's class in `keras_sagan.losses` to its arguments.

    Args:
        name: One of `list_presets()`.

    Returns:
        A dict.

    Raises:
        ValueError: If there is no such preset.

    Example:

    >>> keras_sagan.get_preset("imagenet_128")["batch_size"]
    256
    """
    check_choice("name", name, list_presets())
    return copy.deepcopy(PRESETS[name])
