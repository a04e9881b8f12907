"""Figures of a generator, with the protocol that makes them figures."""

import functools
import pathlib

import numpy as np

from keras_sagan import backends
from keras_sagan.metrics.built_in import get_metrics
from keras_sagan.metrics.features import Cache
from keras_sagan.metrics.features import Features
from keras_sagan.metrics.features import extract
from keras_sagan.metrics.features import name_of
from keras_sagan.metrics.images import Generated
from keras_sagan.metrics.images import Generator
from keras_sagan.metrics.images import Images
from keras_sagan.metrics.inception import Inception
from keras_sagan.metrics.metric import as_results
from keras_sagan.metrics.parts import local_slice
from keras_sagan.metrics.parts import merge
from keras_sagan.metrics.protocols import get_protocol
from keras_sagan.metrics.statistics import GaussianStatistics


def evaluate(
    model,
    real=None,
    metrics=("fid", "is"),
    num_images=50_000,
    protocol="torch-fidelity",
    feature_extractor=None,
    batch_size=64,
    seed=0,
    cache=None,
    **generate_arguments,
):
    """Computes FID and other figures of a generator, or of images.

    Memory is bounded: batches are judged as they are made, and only what a
    metric needs is kept: nothing for FID, 400 MB of features a side at 50,000
    images for KID, precision and coverage; intra-FID generates class by class.

    Of several processes, see `distribution.start`, all must call this: each
    generates and judges a part (a thousand images at a time, or a class), and
    each returns the figures of all. The first one alone writes the cache. The
    devices of a process generate together, and share the Inception network's
    batches.

    Args:
        model: A `SAGAN`; or generated images, as `real`.
        real: Real images: uint8 `(N, H, W, 3)`, that and labels `(N,)` as a
            pair, a source with `len(source)` and `source[i]`, the path of a
            folder of pictures or of an `.npz` (`images`, and perhaps
            `labels`); or, for FID, an `.npz` with `mu` and `sigma`; or what
            `metrics.reference` gave. None for the Inception Score alone.
        metrics: Of `"fid"`, `"is"`, `"kid"`, `"precision_recall"`,
            `"density_coverage"`, `"intra_fid"`.
        num_images: Positive integer, images to generate. The paper: 50,000.
        protocol: `"torch-fidelity"`, `"paper"`, or a dict, see
            `metrics.get_protocol`.
        feature_extractor: Callable from images, uint8 `(n, H, W, 3)` (floats
            in [-1, 1] where the protocol does not quantise), to features
            `(n, D)`, or to those and logits. None: `metrics.Inception`. With
            another the figures are no FID, and are told by its `name`.
        batch_size: Positive integer, images judged at a time by a process.
        seed: Non-negative integer, of what is generated, and of the choice of
            real images where the protocol takes a part.
        cache: Folder in which the real images' statistics are kept, and found
            again if made from the same. None: not kept.
        **generate_arguments: Of `SAGAN.generate`: `ema`, `truncation`,
            `standing_statistics`.

    Returns:
        A dict: `fid`, `is` and `is_std`, `kid` and `kid_std`, `precision` and
        `recall`, `density` and `coverage`, `intra_fid` and
        `intra_fid_per_class`, as asked for; and `protocol`, a dict of how they
        were made. `metrics.report` makes text of it.

    Raises:
        ValueError: If an argument does not fit; if a class is empty or images
            are not finite.
        OSError: If the weights of the Inception network cannot be had.

    Example:
    >>> rng = np.random.default_rng(0)
    >>> x = rng.integers(0, 256, (64, 8, 8, 3), "uint8")
    >>> colours = lambda images: images.mean(axis=(1, 2))
    >>> results = keras_sagan.metrics.evaluate(
    ...     x, x, metrics=["fid"], feature_extractor=colours)
    >>> round(results["fid"], 6)
    0.0

    Reference: Heusel et al., arXiv 1706.08500.
    """
    metrics = get_metrics(metrics)
    protocol = get_protocol(protocol)
    extractor = feature_extractor or Inception(logits=protocol["logits"])
    need_real = [m.name for m in metrics if m.real_needs is not None]
    if need_real:
        if real is None:
            raise ValueError(
                f"`real` must be given for {', '.join(need_real)}. "
                "Received: real=None"
            )
        real = reference(
            real, metrics, protocol, extractor, batch_size, seed, cache
        )
    generator = None
    if hasattr(model, "generate"):
        generator = Generator(model, seed, generate_arguments)
        model = generator.images(num_images, seed)
    # The others generate images of their own.
    sharing = [m for m in metrics if generator is None or not m.generates]
    fake = None
    if sharing:
        fake = _judge("model", model, sharing, protocol, extractor, batch_size)
    results = {}
    for metric in metrics:
        if metric in sharing:
            computed = metric.compute(real, fake, protocol)
        else:
            computed = metric.compute_from_model(
                real,
                generator,
                protocol,
                functools.partial(
                    extract,
                    extractor=extractor,
                    protocol=protocol,
                    batch_size=batch_size,
                ),
            )
        results.update(as_results(metric, computed))
    results["protocol"] = {
        **protocol,
        "extractor": name_of(extractor),
        "generated": fake.statistics.count if fake else None,
        "real": real.statistics.count if isinstance(real, Features) else None,
        "seed": seed,
        **generate_arguments,
    }
    return results


