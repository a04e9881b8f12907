"""The network of FID, beside torch-fidelity's on the same weights."""

import keras
import numpy as np
import pytest

from keras_sagan import metrics
from keras_sagan.metrics.resizing import resize_as_tf1
from tests.helpers import array
from tests.metrics import references


@pytest.fixture(scope="module")
def tensors():
    return references.make_tensors()


@pytest.fixture(scope="module")
def inception(tensors):
    keras.config.set_dtype_policy("mixed_bfloat16")  # It must not matter.
    return metrics.Inception(tensors)


@pytest.fixture(scope="module")
def golden():
    with np.load(references.PATH) as arrays:
        return dict(arrays)


def test_features_and_logits_are_torch_fidelitys(inception, golden):
    features, unbiased = inception(references.images())
    inception.logits = "biased"
    _, biased = inception(references.images())
    inception.logits = "unbiased"
    assert features.dtype == np.float32
    # Rounding alone, by the number of threads, is up to 1.7e-5.
    assert np.abs(features - golden["features"]).max() < 5e-5
    assert np.abs(unbiased - golden["unbiased"]).max() < 5e-5
    assert np.abs(biased - golden["biased"]).max() < 5e-5
    assert np.abs(biased - unbiased).max() > 0.1


@pytest.mark.parametrize("size", references.SIZES)
def test_resizes_as_torch_fidelity_to_the_bit(size, golden):
    image = references.resized_images()[size]
    x = keras.ops.convert_to_tensor(image, "float32")
    resized = array(resize_as_tf1(x, 299))
    assert references.digest(resized) == golden[f"resized_{size}"]


def test_scale_of_the_resize_is_tf1s_for_every_size():
    """torch-fidelity rounds a quotient of float64, TF1 one of float32."""
    lengths = np.arange(1, 10_000)
    ours = np.float32(lengths) / np.float32(299)
    assert np.array_equal(ours, np.float32(lengths / 299))


def test_floats_are_not_quantised(inception):
    """Floats in [-1, 1] are taken as they are, not as uint8."""
    images = references.images()[:1]
    # (x - 128) / 128 of what uint8 becomes, to the bit.
    floats = (images.astype("float32") - 128) / 128
    assert np.allclose(inception(floats)[0], inception(images)[0], atol=1e-5)
    assert not np.allclose(
        inception(floats + 0.003)[0], inception(images)[0], atol=1e-5
    )


def test_refuses_tensors_of_another_network(tensors):
    missing = {k: v for k, v in tensors.items() if k != "fc.bias"}
    with pytest.raises(ValueError, match=r"without fc\.bias"):
        metrics.build_inception(missing)
    with pytest.raises(ValueError, match="1 others, such as aux"):
        metrics.build_inception({**tensors, "aux": np.zeros(1)})
    name = "Conv2d_1a_3x3.conv.weight"
    other = {**tensors, name: tensors[name][:, :2]}
    with pytest.raises(ValueError, match="for 3 channels"):
        metrics.build_inception(other)
    other = {**tensors, "Conv2d_1a_3x3.bn.bias": np.zeros(5)}
    with pytest.raises(ValueError, match=r"bn\.bias of shape"):
        metrics.build_inception(other)


def test_refuses_other_logits(tensors):
    with pytest.raises(ValueError, match='"unbiased" or "biased"'):
        metrics.Inception(tensors, logits="raw")


def rounds_float32():
    """Whether a GPU would multiply in TF32."""
    if keras.backend.backend() == "torch":
        import torch

        return torch.backends.cudnn.allow_tf32
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        return (
            tensorflow.config.experimental.tensor_float_32_execution_enabled()
        )
    import jax

    return jax.config.jax_default_matmul_precision not in ("highest", "float32")


def test_tf32_is_off_while_it_runs_and_then_as_before(inception, monkeypatch):
    seen = []

    class Network(keras.Model):
        def call(self, x):
            seen.append(rounds_float32())
            x = keras.ops.mean(x, axis=(1, 2))
            return {"features": x, "logits_unbiased": x}

    monkeypatch.setattr(inception, "network", Network())
    before = rounds_float32()
    inception(references.images())
    assert set(seen) == {False} and before and rounds_float32()
