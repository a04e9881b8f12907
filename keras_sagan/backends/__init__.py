"""The code that differs between TensorFlow, JAX and PyTorch.

The module of the chosen backend provides

- `Trainer`, a base class of `SAGAN`: `value_and_gradients(loss_fn,
  variables)`, `is_due(every)`, `sync_variables()`, `keeping_variables()`,
  `set_jit_compile(jit_compile)`, and `train_step` and `test_step` in the form
  that the Keras trainer of that backend calls;
- `conv2d`, `upsample_conv2d` and `conv2d_downsample`, in the form that is
  fastest on this backend, `convolve` for other convolutions, and `tanh` in the
  precision of its input; `full_float32()`, a block in which no GPU rounds
  float32;
- `cond(predicate, true_fn, false_fn)` and `input_gradient(function, x)`, for
  gradient penalties;
- `snapshot(x)`, the value of a variable that a gradient may still need after
  a new value was assigned to the variable;
- `SeedGenerator`, that of Keras, or one that gives the same numbers without
  waiting for the device;
- `RUNS_EAGERLY`, whether the host starts every operation of a step. Then
  the backend has `iterate_together`, `divide_together` and `assign_together`
  for `layers/together.py`, `has_hooks(layer)` for `layers/direct.py`, and
  `average_pool(x, size)`;
- `compiled(function, variables)`, a function of variables as one call;
- `to_host(values)`, which moves scalars to the host and waits for the device
  only once;
- `reshape(x, shape)` of a tensor, without the checks of `keras.ops.reshape`;
- `constant(array, like)`, a small array that is moved to the device once;
- `move(variable, value, momentum)`, which updates a moving average;
- `copies(variables)` and `restore(variables, copies, keep)`, to undo a step;
- `global_norm(gradients)`, the norm of all gradients together;
- `has_accelerator`, whether there is a device other than a CPU;
- `prepare_training()`, which `SAGAN.fit` calls before it trains. It tunes
  malloc, once and for the whole process, so it must not run at import. On JAX
  it has its full effect only before the first array is made;
- from its `_replicas` module, what a step needs on several devices:
  `local_slice(x)`, the rows of a whole batch that this device computes,
  `global_batch_size(n)`, the number of rows of that batch,
  `mean_over_replicas(tensors)`,
  `apply_gradients(optimizer, gradients, variables)` and `predict(network,
  inputs)`; and the functions that start and describe the engine.
"""

import importlib.util

_FRAMEWORKS = ("tensorflow", "jax", "torch")

try:
    import keras
except ModuleNotFoundError as error:
    if error.name not in _FRAMEWORKS:
        raise
    there = [name for name in _FRAMEWORKS if importlib.util.find_spec(name)]
    if there:
        advice = (
            f"Keras' backend is {error.name}, which is not installed. Set the "
            f"environment variable KERAS_BACKEND to {' or '.join(there)}, "
            f"which is, or pip install 'keras_sagan[{error.name}]'"
        )
    else:
        advice = (
            "Keras needs a backend, and none is installed: pip install "
            "'keras_sagan[tensorflow]', 'keras_sagan[jax]' or "
            "'keras_sagan[torch]'. The environment variable KERAS_BACKEND "
            "chooses it; the default is tensorflow"
        )
    raise ImportError(advice) from None

_BACKEND = keras.backend.backend()

if _BACKEND == "tensorflow":
    from keras_sagan.backends import tensorflow as _backend
    from keras_sagan.backends import tensorflow_replicas as _replicas
elif _BACKEND == "jax":
    from keras_sagan.backends import jax as _backend
    from keras_sagan.backends import jax_replicas as _replicas
elif _BACKEND == "torch":
    from keras_sagan.backends import torch as _backend
    from keras_sagan.backends import torch_replicas as _replicas
else:
    raise ImportError(
        "keras_sagan runs on the Keras backends 'tensorflow', 'jax' and "
        "'torch'. Set the environment variable KERAS_BACKEND to one of them. "
        f"Received: KERAS_BACKEND={_BACKEND}"
    )

RUNS_EAGERLY = _backend.RUNS_EAGERLY
SeedGenerator = _backend.SeedGenerator
Trainer = _backend.Trainer
attend = _backend.attend
compiled = _backend.compiled
cond = _backend.cond
constant = _backend.constant
copies = _backend.copies
conv2d = _backend.conv2d
conv2d_downsample = _backend.conv2d_downsample
convolve = _backend.convolve
divide_by_norm = _backend.divide_by_norm
full_float32 = _backend.full_float32
global_norm = _backend.global_norm
has_accelerator = _backend.has_accelerator
input_gradient = _backend.input_gradient
max_pool = _backend.max_pool
move = _backend.move
move_average = _backend.move_average
normalize = _backend.normalize
prepare_training = _backend.prepare_training
reshape = _backend.reshape
restore = _backend.restore
scale_and_shift = _backend.scale_and_shift
snapshot = _backend.snapshot
standardize = _backend.standardize
tanh = _backend.tanh
to_host = _backend.to_host
upsample_conv2d = _backend.upsample_conv2d

if RUNS_EAGERLY:
    assign_together = _backend.assign_together
    average_pool = _backend.average_pool
    divide_together = _backend.divide_together
    has_hooks = _backend.has_hooks
    iterate_together = _backend.iterate_together

alone = _replicas.alone
apply_gradients = _replicas.apply_gradients
gather = _replicas.gather
mean_over_replicas = _replicas.mean_over_replicas
local_slice = _replicas.local_slice
predict = _replicas.predict
process = _replicas.process
replicas = _replicas.replicas
start_engine = _replicas.start_engine
global_batch_size = _replicas.global_batch_size


def devices():
    """Returns the number of devices of this process that share its batch."""
    return replicas() // process()[1]
