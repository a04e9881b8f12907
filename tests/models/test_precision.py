import keras
import numpy as np
import pytest

import keras_sagan
from keras_sagan.layers import SpectralNormalization
from keras_sagan.layers.nested import flatten_layers
from tests.helpers import tiny_networks


@pytest.mark.once
def test_preset_in_bfloat16_keeps_what_must_be_float32():
    model = keras_sagan.SAGAN.from_preset("digits", precision="mixed_bfloat16")
    assert keras.config.dtype_policy().name == "float32"
    assert {str(v.dtype) for v in model.trainable_variables} == {"float32"}
    assert model.generator.output.dtype == "float32"
    assert model.discriminator.output.dtype == "float32"
    convs = [
        layer
        for layer in flatten_layers(model)
        if isinstance(layer, keras.layers.Conv2D)
    ]
    assert {conv.compute_dtype for conv in convs} == {"bfloat16"}
    for layer in flatten_layers(model):
        if isinstance(layer, SpectralNormalization):
            kernel = layer.normalized_kernel()
            assert keras.backend.standardize_dtype(kernel.dtype) == "float32"


def test_refuses_other_precisions():
    with pytest.raises(ValueError, match="`precision` must be 'float32'"):
        keras_sagan.SAGAN.from_preset("digits", precision="float16")


def losses(policy, seed):
    """Losses and real logits, means over the second half of 224 steps."""
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(policy)
    model = keras_sagan.SAGAN(*tiny_networks(num_classes=10), seed=seed)
    keras.config.set_dtype_policy("float32")
    model.compile("adam", keras.optimizers.Adam(4e-4, 0.0))
    dataset = keras_sagan.data.from_arrays(
        *keras_sagan.data.load_digits(16), batch_size=16, seed=seed
    )
    history = model.fit(dataset, epochs=2, verbose=0).history
    assert int(model.steps_trained) == 224
    names = ("discriminator_loss", "generator_loss", "real_logits")
    return np.array([history[name][-1] for name in names])


@pytest.mark.slow
def test_200_steps_in_bfloat16_reach_the_losses_of_float32():
    reference = losses("float32", 0)
    noise = np.abs(reference - losses("float32", 1))
    error = np.abs(reference - losses("mixed_bfloat16", 0))
    # Of one start, bfloat16 stays as near as another start does, or nearer.
    assert np.all(error <= np.maximum(noise, 0.05)), (error, noise)
