"""Writes `torch_fidelity.npz`: what torch-fidelity 0.4.0 gives.

    pip install --no-deps --target DIR torch-fidelity==0.4.0 tqdm
    PYTHONPATH=.:DIR python -m tests.metrics.references

It needs PyTorch; torchvision, which torch-fidelity imports for its data sets,
is stood in for. Weights come from a rule and are
not in the tree; the test makes them again.
"""

import hashlib
import importlib
import pathlib
import sys
import types

import numpy as np

from tests.convert import rule

PATH = pathlib.Path(__file__).with_name("torch_fidelity.npz")
SIZES = (16, 128, 400)


def load_torch_fidelity():
    """Imports torch-fidelity, without torchvision."""
    name = "torchvision"
    names = [name, f"{name}.datasets", f"{name}.transforms"]
    names.append(f"{name}.transforms.functional")
    for name in names:
        sys.modules.setdefault(name, types.ModuleType(name))
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, sys.modules[name])
    for name in ("CIFAR10", "CIFAR100", "STL10"):
        setattr(sys.modules["torchvision.datasets"], name, type(name, (), {}))
    return importlib.import_module("torch_fidelity")


def shapes():
    """Names and shapes of the tensors of the canonical file."""
    with np.load(PATH) as arrays:
        return {
            str(name): tuple(int(n) for n in shape if n)
            for name, shape in zip(arrays["names"], arrays["shapes"])
        }


def make_tensors(of=None):
    """Tensors by the rule, float32; features of ordinary size."""
    tensors = rule.make_weights(of or shapes())
    return {k: x.astype("float32") for k, x in tensors.items()}


def images():
    """Two noisy gradients at 40 x 56 pixels."""
    rng = np.random.default_rng(3)
    ramp = np.linspace(0, 200, 56)[None, :, None]
    noise = rng.integers(0, 56, (2, 40, 56, 3))
    return (ramp + noise).astype("uint8")


def resized_images():
    rng = np.random.default_rng(4)
    return {n: rng.integers(0, 256, (1, n, n, 3), "uint8") for n in SIZES}


def digest(array):
    """Equal to the bit or not: no more is asked, and the arrays are large."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def features():
    """Features and logits of two sets, as a network might give them."""
    rng = np.random.default_rng(5)
    mixing = rng.normal(size=(24, 24))
    real = rng.normal(size=(300, 24)) @ mixing
    fake = rng.normal(size=(250, 24)) @ mixing + 1
    logits = 2 * rng.normal(size=(250, 12))
    return [x.astype("float32") for x in (real, fake, logits)]


def extractor(weights):
    """torch-fidelity's network on these tensors."""
    load_torch_fidelity()
    module = importlib.import_module(
        "torch_fidelity.feature_extractor_inceptionv3"
    )
    return module.FeatureExtractorInceptionV3(
        "inception", ["2048", "logits_unbiased", "logits"], weights
    )


def expected_values():
    """torch-fidelity's values for `features()`."""
    import torch

    load_torch_fidelity()
    fid, isc, kid, prc = (
        importlib.import_module(f"torch_fidelity.metric_{name}")
        for name in ("fid", "isc", "kid", "prc")
    )
    real, fake, logits = (torch.from_numpy(x) for x in features())
    statistics = [fid.fid_features_to_statistics(x) for x in (fake, real)]
    return {
        **fid.fid_statistics_to_metric(*statistics, verbose=False),
        **isc.isc_features_to_metric(logits),
        **kid.kid_features_to_metric(
            fake, real, kid_subset_size=100, verbose=False
        ),
        **prc.prc_features_to_metric(fake, real, verbose=False),
    }


def main():
    import tempfile

    import torch

    load_torch_fidelity()
    module = importlib.import_module(
        "torch_fidelity.feature_extractor_inceptionv3"
    )
    blank = module.FeatureExtractorInceptionV3.load_state_dict
    try:  # Only for its names and shapes.
        module.FeatureExtractorInceptionV3.load_state_dict = lambda *_: None
        module.load_state_dict_from_url = lambda *_, **__: None
        state = module.FeatureExtractorInceptionV3(
            "names", ["2048"]
        ).state_dict()
    finally:
        module.FeatureExtractorInceptionV3.load_state_dict = blank
    counts = {k: v for k, v in state.items() if k.endswith("tracked")}
    of = {k: tuple(v.shape) for k, v in state.items() if k not in counts}
    tensors = {k: torch.from_numpy(v) for k, v in make_tensors(of).items()}
    with tempfile.NamedTemporaryFile(suffix=".pth") as file:
        torch.save({**tensors, **counts}, file.name)
        network = extractor(file.name)
    outputs = network(torch.from_numpy(images().transpose(0, 3, 1, 2).copy()))
    arrays = dict(zip(("features", "unbiased", "biased"), outputs))
    for size, image in resized_images().items():
        x = torch.from_numpy(image.transpose(0, 3, 1, 2).copy()).float()
        x = module.interpolate_bilinear_2d_like_tensorflow1x(
            x, (299, 299), align_corners=False
        )
        arrays[f"resized_{size}"] = digest(x.permute(0, 2, 3, 1).numpy())
    arrays["names"] = np.array(list(of))
    arrays["shapes"] = np.array([(*s, 0, 0, 0, 0)[:4] for s in of.values()])
    np.savez_compressed(PATH, **arrays, **expected_values())
    print(f"Wrote {PATH}: features up to {outputs[0].abs().max():.2f}")


if __name__ == "__main__":
    main()
