"""Starting the engine of a backend."""

import dataclasses

from keras_sagan import backends
from keras_sagan.distribution.heartbeat import watch


@dataclasses.dataclass(frozen=True)
class Devices:
    """What a process is among those that train together.

    Attributes:
        process: Index of this process.
        processes: How many there are.
        replicas: Devices of all processes, among which each batch is split.
    """

    process: int
    processes: int
    replicas: int

    @property
    def is_first(self):
        """Whether this process is the one that writes."""
        return self.process == 0

    @property
    def shard(self):
        """The part of each batch that this process reads.

        For `keras_sagan.data.from_source(..., shard=devices.shard)`.
        """
        return self.process, self.processes


def start():
    """Starts the engine for several devices: call it before all else.

    - JAX: `keras.distribution.DataParallel` on all devices; of several
      processes where Slurm or Open MPI started them, or the variables of
      `keras.distribution.initialize` are set:
      `KERAS_DISTRIBUTION_JOB_ADDRESSES` (host:port of the first process),
      `KERAS_DISTRIBUTION_NUM_PROCESSES`, `KERAS_DISTRIBUTION_PROCESS_ID`.
    - TensorFlow: `tf.distribute.MirroredStrategy` on all devices of the
      machine. Keras 3 does not train on several machines with it.
    - PyTorch: `torch.distributed` in processes that `torchrun` started, one
      for each device.

    From then on models train on all devices: a step on a batch gives the
    weights, statistics and logs that one device would have given. Give `fit`
    in each process its part of each batch. When a process dies, the others
    stop with a message that says which.

    Returns:
        A `Devices`: which process this is, and its part of the data.

    Raises:
        ValueError: If the engine does not train in the way asked for.
        ConnectionError: If the processes do not find one another.

    Example, at the beginning of a script:

        devices = keras_sagan.distribution.start()
        model = keras_sagan.SAGAN.from_preset("imagenet_128")
        model.fit(
            keras_sagan.data.from_source(source, 256, shard=devices.shard)
        )
    """
    backends.start_engine()
    process, processes = backends.process()
    if processes > 1:
        watch(process, processes, backends.gather)
    return Devices(process, processes, backends.replicas())
