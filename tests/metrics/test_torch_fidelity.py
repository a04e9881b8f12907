"""Every metric of two sets of images, beside torch-fidelity's, end to end.

Where torch-fidelity is installed: see `references.py`. Elsewhere the numbers
in `torch_fidelity.npz` stand for it, see `test_inception.py` and
`test_scores.py`.
"""

import importlib.util

import numpy as np
import pytest

from keras_sagan import metrics
from tests.metrics import references

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("torch_fidelity") is None,
        reason="needs torch-fidelity",
    ),
]
IMAGES, SUBSET = 60, 30


def images(rng, brightness):
    """Blocks of colour, whose variety the features can see."""
    blocks = rng.integers(0, brightness, (IMAGES, 4, 4, 3))
    blocks = blocks.repeat(8, axis=1).repeat(8, axis=2)
    return (blocks + rng.integers(0, 30, blocks.shape)).astype("uint8")


def test_values_are_those_of_torch_fidelity(rng, tmp_path):
    import torch

    tensors = references.make_tensors()
    weights = tmp_path / "weights.pth"
    torch.save({k: torch.from_numpy(x) for k, x in tensors.items()}, weights)
    fidelity = references.load_torch_fidelity()
    real, fake = images(rng, 220), images(rng, 180)

    class Dataset(torch.utils.data.Dataset):
        def __init__(self, images):
            self.images = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())

        def __len__(self):
            return len(self.images)

        def __getitem__(self, i):
            return self.images[i]

    # Its loading asks for counters of batches that nothing reads.
    module = importlib.import_module(
        "torch_fidelity.feature_extractor_inceptionv3"
    )
    module.FeatureExtractorInceptionV3.load_state_dict = lambda self, state: (
        torch.nn.Module.load_state_dict(self, state, strict=False)
    )
    theirs = fidelity.calculate_metrics(
        input1=Dataset(fake),
        input2=Dataset(real),
        cuda=False,
        save_cpu_ram=True,
        fid=True,
        isc=True,
        kid=True,
        prc=True,
        kid_subset_size=SUBSET,
        feature_extractor_weights_path=str(weights),
        # Of its own it would take VGG16 for precision and recall.
        feature_extractor="inception-v3-compat",
        cache=False,
        verbose=False,
    )
    protocol = metrics.get_protocol("torch-fidelity")
    ours = metrics.evaluate(
        fake,
        real,
        ["fid", "is", "kid", "precision_recall"],
        protocol={**protocol, "kid_subset_size": SUBSET},
        feature_extractor=metrics.Inception(tensors),
    )
    for name, key in (
        ("fid", "frechet_inception_distance"),
        ("is", "inception_score_mean"),
        ("is_std", "inception_score_std"),
        ("kid", "kernel_inception_distance_mean"),
        ("kid_std", "kernel_inception_distance_std"),
        ("precision", "precision"),
        ("recall", "recall"),
    ):
        error = abs(ours[name] - theirs[key]) / abs(theirs[key] or 1)
        print(f"{name} {ours[name]:.8g} {theirs[key]:.8g} {error:.1e}")
        assert ours[name] == pytest.approx(theirs[key], rel=1e-4), name
    assert np.isfinite(list(theirs.values())).all()
