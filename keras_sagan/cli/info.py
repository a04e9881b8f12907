"""Show what a saved model holds.

Example:
  keras-sagan info MODEL

This also shows what lies beside the model: the class names of classes.json,
the metrics of metrics.json, and the end of the training log log.jsonl.
"""

from keras_sagan import sizes
from keras_sagan.cli import options
from keras_sagan.cli.models import class_names
from keras_sagan.cli.models import find_model
from keras_sagan.cli.models import is_shipped
from keras_sagan.cli.models import load_model
from keras_sagan.files import printable
from keras_sagan.files import read_json
from keras_sagan.quiet import import_quietly
from keras_sagan.training.folder import Run


def add_arguments(parser):
    options.add_model(parser)


def run(arguments):
    of = _of_preset if is_shipped(arguments.model) else _of_file
    about, names, more = of(arguments.model)
    lines = {
        "images": _size(about),
        "classes": _classes(about, names),
        "latents": f"{about['latent_dim']} entries",
    }
    for network, count in about["parameters"].items():
        lines[network] = f"{count:,} parameters"
    if about["presets"]:
        lines["networks of"] = ", ".join(about["presets"])
    lines["trained"] = f"{about['steps_trained']:,} steps"
    lines["attention"] = [
        f"{x['network']} at {_map(x['size'])}, gamma {x['gamma']:+.4f}"
        for x in about["attention"]
    ] or ["none"]
    for what, value in {**lines, **more}.items():
        for i, text in enumerate([value] if isinstance(value, str) else value):
            print(f"{'' if i else what:14}{printable(text)}")


def _of_file(name):
    """Returns facts about a file, its class names, and facts beside it."""
    path = find_model(name)
    import_quietly()
    from keras_sagan import models

    about = models.describe_file(path)
    more = {"metrics": _read_metrics(path) or ["no metrics.json beside it"]}
    if log := _read_log(path):
        more["last logged"] = _numbers(log)
    more["saved"] = f"{about['saved']}, Keras {about['keras_version']}"
    return about, class_names(path, about["num_classes"]), more


def _of_preset(name):
    """Returns the same for weights that come with the package."""
    model, names = load_model(name)
    from keras_sagan.models.saved_file import describe_model
    from keras_sagan.models.shipped import describe_weights

    weights = describe_weights(name)
    more = {
        "metrics": _numbers(weights["metrics"]),
        "data": weights["data"],
        "recipe": weights["recipe"],
        "license": weights["license"],
    }
    about = {**describe_model(model), "presets": [name]}
    return about, names, more


def _map(size):
    height, width = sizes.as_pair(size)
    return f"{height}x{width}"


def _size(about):
    height, width, channels = about["image_shape"]
    return f"{height}x{width} pixels, {channels} channel{'s' * (channels > 1)}"


def _classes(about, names):
    if about["num_classes"] is None:
        return "none"
    shown = ", ".join(names[:10]) if names else "no classes.json beside it"
    more = ", ..." if names and len(names) > 10 else ""
    return f"{about['num_classes']}: {shown}{more}"


def _read_metrics(path):
    """Reads metrics.json, or the metrics in the config.json of a preset.

    Results of `keras-sagan evaluate --out` are shown as that verb shows them.
    """
    from keras_sagan.metrics import report

    for file, inside in (("metrics.json", None), ("config.json", "metrics")):
        file = Run.of(path).path / file
        try:
            metrics = read_json(file) or {}
        except ValueError as error:  # Show the rest.
            return [str(error)]
        metrics = metrics.get(inside) if inside else metrics
        if metrics:
            try:
                return report(metrics).splitlines()
            except Exception:  # Another program wrote them.
                return _numbers(metrics)
    return []


def _read_log(path):
    from keras_sagan import visualization

    log = Run.of(path).log_path
    if not log.exists():
        return {}
    curves = visualization.read_log(log)
    return {name: values[-1] for name, (_, values) in curves.items()}


def _numbers(values):
    """Returns a line for each value of a dict, floats to four digits."""
    if not isinstance(values, dict):
        return [f"not a dict: {values!r:.60}"]
    return [
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
    ]
