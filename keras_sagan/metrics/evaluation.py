"""Evaluating a generator: metrics, and the protocol that they depend on."""

import functools
import pathlib

import numpy as np

from keras_sagan import backends
from keras_sagan.arguments import check_callable
from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_path
from keras_sagan.distribution.agreement import check_agreement
from keras_sagan.distribution.agreement import kind_and_length
from keras_sagan.files import read_npz
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
    """Computes FID and other metrics of a generator, or of images.

    Memory is bounded. Images are discarded as soon as their features are
    computed, and features are kept only for the metrics that need them: FID
    keeps none, and KID, precision and coverage keep 400 MB for each side of
    50,000 images. Intra-FID generates one class at a time.

    If several processes work together (see `distribution.start`), all of them
    must call this function. Each generates and evaluates a part of the images,
    one class or a thousand images at a time, and each returns the results for
    all images. Only the first process writes the cache. The devices of a
    process share the work of generating and of the Inception network.

    Args:
        model: A `SAGAN`, or generated images in any form that `real` may have.
        real: Real images: a uint8 array `(N, H, W)` or `(N, H, W, channels)`
            with 1, 3 or 4 channels; a pair of such an array and labels
            `(N,)`; a source, with `len(source)` and `source[i]`; the path of a
            folder of pictures, which are read as RGB, or of an `.npz` file
            with `images` and perhaps `labels`; for FID also the path of an
            `.npz` file with `mu` and `sigma`; or the result of
            `metrics.reference`. It may be None if no metric needs real images,
            as with the Inception Score.
        metrics: A metric or a list of metrics, each a `metrics.Metric` or the
            name of a built-in one: `"fid"`, `"is"`, `"kid"`,
            `"precision_recall"`, `"density_coverage"`, `"intra_fid"`.
        num_images: Positive integer, number of images to generate. The paper
            generates 50,000.
        protocol: `"torch-fidelity"`, `"paper"`, or a dict, see
            `metrics.get_protocol`.
        feature_extractor: Callable that takes images, uint8
            `(n, H, W, channels)` (floats in [-1, 1] if the protocol does not
            quantise), and returns features `(n, D)`, or features and logits.
            Defaults to `metrics.Inception`, which repeats gray images three
            times and composites transparent ones onto white. With another
            extractor, the distance is not FID: reports give the extractor's
            `name`.
        batch_size: Positive integer, number of images that a process
            evaluates at a time.
        seed: Non-negative integer, the seed of the latents and labels, and of
            the choice of real images if the protocol uses only some of them.
        cache: Folder in which to keep the statistics of the real images. They
            are used again if they were made from the same images in the same
            way. If `None`, they are not kept.
        **generate_arguments: Arguments of `SAGAN.generate`: `ema`,
            `truncation`, `standing_statistics`.

    Returns:
        A dict with the values of the metrics (`fid`; `is` and `is_std`; `kid`
        and `kid_std`; `precision` and `recall`; `density` and `coverage`;
        `intra_fid` and `intra_fid_per_class`), and with `protocol`, a dict
        that says how they were computed. `metrics.report` converts it to text.

    Raises:
        ValueError: If an argument does not fit, a class has no images, or
            images are not finite.
        OSError: If the weights of the Inception network can neither be found
            nor downloaded.

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
    metrics, protocol, extractor, cache = _checked(
        metrics, protocol, feature_extractor, batch_size, cache
    )
    need_real = [m.name for m in metrics if m.real_needs is not None]
    if need_real and real is None:
        raise ValueError(
            f"`real` must be given for {', '.join(need_real)}. "
            "Received: real=None"
        )
    reals = None
    if need_real:
        reals = reference(
            real, metrics, protocol, extractor, batch_size, seed, cache
        )
    generator = None
    if hasattr(model, "generate"):
        generator = Generator(model, seed, generate_arguments)
        model = generator.images(num_images, seed)
    # The metrics left out here generate images of their own.
    sharing = [m for m in metrics if generator is None or not m.generates]
    fakes = None
    if sharing:
        fakes = _judge("model", model, sharing, protocol, extractor, batch_size)
    results = {}
    extract_own = functools.partial(
        extract, extractor=extractor, protocol=protocol, batch_size=batch_size
    )
    for metric in metrics:
        if metric in sharing:
            computed = metric.compute(reals, fakes, protocol)
        else:
            computed = metric.compute_from_model(
                reals, generator, protocol, extract_own
            )
        results.update(as_results(metric, computed))
    results["protocol"] = {
        **protocol,
        "extractor": name_of(extractor),
        "generated": fakes.statistics.count if fakes else None,
        "real": reals.statistics.count if reals else None,
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
    """Computes what `evaluate` needs from real images, for repeated use.

    If several processes work together, all of them must call this function.

    Args:
        real: As in `evaluate`.
        metrics: The metrics that will be computed, as in `evaluate`.
        protocol: As in `evaluate`.
        feature_extractor: As in `evaluate`.
        batch_size: Positive integer.
        seed: Non-negative integer.
        cache: As in `evaluate`.

    Returns:
        `Features`, to pass to `evaluate` as `real`.

    Raises:
        ValueError: If an argument does not fit.

    Example:

    >>> x = np.zeros((4, 8, 8, 3), "uint8")
    >>> real = keras_sagan.metrics.reference(
    ...     x, feature_extractor=lambda images: images.mean(axis=(1, 2)))
    >>> real.statistics.count
    4
    """
    metrics, protocol, extractor, cache = _checked(
        metrics, protocol, feature_extractor, batch_size, cache
    )
    return _judge(
        "real", real, metrics, protocol, extractor, batch_size, seed, cache
    )


def _checked(metrics, protocol, feature_extractor, batch_size, cache):
    """Checks and converts the arguments of `evaluate` and `reference`."""
    metrics = get_metrics(metrics)
    protocol = get_protocol(protocol)
    check_callable("feature_extractor", feature_extractor, optional=True)
    check_integer("batch_size", batch_size, 1)
    cache = check_path("cache", cache, optional=True)
    extractor = feature_extractor or Inception(logits=protocol["logits"])
    return metrics, protocol, extractor, cache


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
    """Returns the `Features` of one side, with the arrays that are needed."""
    keep = sorted({n for m in metrics for n in m.needs_of(name)})
    check_agreement(
        metrics=[m.name for m in metrics],
        protocol=protocol,
        batch_size=batch_size,
        seed=seed,
        **{name: kind_and_length(images)},
    )
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
        if backends.process()[0] == 0:  # This process writes.
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
    return "mu" in read_npz(path, ["mu"])


def _chosen(images, protocol, seed):
    """Returns the indices of the real images to compare with; None for all."""
    n = protocol["real_images"]
    if n is None or n >= len(images):
        return None
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(len(images), n, replace=False))
