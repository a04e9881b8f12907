"""What is in a saved model.

keras-sagan info MODEL

MODEL is a .keras file, or the folder of a run. Says as well what lies
beside it: the names of its classes in classes.json, metrics in metrics.json,
the end of its training in log.jsonl.
"""

import json

from absl import flags

from keras_sagan.cli.models import class_names
from keras_sagan.cli.models import find_model
from keras_sagan.cli.models import folder_of
from keras_sagan.cli.parsing import parse


def main(arguments):
    (name,) = parse(flags.FlagValues(), __doc__, arguments, ["MODEL"])
    import keras_sagan

    path = find_model(name)
    about = keras_sagan.models.describe_file(path)
    height, width, _ = about["image_shape"]
    lines = {
        "images": f"{height}x{width} pixels",
        "classes": _classes(about, class_names(path, about["num_classes"])),
        "latents": f"{about['latent_dim']} entries",
    }
    for network, count in about["parameters"].items():
        lines[network] = f"{count:,} parameters"
    if about["presets"]:
        lines["networks of"] = ", ".join(about["presets"])
    lines["trained"] = f"{about['steps_trained']:,} steps"
    lines["attention"] = [
        f"{x['network']} at {x['size']}x{x['size']}, gamma {x['gamma']:+.4f}"
        for x in about["attention"]
    ] or ["none"]
    lines["metrics"] = _read_metrics(path) or ["not beside it"]
    if log := _read_log(path):
        lines["last logged"] = _numbers(log)
    lines["saved"] = f"{about['saved']}, Keras {about['keras_version']}"
    for what, value in lines.items():
        for i, text in enumerate([value] if isinstance(value, str) else value):
            print(f"{'' if i else what:14}{text}")


def _classes(about, names):
    if about["num_classes"] is None:
        return "none"
    shown = ", ".join(names[:10]) if names else "no classes.json beside it"
    more = ", ..." if names and len(names) > 10 else ""
    return f"{about['num_classes']}: {shown}{more}"


def _read_metrics(path):
    """From metrics.json, or the metrics in the config.json of a preset.

    What `evaluate --out` wrote is said as `evaluate` says it.
    """
    from keras_sagan.metrics import report

    for file, inside in (("metrics.json", None), ("config.json", "metrics")):
        file = folder_of(path) / file
        if file.exists():
            metrics = json.loads(file.read_text())
            metrics = metrics.get(inside) if inside else metrics
            if metrics:
                try:
                    return report(metrics).splitlines()
                except (KeyError, TypeError):  # Of another make.
                    return _numbers(metrics)
    return []


def _read_log(path):
    from keras_sagan import visualization

    if not (folder_of(path) / "log.jsonl").exists():
        return {}
    curves = visualization.read_log(folder_of(path) / "log.jsonl")
    return {name: values[-1] for name, (_, values) in curves.items()}


def _numbers(values):
    """A line for each value of a dict; numbers to four digits."""
    return [
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
    ]
