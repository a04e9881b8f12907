"""A model saved under one backend is the same one under another."""

import numpy as np

from tests.helpers import run_elsewhere
from tests.helpers import tiny_model
from tests.helpers import values

_SCRIPT = """
import sys
import keras, numpy as np
import keras_sagan
model = keras.saving.load_model(sys.argv[1])
given = np.load(sys.argv[2])
images = model.generate(given["labels"], latents=given["latents"])
np.savez(
    sys.argv[3],
    images=images,
    steps=int(model.steps_trained),
    **{
        str(i): keras.ops.convert_to_numpy(v)
        for i, v in enumerate(model.optimizer.variables)
    },
)
"""


def test_loads_and_generates_the_same(digits_like, tmp_path, rng):
    images, labels = digits_like
    model = tiny_model(ema_momentum=0.5, ema_start_step=0)
    model.fit(images, labels, batch_size=8, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    given = {
        "labels": np.array([0, 1, 2, 0], "int32"),
        "latents": rng.normal(size=(4, 8)).astype("float32"),
    }
    np.savez(tmp_path / "given.npz", **given)
    paths = [tmp_path / x for x in ("model.keras", "given.npz", "out.npz")]
    run_elsewhere(_SCRIPT, *paths)
    out = np.load(paths[-1])
    here = model.generate(given["labels"], latents=given["latents"])
    assert np.abs(here.astype(int) - out["images"].astype(int)).max() <= 1
    assert int(out["steps"]) == int(model.steps_trained) == 8
    for i, variable in enumerate(values(model.optimizer.variables)):
        np.testing.assert_array_equal(variable, out[str(i)])
