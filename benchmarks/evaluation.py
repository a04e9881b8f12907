"""Times evaluation: the extractor, the Frechet distance, intra-FID.

    .venv/bin/pip install --no-deps --target DIR torch-fidelity==0.4.0 tqdm
    PYTHONPATH=.:DIR .venv/bin/python benchmarks/evaluation.py

Nothing else may be running. The extractors take turns, each in its own process,
with random weights and images of 128 pixels. torch-fidelity's takes part if it
can be imported. Features for the other two are random, with a falling spectrum
like that of real ones.
"""

import argparse
import os
import subprocess
import sys
import time

import numpy as np

BACKENDS = ("tensorflow", "jax", "torch")
D = 2048


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", default="extractor,trace,intra")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--worker", help="internal: one extractor")
    flags = parser.parse_args()
    if flags.worker:
        serve(flags.worker, flags.batch)
        return
    parts = flags.parts.split(",")
    if "extractor" in parts:
        extractors(flags.turns, flags.batch)
    if "trace" in parts:
        trace()
    if "intra" in parts:
        intra(flags.classes)


def extractors(turns, batch):
    """Prints the images per second, the median over the turns."""
    names = [*BACKENDS, "torch-fidelity"]
    workers = {name: start(name, batch) for name in names}
    workers = {k: v for k, v in workers.items() if v.stdout.readline()}
    rates = {name: [] for name in workers}
    for _ in range(turns):
        for name, worker in workers.items():
            worker.stdin.write("go\n")
            worker.stdin.flush()
            rates[name].append(float(worker.stdout.readline()))
            print(f"  {name} {rates[name][-1]:.1f}", file=sys.stderr)
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    for name, values in rates.items():
        print(f"{name:15} {np.median(values):6.1f} images/s  {values}")


def start(name, batch):
    backend = name if name in BACKENDS else "torch"
    return subprocess.Popen(
        [sys.executable, __file__, f"--worker={name}", f"--batch={batch}"],
        env={**os.environ, "KERAS_BACKEND": backend},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def serve(name, batch):
    """Times 2 batches for each line of the input."""
    from tests.metrics import references

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, 128, 128, 3), "uint8")
    tensors = references.make_tensors()
    if name == "torch-fidelity":
        run = torch_fidelity(tensors, images)
    else:
        from keras_sagan import metrics

        extractor = metrics.Inception(tensors)

        def run():
            return extractor(images)

    run()
    print("ready", flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        for _ in range(2):
            run()
        print(2 * batch / (time.perf_counter() - begin), flush=True)


def torch_fidelity(tensors, images):
    import torch

    from tests.metrics import references

    references.load_torch_fidelity()
    from torch_fidelity import feature_extractor_inceptionv3 as module

    module.load_state_dict_from_url = lambda *_, **__: {
        k: torch.from_numpy(x) for k, x in tensors.items()
    }
    own = torch.nn.Module.load_state_dict
    module.FeatureExtractorInceptionV3.load_state_dict = lambda self, state: (
        own(self, state, strict=False)
    )
    network = module.FeatureExtractorInceptionV3(
        "inception", ["2048", "logits_unbiased"]
    )
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())

    @torch.no_grad()
    def run():
        return network(x)

    return run


def features(n, seed, dtype="float64"):
    """Returns correlated features whose variances fall as 1 / i."""
    rng = np.random.default_rng(seed)
    scale = 1 / np.sqrt(1 + np.arange(D))
    x = rng.standard_normal((n, D)) * scale
    mixing = np.random.default_rng(7).standard_normal((D, D)) / np.sqrt(D)
    return (x @ mixing + x).astype(dtype)


def trace():
    """Compares the Frechet distance at full rank with SciPy's square root."""
    from scipy.linalg import sqrtm

    from keras_sagan import metrics

    real, fake = features(6000, 1), 1.1 * features(5000, 2) + 0.01
    statistics = []
    for x in (real, fake):
        statistics.append(metrics.GaussianStatistics())
        statistics[-1].update(x)
    begin = time.perf_counter()
    ours = metrics.frechet_distance(*statistics)
    seconds = time.perf_counter() - begin
    s_1, s_2 = (s.covariance for s in statistics)
    begin = time.perf_counter()
    root = sqrtm(s_1 @ s_2)
    theirs_seconds = time.perf_counter() - begin
    difference = statistics[0].mean - statistics[1].mean
    trace_of_root = np.trace(root).real
    theirs = difference @ difference + np.trace(s_1 + s_2) - 2 * trace_of_root
    print(
        f"Frechet distance, d = {D}: {ours:.8f} in {seconds:.1f} s; by sqrtm "
        f"{theirs:.8f} in {theirs_seconds:.1f} s: "
        f"{theirs_seconds / seconds:.0f}x, difference relative to the trace "
        f"{abs(ours - theirs) / (2 * trace_of_root):.1e}"
    )


def intra(classes):
    """Times intra-FID, with 1,300 real and 5,000 generated features a class."""
    from keras_sagan import metrics

    real = features(1300 * classes, 3, "float32")
    fake = features(5000, 4, "float32")
    begin = time.perf_counter()
    for i in range(classes):
        # As in `evaluate`, the generated ones come in batches.
        statistics = metrics.GaussianStatistics()
        for j in range(0, 5000, 250):
            statistics.update(fake[j : j + 250])
        metrics.frechet_distance(real[i * 1300 : (i + 1) * 1300], statistics)
    seconds = (time.perf_counter() - begin) / classes
    print(
        f"intra-FID from features: {seconds:.2f} s per class, "
        f"{seconds * 1000 / 60:.0f} minutes for 1,000 (of {classes} classes)"
    )


if __name__ == "__main__":
    main()
