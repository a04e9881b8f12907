"""The environment of a run, on which the last bits of its results depend."""

import importlib.metadata
import os
import warnings

import keras

from keras_sagan import backends
from keras_sagan.files import read_json


def describe_environment():
    """Returns a dict for JSON; if it is the same, a run continues exactly.

    Sums are split among the cores of a CPU, and rounding depends on the order
    of the sums. On JAX, a step on one core differs from a step on two.
    """
    backend = keras.backend.backend()
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity.
        cores = os.cpu_count()
    try:
        version = importlib.metadata.version(backend)
    except importlib.metadata.PackageNotFoundError:  # It has another name.
        version = None
    return {
        "backend": backend,
        "backend_version": version,
        "keras_version": keras.__version__,
        "accelerator": backends.has_accelerator(),
        "cpu_cores": cores,
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "processes": backends.process()[1],
        "replicas": backends.replicas(),
    }


def warn_elsewhere(path):
    """Warns if a run goes on in an environment that changes its last bits.

    Args:
        path: `environment.json` of the run, a `pathlib.Path`.
    """
    try:
        before = read_json(path) or {}
    except ValueError:
        return  # A damaged file must not stop a run; it is written again.
    now = describe_environment()
    other = [
        f"{name}={now[name]}, before {before[name]}"
        for name in sorted(now.keys() & before.keys())
        if now[name] != before[name]
    ]
    if other:
        warnings.warn(
            f"The run in {path.parent} goes on with {'; '.join(other)}. Its "
            "weights will differ in their last bits from those of a run that "
            "was not interrupted",
            stacklevel=3,
        )
