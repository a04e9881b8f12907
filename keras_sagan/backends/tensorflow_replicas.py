"""Several devices on TensorFlow: `tf.distribute.MirroredStrategy`.

Its replicas are threads that run the same step, each on a part of the batch
and on its own copy of the variables. The copies stay equal because all of them
get the same update: gradients, logs and moments are averaged first.
"""

import contextlib
import os

import keras
import numpy as np
import tensorflow as tf

from keras_sagan.backends.padding import pad_rows


def start_engine():
    """Makes all devices of this machine replicas."""
    if os.environ.get("TF_CONFIG"):
        raise ValueError(
            "On TensorFlow, one process must train with all devices of one "
            "machine: Keras 3 does not train with MultiWorkerMirroredStrategy. "
            "Use JAX or PyTorch for several machines. Received: TF_CONFIG="
            f"{os.environ['TF_CONFIG']!r}"
        )
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    devices = [d.name for d in tf.config.list_logical_devices(kind)]
    if len(devices) > 1 and not tf.distribute.has_strategy():
        # Everything that follows runs in the scope of the strategy.
        tf.distribute.experimental_set_strategy(
            tf.distribute.MirroredStrategy(devices)
        )


def process():
    """Returns the index of this process, and the number of processes."""
    return 0, 1


def replicas():
    """Returns the number of devices that share a batch."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def gather(array):
    """Returns the arrays of all processes, stacked; there is only this one."""
    return np.asarray(array)[None]


def stepping():
    """Returns whether this is one of several replicas that run a step."""
    return replicas() > 1 and not tf.distribute.in_cross_replica_context()


def global_batch_size(n):
    """Returns the rows of the whole batch, of which this replica has `n`."""
    return n * replicas() if stepping() else n


def local_slice(x):
    """Returns this replica's rows of values drawn for a whole batch."""
    if not stepping():
        return x
    index = _context().replica_id_in_sync_group
    n = tf.shape(x)[0] // replicas()
    return x[index * n : (index + 1) * n]


def mean_over_replicas(tensors):
    """Averages tensors, in any structure."""
    if not stepping():
        return tensors
    flat = keras.tree.flatten(tensors)
    mean = _context().all_reduce(tf.distribute.ReduceOp.MEAN, flat)
    return keras.tree.pack_sequence_as(tensors, mean)


def apply_gradients(optimizer, gradients, variables):
    if stepping():
        # Keras' optimizers add up the gradients, which are already means.
        gradients = [gradient / replicas() for gradient in gradients]
    optimizer.apply(gradients, variables)


def mean_moment(moment):
    """Returns the mean of a moment over the replicas, with its gradient."""
    return _context().all_reduce(tf.distribute.ReduceOp.MEAN, moment)


def alone():
    """Does nothing: outside a step, a process works by itself anyway."""
    return contextlib.nullcontext()


def predict(network, inputs):
    """Runs a network in inference mode on all replicas, each on a part."""
    # As in Keras, this is the strategy in which the network was made, which
    # may not be the current one.
    strategy = network.distribute_strategy
    n_replicas = strategy.num_replicas_in_sync
    if n_replicas == 1:
        return network.predict_on_batch(inputs)
    if not hasattr(network, "run_on_replicas"):
        # This is like Keras, which would give each replica all rows.
        run_on_one = tf.function(
            lambda x: network(x, training=False),
            jit_compile=network.jit_compile,
        )
        network.run_on_replicas = tf.function(
            lambda parts: strategy.run(run_on_one, (parts,))
        )
    inputs, n = pad_rows(inputs, n_replicas)
    parts = strategy.experimental_distribute_values_from_function(
        lambda context: keras.tree.map_structure(
            lambda x: tf.split(x, n_replicas)[context.replica_id_in_sync_group],
            inputs,
        )
    )

    def joined(values):
        values = strategy.experimental_local_results(values)
        return np.concatenate([x.numpy() for x in values])[:n]

    return keras.tree.map_structure(joined, network.run_on_replicas(parts))


def _context():
    return tf.distribute.get_replica_context()
