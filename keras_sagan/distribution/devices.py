"""Starts the engine of a backend."""

import contextlib
import dataclasses
import os
import sys
import threading

import keras

from keras_sagan import backends
from keras_sagan.distribution.agreement import check_agreement
from keras_sagan.distribution.heartbeat import watch
from keras_sagan.version import __version__

LIMIT = 240.0  # Seconds within which all processes must find one another.
PATIENCE = 10.0  # Seconds after which a process says that it is waiting.
_VARIABLES = (
    *("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"),
    "KERAS_DISTRIBUTION_JOB_ADDRESSES",
    "KERAS_DISTRIBUTION_NUM_PROCESSES",
    "KERAS_DISTRIBUTION_PROCESS_ID",
    *("SLURM_PROCID", "SLURM_NTASKS"),
    *("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
)


@dataclasses.dataclass(frozen=True)
class Devices:
    """This process among those that train together.

    Attributes:
        process: Index of this process.
        processes: Number of processes.
        replicas: Number of devices of all processes, which share each batch.

    Example:

    >>> devices = keras_sagan.distribution.Devices(
    ...     process=1, processes=4, replicas=4)
    >>> devices.is_first, devices.shard
    (False, (1, 4))
    """

    process: int
    processes: int
    replicas: int

    @property
    def is_first(self):
        """Whether this is the process that writes files."""
        return self.process == 0

    @property
    def shard(self):
        """The part of each batch that this process reads.

        Use it in `keras_sagan.data.from_source(..., shard=devices.shard)`.
        """
        return self.process, self.processes


def start():
    """Starts the engine for several devices. Call it before anything else.

    - JAX: `keras.distribution.DataParallel` on all devices. It uses several
      processes if Slurm or Open MPI started them, or if the variables of
      `keras.distribution.initialize` are set:
      `KERAS_DISTRIBUTION_JOB_ADDRESSES` (host:port of the first process),
      `KERAS_DISTRIBUTION_NUM_PROCESSES`, `KERAS_DISTRIBUTION_PROCESS_ID`.
    - TensorFlow: `tf.distribute.MirroredStrategy` on all devices of the
      machine. Keras 3 does not train on several machines with it.
    - PyTorch: `torch.distributed` in processes that `torchrun` started, one
      for each device.

    After this call, models train on all devices: a step on a batch gives the
    weights, statistics and logs that one device would give. In each process,
    give `fit` the part of each batch that belongs to this process.

    Processes that have not found one another after 240 s end with a message.
    All processes end with a message if one of them dies, or if `fit` gets
    another model, data or batch size in one of them.

    Returns:
        A `Devices`: which process this is, and its part of the data.

    Raises:
        ValueError: If the engine cannot train in this way, or if the processes
            have different versions of keras_sagan or Keras.
        ConnectionError: If the processes do not find one another.

    Example:

    >>> devices = keras_sagan.distribution.start()
    >>> devices.is_first, devices.shard
    (True, (0, 1))
    >>> dataset = keras_sagan.data.from_arrays(
    ...     *keras_sagan.data.load_digits(), shard=devices.shard)
    >>> model = keras_sagan.SAGAN.from_preset("digits")
    >>> model.compile()
    >>> history = model.fit(dataset)  # doctest: +SKIP
    """
    with _limited():
        backends.start_engine()
        process, processes = backends.process()
        if processes > 1:
            watch(process, processes, backends.gather)
        check_agreement(keras_sagan=__version__, keras=keras.__version__)
    return Devices(process, processes, backends.replicas())


@contextlib.contextmanager
def _limited():
    """In this block, this process ends if it waits too long for others.

    The main thread then waits inside the engine, and cannot be interrupted.
    """
    found = threading.Event()

    def wait():
        shown = ", ".join(
            f"{name}={os.environ[name]}"
            for name in _VARIABLES
            if name in os.environ
        )
        if found.wait(min(PATIENCE, LIMIT)):
            return
        _say(
            f"Waiting for the other processes, {LIMIT:.0f} s at most. This "
            f"process has {shown}"
        )
        if found.wait(max(LIMIT - PATIENCE, 0)):
            return
        _say(
            "The processes that should train together have not found one "
            f"another within {LIMIT:.0f} s, so this process ends. All of them "
            "must be started, with the same address and the same number of "
            f"processes. Received: {shown}"
        )
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
    try:
        yield
    finally:
        found.set()


def _say(text):
    sys.stderr.write(f"\n{text}\n")
    sys.stderr.flush()
