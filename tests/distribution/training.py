"""A short training, to be run on one device and on several.

    python -m tests.distribution.training OUT.npz

starts the engine as the process' environment asks for, trains, and writes the
state and the logs from the first process.
"""

import sys

import keras
import numpy as np

import keras_sagan
from keras_sagan import backends
from keras_sagan import data
from keras_sagan import distribution
from keras_sagan import metrics
from keras_sagan.layers import BatchNorm
from keras_sagan.layers import spectral_normalization
from tests.helpers import array
from tests.helpers import tiny_networks
from tests.metrics.extractor import quadrants

STEPS = 5
BATCH = 16


def make_model():
    """With all that draws or splits: parts, augmentation, an average."""
    keras.utils.set_random_seed(3)
    model = keras_sagan.SAGAN(
        *tiny_networks(batch_norm_momentum=0.5),
        discriminator_steps=2,
        ema_momentum=0.5,
        ema_start_step=2,
        augmentation=("color",),
        seed=7,
    )
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9),
        keras.optimizers.SGD(0.05, momentum=0.9),
    )
    return model


def images_and_labels():
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(40, 16, 16, 3), dtype="uint8")
    return images, rng.integers(3, size=40).astype("int32")


def dataset(shard=(0, 1), start_step=0):
    return data.from_arrays(
        *images_and_labels(),
        batch_size=BATCH,
        steps_per_epoch=STEPS,
        start_step=start_step,
        shard=shard,
    )


def train(shard=(0, 1)):
    """Returns the state after the training, by name, and the logs."""
    model = make_model()
    batches = dataset(shard)
    history = model.fit(batches, verbose=0).history
    assert batches.start_step == STEPS  # None was left out.
    evaluation = model.evaluate(dataset(shard), verbose=0, return_dict=True)
    logs = {
        **{f"log/{name}": value[-1] for name, value in history.items()},
        **{f"evaluation/{name}": value for name, value in evaluation.items()},
    }
    del logs["log/images_per_second"]
    return {**state(model), **logs}


def state(model):
    """All but what is rounding noise: biases that a batch norm takes out."""
    metrics = {id(v) for v in model.metrics_variables}
    variables = [
        v
        for v in [*model.variables, *model.optimizer.variables]
        if id(v) not in metrics
    ]
    return {
        # Without the first name: Keras counts optimizers.
        f"{i}/{v.path.split('/', 1)[-1]}": array(v)
        for i, v in enumerate(variables)
        if not ("up_" in v.path and "bias" in v.path)
    }


def metric_values():
    """All metrics of an untrained model, of 2,100 images."""
    protocol = {
        **metrics.get_protocol("torch-fidelity"),
        "kid_subsets": 5,
        "kid_subset_size": 20,
        "images_per_class": 30,
    }
    results = metrics.evaluate(
        make_model(),
        images_and_labels(),
        metrics.list_metrics(),
        2100,
        protocol,
        quadrants,
        batch_size=16,
    )
    counts = results.pop("protocol")
    assert (counts["generated"], counts["real"]) == (2100, 40)
    for label, value in results.pop("intra_fid_per_class").items():
        results[f"intra_fid_{label}"] = value
    return results


def features():
    return np.random.default_rng(1).normal(2, 3, (8, 4, 4, 3)).astype("float32")


def moments_of_replicas():
    """Output and statistics of a batch norm with each replica's moments."""
    layer = BatchNorm(0.5, synchronized=False)
    layer.build((None, 4, 4, 3))
    x, n = features(), backends.replicas()

    def run(part):
        return layer(part, training=True)

    if keras.backend.backend() == "tensorflow":
        import tensorflow

        strategy = tensorflow.distribute.get_strategy()
        parts = strategy.experimental_distribute_values_from_function(
            lambda context: tensorflow.constant(
                np.split(x, n)[context.replica_id_in_sync_group]
            )
        )
        y = tensorflow.function(strategy.run)(run, (parts,))
        y = strategy.experimental_local_results(y)
        y = np.concatenate([array(part) for part in y])
    elif keras.backend.backend() == "torch":
        from keras_sagan.backends import torch_replicas

        with torch_replicas.step():
            y = run(np.split(x, n)[backends.process()[0]])
        y = np.concatenate(backends.gather(y.detach().numpy()))
    else:
        y = array(run(x))
    return y, array(layer.moving_mean), array(layer.moving_variance)


def quickly_built():
    """Networks are built without the search for their norms."""
    spectral_normalization.leading_singular_vector = lambda matrix: (
        keras.ops.ones(matrix.shape[1])
    )


if __name__ == "__main__":
    devices = distribution.start()
    quickly_built()
    result = train(devices.shard)
    if keras.backend.backend() == "torch":
        names = "y", "mean", "variance"
        for name, value in zip(names, moments_of_replicas(), strict=True):
            result[f"replica/{name}"] = value
    for name, value in metric_values().items():
        result[f"metric/{name}"] = backends.gather(value)
    if devices.is_first:
        np.savez(sys.argv[1], **result)