def reference(
    real,
    metrics=("fid",),
    protocol="torch-fidelity",
    feature_extractor=None,
    batch_size=64,
    seed=0,
    cache=None,
):
    """What `evaluate` needs of real images, to be made once and used often.

    Of several processes all must call it, as `evaluate`.

    Args:
        real: As of `evaluate`.
        metrics: The metrics that it will be used for.
        protocol: As of `evaluate`.
        feature_extractor: As of `evaluate`.
        batch_size: Positive integer.
        seed: Non-negative integer.
        cache: As of `evaluate`.

    Returns:
        `Features`, to be given as `real`.

    Raises:
        ValueError: If an argument does not fit.

    Example:
    >>> x = np.zeros((4, 8, 8, 3), "uint8")
    >>> real = keras_sagan.metrics.reference(
    ...     x, feature_extractor=lambda images: images.mean(axis=(1, 2)))
    >>> real.statistics.count
    4
    """
    metrics = get_metrics(metrics)
    protocol = get_protocol(protocol)
    extractor = feature_extractor or Inception(logits=protocol["logits"])
    return _judge(
        "real", real, metrics, protocol, extractor, batch_size, seed, cache
    )


def _judge(
    name,
    images,
    metrics,
    protocol,
    extractor,
    batch_size,
    seed=0,
    cache=None,
):
    """Returns the `Features` of one side, with what the metrics need."""
    keep = sorted({n for m in metrics for n in m.needs_of(name)})
    if _is_statistics(images):
        images = Features(GaussianStatistics.load(images))
    if isinstance(images, Features):
        missing = [n for n in keep if getattr(images, n) is None]
        if missing:
            raise ValueError(
                f"`{name}` must be images for "
                f"{', '.join(m.name for m in metrics)}. "
                f"Received: statistics without {', '.join(missing)}"
            )
        return images
    indices, kept = None, None
    if not isinstance(images, Generated):
        images = Images(name, images)
        indices = _chosen(images, protocol, seed) if name == "real" else None
    if cache is not None:
        kept = Cache(cache, images, extractor, protocol, indices)
        found = kept.load(keep)
        if backends.gather(found is not None).all():
            return found
        if backends.process()[0] == 0:  # It writes.
            kept.forget()
    process, processes = backends.process()
    folder = kept.folder if kept and process == 0 else None
    features = extract(
        images,
        extractor,
        protocol,
        keep,
        batch_size,
        local_slice(images, indices, batch_size),
        folder if processes == 1 else None,
    )
    if processes > 1:
        features = merge(features, keep, folder)
    if folder:
        kept.save(features, keep)
    return features


def _is_statistics(images):
    if not isinstance(images, (str, pathlib.Path)):
        return False
    path = pathlib.Path(images)
    if path.suffix != ".npz" or not path.is_file():
        return False
    with np.load(path, allow_pickle=False) as arrays:
        return "mu" in arrays.files


def _chosen(images, protocol, seed):
    """The real images that the protocol compares with, None for all."""
    n = protocol["real_images"]
    if n is None or n >= len(images):
        return None
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(len(images), n, replace=False))
