"""Features of images, kept no longer than they are needed."""

import hashlib
import json
import pathlib

import numpy as np
from keras import ops

from keras_sagan import backends
from keras_sagan.data import normalize
from keras_sagan.files import replacing
from keras_sagan.metrics.progress import progress
from keras_sagan.metrics.statistics import GaussianStatistics
from keras_sagan.metrics.statistics import check_features


class Features:
    """Statistics of the features of images, and optionally the features.

    `extract` and `metrics.reference` return such objects.

    Attributes:
        statistics: `GaussianStatistics`.
        features: Float32 `(N, D)`, perhaps mapped from a file, or None.
        logits: Float32 `(N, classes)`, or None.
        labels: Integers `(N,)`, or None.
    """

    def __init__(self, statistics, features=None, logits=None, labels=None):
        self.statistics = statistics
        self.features = features
        self.logits = logits
        self.labels = labels


def extract(
    images,
    extractor,
    protocol,
    keep=(),
    batch_size=64,
    indices=None,
    folder=None,
):
    """Runs an extractor on images, batch by batch.

    Args:
        images: `Images` or `Generated`.
        extractor: Callable that maps a batch of images to features, floats
            `(n, D)`, or to features and logits.
        protocol: Dict, see `get_protocol`.
        keep: Arrays to keep in addition to the statistics: `"features"`,
            `"logits"`.
        batch_size: Positive integer.
        indices: Indices of the images to use, or None for all.
        folder: Folder for files that hold the arrays. If `None`, the arrays are
            held in memory.

    Returns:
        `Features`.
    """
    count = len(images) if indices is None else len(indices)
    statistics, kept, labels = GaussianStatistics(), {}, []
    batches = images.batches(batch_size, indices)
    done = 0
    for batch, batch_labels in progress(
        batches, f"features of `{images.name}`", -(-count // batch_size)
    ):
        outputs = run(extractor, prepare(batch, protocol))
        statistics.update(outputs["features"])
        labels.append(batch_labels)
        for name in keep:
            if name not in outputs:
                raise ValueError(
                    f"`feature_extractor` must give features and {name} for "
                    "these metrics. Received: features alone"
                )
            values = outputs[name]
            if name not in kept:
                kept[name] = allocate(folder, name, count, values.shape[1])
            kept[name][done : done + len(values)] = values
        done += len(batch)
    if not labels or any(part is None for part in labels):
        labels = None
    else:
        labels = np.concatenate(labels)
    return Features(
        statistics, kept.get("features"), kept.get("logits"), labels
    )


def prepare(images, protocol):
    """Converts uint8, or floats in [-1, 1], to what the protocol asks for."""
    if protocol["quantised"] and images.dtype != np.uint8:
        return np.clip(np.rint((images + 1) * 127.5), 0, 255).astype("uint8")
    if not protocol["quantised"] and images.dtype == np.uint8:
        return normalize(images)
    return images


def run(extractor, images):
    """Returns a dict of arrays: `features`, and `logits` if there are any."""
    with backends.alone():
        outputs = extractor(images)
    if not isinstance(outputs, (tuple, list)):
        outputs = [outputs]
    outputs = [np.asarray(ops.convert_to_numpy(x)) for x in outputs]
    for x in outputs:
        if x.ndim != 2 or len(x) != len(images):
            raise ValueError(
                f"`feature_extractor` must give ({len(images)}, D) for "
                f"{len(images)} images. Received: an array of shape {x.shape}"
            )
    return dict(zip(("features", "logits"), outputs))


def allocate(folder, name, count, columns):
    """Returns float32 `(count, columns)`, in memory or mapped from a file."""
    shape = (count, columns)
    if folder is None:
        return np.empty(shape, "float32")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.npy"
    # Features that were read from an earlier file keep that file.
    path.unlink(missing_ok=True)
    return np.lib.format.open_memmap(path, "w+", "float32", shape)


class Cache:
    """A folder with the features of real images, and what they were made from.

    Other tools can read `statistics.npz`. `features.npy` and `labels.npy` lie
    beside it if a metric needed them. `statistics.npz` is removed before
    anything is written, and written last, so that an interrupted run leaves
    nothing that looks complete.

    Args:
        folder: Path.
        images: `Images`.
        extractor: As in `extract`.
        protocol: Dict.
        indices: Indices of the images to use, or None for all.
    """

    def __init__(self, folder, images, extractor, protocol, indices):
        self.folder = pathlib.Path(folder)
        few, _ = next(images.batches(2, indices))
        probe = run(extractor, prepare(few[:1], protocol))["features"]
        self.probe = check_features("features", probe)[0]
        self.made_from = {
            "extractor": name_of(extractor),
            "quantised": protocol["quantised"],
            "resize": protocol["resize"],
            "images": len(images) if indices is None else len(indices),
            "fingerprint": _fingerprint(images, indices),
        }

    def load(self, keep):
        """Returns the `Features`, or None if they were made differently."""
        path = self.folder / "statistics.npz"
        if not path.exists():
            return None
        try:
            statistics = GaussianStatistics.load(path)
        except ValueError:  # Damaged, so everything is computed again.
            return None
        made_from = dict(statistics.made_from or {})
        # Extractors of the same name may differ, but then so do their features.
        probe = made_from.pop("probe", None)
        keeps = made_from.pop("keeps", [])
        if (
            made_from != self.made_from
            or np.shape(probe) != self.probe.shape
            or not np.allclose(probe, self.probe, rtol=1e-3, atol=1e-4)
            or not set(keep) <= set(keeps)
        ):
            return None
        files = {x: self.folder / f"{x}.npy" for x in [*keep, "labels"]}
        try:
            arrays = {
                name: np.load(file, mmap_mode="r", allow_pickle=False)
                for name, file in files.items()
                if file.exists()
            }
        except (ValueError, EOFError):  # Damaged, so they are computed again.
            return None
        if not set(keep) <= set(arrays):
            return None
        return Features(statistics, **arrays)

    def forget(self):
        """Removes the statistics, before other features are written."""
        (self.folder / "statistics.npz").unlink(missing_ok=True)

    def save(self, features, keep):
        """Writes the statistics and labels; the arrays are in files already."""
        labels = self.folder / "labels.npy"
        if features.labels is not None:
            with replacing(labels) as temporary:
                np.save(temporary, features.labels)
        else:
            labels.unlink(missing_ok=True)
        features.statistics.made_from = {
            **self.made_from,
            "probe": self.probe.tolist(),
            "keeps": list(keep),
        }
        features.statistics.save(self.folder / "statistics.npz")


def name_of(extractor):
    """Returns the name of an extractor, as given in the results."""
    return getattr(extractor, "name", None) or getattr(
        extractor, "__name__", type(extractor).__name__
    )


def _fingerprint(images, indices):
    """Returns a digest of 64 evenly chosen images and their labels."""
    indices = np.arange(len(images)) if indices is None else indices
    chosen = indices[np.linspace(0, len(indices) - 1, 64).astype(int)]
    digest = hashlib.sha256()
    for batch, labels in images.batches(64, np.unique(chosen)):
        digest.update(json.dumps(batch.shape).encode())
        digest.update(batch.tobytes())
        if labels is not None:
            digest.update(np.int64(labels).tobytes())
    return digest.hexdigest()
