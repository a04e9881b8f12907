"""The model card, and the facts that it states."""

import json
import math
import re

import numpy as np

from keras_sagan import sizes
from keras_sagan.version import __version__
from keras_sagan.visualization.attention import attention_layers

_NOT_STATED = "Not stated."


def describe(model, statements):
    """Returns the facts about a model as plain data for `config.json`.

    Args:
        model: A `SAGAN`.
        statements: Dict of the arguments `data`, `recipe`, `metrics` and
            `license` of `SAGAN.save_to_preset`, each None if it is not known.

    Raises:
        ValueError: If `metrics` has no protocol, or `license` is not an
            identifier.
    """
    metrics, license = statements["metrics"], statements["license"]
    if metrics is not None and (
        not isinstance(metrics, dict) or "protocol" not in metrics
    ):
        raise ValueError(
            "`metrics` must be a dict that says by which `protocol` they were "
            "measured: without it a number means nothing. "
            f"Received: metrics={metrics!r:.200}"
        )
    for name in ("data", "recipe", "license"):
        text = statements[name]
        if text is not None and not isinstance(text, str):
            raise ValueError(
                f"`{name}` must be a string or None. "
                f"Received: {name}={text!r:.80}"
            )
    if license is not None and not re.fullmatch(r"[\w.+-]+", license):
        raise ValueError(
            "`license` must be an identifier such as 'apache-2.0'. "
            f"Received: license={license!r}"
        )
    return {
        "made_by": f"keras_sagan {__version__}",
        "resolution": model.resolution,
        "num_classes": model.num_classes,
        "latent_dim": model.latent_dim,
        "parameters": {
            name: sum(math.prod(v.shape) for v in variables)
            for name, variables in (
                ("generator", model.generator.trainable_variables),
                ("discriminator", model.discriminator.trainable_variables),
            )
        },
        "attention": {
            network.name: _attention(network)
            for network in (model.generator, model.discriminator)
        },
        "steps_trained": model.count_steps(),
        "training": {
            "discriminator_steps": model.discriminator_steps,
            "gradient_accumulation_steps": model.gradient_accumulation_steps,
            "ema_momentum": model.ema_momentum,
            "ema_start_step": model.ema_start_step,
        },
        "optimizers": _optimizers(model),
        **statements,
    }


def model_card(config, class_names=None):
    """Returns the README.md of a model: the Hub's front matter, then text."""
    lines = ["---", "library_name: keras_sagan"]
    if config["license"]:
        lines.append(f"license: {json.dumps(config['license'])}")
    lines += [
        "pipeline_tag: unconditional-image-generation",
        "tags: [keras, sagan, gan, image-generation]",
        "---",
        "",
        f"# SAGAN, {sizes.text(config['resolution'])}",
        "",
        "A self-attention GAN (Zhang et al., arXiv 1805.08318), made with "
        f"{config['made_by']}.",
        "",
        "![Samples, a row for each of the first classes, seed 0, not "
        "selected](samples.png)"
        if config["num_classes"]
        else "![Samples, seed 0, not selected](samples.png)",
        "",
        "```python",
        "import keras_sagan",
        "",
        "# This folder, or hf://owner/name.",
        'model = keras_sagan.SAGAN.from_preset("FOLDER")',
        "images = model.generate(num_images=8, seed=0)  # uint8",
        "```",
    ]
    for title, text in (
        ("Data", config["data"] or _NOT_STATED),
        ("Classes", _classes(config, class_names)),
        ("Recipe", _recipe(config)),
        ("Metrics", _metrics(config["metrics"])),
        ("License", config["license"] or f"{_NOT_STATED} Ask the author."),
    ):
        lines += ["", f"## {title}", "", text]
    return "\n".join(lines) + "\n"


def _classes(config, class_names):
    if config["num_classes"] is None:
        return "None: the model is unconditional."
    if class_names is None:
        return f"{config['num_classes']}, without names."
    names = ", ".join(f"{i} {name}" for i, name in enumerate(class_names[:20]))
    if len(class_names) > 20:
        return f"{names}, and so on: see classes.json."
    return f"{names}."


def _recipe(config):
    parameters, training = config["parameters"], config["training"]
    lines = [
        f"{config['steps_trained']:,} training steps.",
        f"Parameters: {parameters['generator']:,} in the generator, "
        f"{parameters['discriminator']:,} in the discriminator.",
        *(
            f"Attention in the {name}: {', '.join(places) or 'none'}."
            for name, places in config["attention"].items()
        ),
        f"Discriminator steps: {training['discriminator_steps']}; gradient "
        f"accumulation: {training['gradient_accumulation_steps']}.",
        f"EMA generator: momentum {training['ema_momentum']} from step "
        f"{training['ema_start_step']}.",
        *(
            f"{name.capitalize()}'s optimizer: "
            + ", ".join(f"{key} {value}" for key, value in optimizer.items())
            + "."
            for name, optimizer in (config["optimizers"] or {}).items()
        ),
    ]
    if config["recipe"]:
        lines.insert(0, config["recipe"])
    return "\n".join(f"- {line}" for line in lines)


def _metrics(metrics):
    if metrics is None:
        return "Not measured."
    rows = [
        f"| {key} | {x if isinstance(x, (int, str)) else f'{x:.4g}'} |"
        for key, x in metrics.items()
        if isinstance(x, (int, float, np.number, str)) and key != "protocol"
    ]
    table = "\n".join(["| metric | value |", "|---|---|", *rows])
    protocol = metrics["protocol"]
    if isinstance(protocol, dict):
        protocol = "; ".join(f"{key} {x}" for key, x in protocol.items()) + "."
    return f"{table}\n\nProtocol: {protocol}"


def _attention(network):
    """Returns strings that say where a network attends, to how many keys.

    For an attention layer that does not know its size, this is its name.
    """
    return [
        _place(layer) if getattr(layer, "map_size", None) else layer.name
        for layer in attention_layers(network)
    ]


def _place(layer):
    height, width = layer.map_size
    keys = height * width // getattr(layer, "pool_size", 1) ** 2
    return f"{height} x {width} to {keys} keys"


def _optimizers(model):
    if not model.compiled:
        return None
    return {
        "generator": _optimizer(model.generator_optimizer),
        "discriminator": _optimizer(model.discriminator_optimizer),
    }


def _optimizer(optimizer):
    config = optimizer.get_config()
    known = {"name": type(optimizer).__name__}
    for key in ("learning_rate", "beta_1", "beta_2", "epsilon"):
        if isinstance(config.get(key), (int, float)):
            known[key] = float(f"{config[key]:.6g}")  # Rounds a float32.
    return known
