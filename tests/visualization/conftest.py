"""One small model for all tests of pictures; none of them changes it."""

import keras
import numpy as np
import pytest

from keras_sagan.layers import ConditionalBatchNorm
from keras_sagan.layers import spectral_normalization
from tests.helpers import array
from tests.helpers import tiny_model


@pytest.fixture(scope="session")
def model():
    keras.utils.set_random_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(  # As in `any_singular_vector`.
            spectral_normalization,
            "leading_singular_vector",
            lambda matrix: keras.ops.ones(matrix.shape[1]),
        )
        model = tiny_model(compiled=False)
    rng = np.random.default_rng(0)
    for i, network in enumerate(
        (model.generator, model.ema_generator, model.discriminator)
    ):
        for layer in network.layers:
            if isinstance(layer, ConditionalBatchNorm):
                layer.gamma.assign(rng.normal(1, 0.5, layer.gamma.shape))
                layer.beta.assign(rng.normal(0, 0.5, layer.beta.shape))
        attention = network.get_layer("attention_8")
        attention.gamma.assign(0.5 + i)
        # Untrained, the maps are all but flat: query and key ten times larger.
        for layer in (attention.query, attention.key):
            layer.u.assign(array(layer.u) / 10)
    return model
