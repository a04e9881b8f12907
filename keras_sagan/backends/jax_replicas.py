"""Several devices and processes on JAX.

`keras.distribution.DataParallel` spreads each array of a batch over all
devices, and the program is the same as for one device: sums over a batch are
sums over all devices. Only the values drawn in a step must be spread, too.
"""

import contextlib
import os

import jax
import keras
import numpy as np

from keras_sagan.backends.padding import pad_rows

# Variables that are set for several processes by Keras, Slurm and Open MPI.
_SEVERAL = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
_TASKS = ("SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE")

_hidden = None  # The distribution that `alone` switched off.


def start_engine():
    """Joins the other processes, if any, and uses all devices."""
    cluster = any(int(os.environ.get(name, 1)) > 1 for name in _TASKS)
    if os.environ.get(_SEVERAL) or cluster:
        keras.distribution.initialize()
    if jax.device_count() > 1:
        keras.distribution.set_distribution(
            # `from_source(shard=...)` has already sharded the data.
            keras.distribution.DataParallel(auto_shard_dataset=False)
        )


def process():
    """Returns the index of this process, and the number of processes."""
    if keras.distribution.distribution() is None:
        return 0, 1
    return jax.process_index(), jax.process_count()


def has_accelerator():
    """Returns whether the default device is something other than a CPU."""
    return jax.default_backend() != "cpu"


def replicas():
    """Returns the number of devices that share a batch."""
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else distribution.device_mesh.devices.size


def gather(array):
    """Returns the arrays of all processes, stacked, on the host."""
    array = np.asarray(array)
    if process()[1] == 1:
        return array[None]
    from jax.experimental import multihost_utils

    # Exchange bytes, because JAX would convert float64 to float32.
    mine = np.frombuffer(array.tobytes(), "uint8")
    every = np.asarray(multihost_utils.process_allgather(mine))
    every = np.frombuffer(every.tobytes(), array.dtype)
    return every.reshape(-1, *array.shape)


def global_batch_size(n):
    """Returns the number of rows of the whole batch, which is `n` on JAX."""
    return n


def local_slice(x):
    """Spreads values drawn for a whole batch over the devices."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return x
    layout = distribution.get_data_layout(x.shape)
    return keras.distribution.distribute_tensor(x, layout)


def mean_over_replicas(tensors):
    """Returns the tensors, because means over a batch are global on JAX."""
    return tensors


def apply_gradients(optimizer, gradients, variables):
    optimizer.apply(gradients, variables)


def in_groups_of_replicas(x):
    """Returns `(replicas, batch / replicas, ...)`.

    It is None for one replica, or if the batch does not have equal parts.
    """
    n = replicas()
    return None if n == 1 or x.shape[0] % n else x.reshape(n, -1, *x.shape[1:])


@contextlib.contextmanager
def alone():
    """In this block, this process makes and computes arrays by itself.

    Keras makes variables when it saves a model. Without this, each process
    would wait until the others make them, too (3.15.1).
    """
    global _hidden
    distribution, before = keras.distribution.distribution(), _hidden
    _hidden = distribution or _hidden
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)
        _hidden = before


def predict(network, inputs):
    """Runs a network in inference mode on the devices of this process.

    Each device computes a part of the rows. Other processes do not take part.
    """
    distribution = keras.distribution.distribution() or _hidden
    if distribution is None:
        return network.predict_on_batch(inputs)
    if not hasattr(network, "run_alone"):

        def run_alone(trainable, others, inputs):
            return network.stateless_call(trainable, others, inputs)[0]

        network.run_alone = jax.jit(run_alone)
    everywhere, rows = _local_shardings(distribution)
    values = [
        [_local_value(v, everywhere) for v in variables]
        for variables in (
            network.trainable_variables,
            network.non_trainable_variables,
        )
    ]
    inputs, n = pad_rows(inputs, rows.num_devices)
    outputs = network.run_alone(*values, jax.device_put(inputs, rows))
    return jax.tree.map(lambda x: np.asarray(x)[:n], outputs)


def _local_shardings(distribution):
    """Returns the shardings of copies and parts on this process' devices."""
    devices = distribution.device_mesh.backend_mesh.local_devices
    mesh = jax.sharding.Mesh(devices, "batch")
    return [
        jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes))
        for axes in ((), ("batch",))
    ]


def _local_value(variable, everywhere):
    """Returns the copies on the devices of this process, as one array."""
    shards = variable.value.addressable_shards
    if {shard.device for shard in shards} != everywhere.device_set:
        # The network was made by this process alone: copy it once.
        variable.assign(jax.device_put(variable.value, everywhere))
        return variable.value
    return jax.make_array_from_single_device_arrays(
        variable.shape, everywhere, [shard.data for shard in shards]
    )
