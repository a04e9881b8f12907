"""SAGAN on PyTorch."""

import contextlib
import functools

import keras
import torch

from keras_sagan.backends import torch_convolution
from keras_sagan.backends import torch_functions
from keras_sagan.backends import torch_host
from keras_sagan.backends import torch_replicas
from keras_sagan.backends import torch_together
from keras_sagan.backends.memory import keep_freed_memory
from keras_sagan.backends.torch_graph import GraphOfStep
from keras_sagan.backends.torch_graph import detached
from keras_sagan.backends.torch_graph import gradients_of
from keras_sagan.backends.torch_graph import traced_value_and_gradients
from keras_sagan.backends.torch_moments import standardize_together


def prepare_training():
    """Tunes malloc for training; see `memory.keep_freed_memory`."""
    keep_freed_memory()


class Trainer:
    """The PyTorch part of `SAGAN`: variables are assigned in place.

    A step records a graph only inside `value_and_gradients`: the images for
    the discriminator do not need one.
    """

    _graph = None
    _host_steps = None

    def _initialize_ddp(self):
        """Prevents Keras 3.16 from wrapping the model for several processes.

        Keras would average the gradients a second time, and there is no public
        way to switch this off (`Trainer.make_train_function`).
        """

    def set_jit_compile(self, jit_compile):
        """Makes the step run as a graph if `jit_compile` is True.

        Returns False, so that Keras does not call `torch.compile`.
        """
        self._graph = GraphOfStep(self) if jit_compile is True else None
        return False

    @torch.no_grad()
    def train_step(self, data):
        data = torch_host.to_device(data, self.steps_trained.value.device)
        with torch_replicas.step():
            return self.step(data)

    def run_learn(self, inputs):
        """Runs `learn`, as a graph if `jit_compile` is True."""
        steps = self._host_steps
        before = steps and steps.read()
        # A graph does not record the exchange between processes.
        if self._graph is None or self.run_eagerly or self._is_shared():
            logs = self.learn(inputs)
        else:
            logs = self._graph.run(inputs)
        if steps:
            steps.has_become(before + 1)
        return logs

    @torch.no_grad()
    def test_step(self, data):
        with torch_replicas.step():
            return self.evaluation_step(data)

    def _is_shared(self):
        return torch_replicas.replicas() > 1

    def value_and_gradients(self, loss_fn, variables):
        """Returns `((loss, aux), gradients)` of `loss_fn() -> (loss, aux)`."""
        if self._graph is not None and self._graph.tracing:
            return traced_value_and_gradients(
                loss_fn, variables, self.variables
            )
        with torch.enable_grad():
            loss, aux = loss_fn()
        gradients = gradients_of(loss, [v.value for v in variables])
        return (loss.detach(), detached(aux)), gradients

    def is_due(self, every):
        """Returns whether `every` divides the step count, a bool.

        It decides which code runs, so the host must know it.
        """
        if every == 1:
            return True
        if self._host_steps is None:
            self._host_steps = torch_host.HostCopy(self.steps_trained)
        return self._host_steps.read() % every == 0

    def broadcast_variables(self):
        """Starts all processes from the values of the first."""
        torch_replicas.broadcast([*self.variables, *self.optimizer.variables])

    def sync_variables(self):
        """Does nothing: variables always have their current values."""

    def keeping_variables(self):
        """Does nothing: variables keep their values after an error, too."""
        return contextlib.nullcontext()


def cond(predicate, true_fn, false_fn):
    """Returns `true_fn()` or `false_fn()`; neither may change any state."""
    return true_fn() if predicate else false_fn()


def input_gradient(function, x):
    """Returns the gradient of a scalar function at `x`, differentiable."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(function(x), x, create_graph=True)
    return gradient


@contextlib.contextmanager
def full_float32():
    """In this block, a GPU does not round float32 to TF32 in products."""
    flags = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [flag.allow_tf32 for flag in flags]
    for flag in flags:
        flag.allow_tf32 = False
    try:
        yield
    finally:
        for flag, value in zip(flags, before):
            flag.allow_tf32 = value


def normalize(vector, epsilon, otherwise):
    """`vector / max(norm, epsilon)`, and `otherwise` for a zero vector."""
    norm = torch.linalg.vector_norm(vector)
    return torch.where(norm > 0, vector / norm.clamp(min=epsilon), otherwise)


def standardize(x, epsilon, synchronized=True):
    """Returns `(x - mean) / sqrt(variance + epsilon)` and both moments.

    In a step with several processes, `x` is standardized by the moments of the
    whole batch, or by those of this part if `synchronized` is False. The
    returned moments are means over the processes.
    """
    if not torch_replicas.stepping():
        return _standardize(x, epsilon)
    if synchronized:
        return standardize_together(x, epsilon)
    y, *own = _standardize(x, epsilon)
    own = [moment.detach() for moment in own]
    return y, *torch_replicas.mean_over_replicas(own)


def _standardize(x, epsilon):
    channels = x.shape[-1]
    dtype = torch.promote_types(x.dtype, torch.float32)
    ones = torch.ones(channels, dtype=dtype, device=x.device)
    y, mean, inverse = torch.native_batch_norm(
        x.movedim(-1, 1),
        ones,
        torch.zeros_like(ones),
        None,
        None,
        True,
        0.0,
        epsilon,
    )
    variance = inverse.square().reciprocal() - epsilon
    return y.movedim(1, -1), mean, variance.clamp(min=0.0)


def snapshot(x):
    """Returns a copy of the value of a variable, if a graph may keep it.

    Variables are assigned in place, and gradients need the earlier value.
    """
    return x.clone() if torch.is_grad_enabled() else x


def scale_and_shift(x, gain, offset):
    return torch.addcmul(offset, x, gain)


def move_average(averages, variables, momentum):
    """Assigns `momentum * average + (1 - momentum) * variable` to each."""
    averages = [v.value for v in averages]
    torch._foreach_mul_(averages, momentum)
    torch._foreach_add_(
        averages, torch._foreach_mul([v.value for v in variables], 1 - momentum)
    )


@torch.no_grad()
def move(variable, value, momentum):
    """Assigns `momentum * variable + (1 - momentum) * value`."""
    kept = variable.value * momentum
    variable.assign(torch.add(kept, value, alpha=1 - momentum))


def copies(variables):
    """Returns the current values of variables."""
    return [v.value.detach().clone() for v in variables]


@torch.no_grad()
def restore(variables, before, keep):
    """Restores the values of variables, unless `keep` is true."""
    for variable, old in zip(variables, before):
        variable.value.copy_(torch.where(keep, variable.value, old))


def global_norm(gradients):
    """Returns the norm of all gradients together, a scalar."""
    if not gradients:  # The whole network is frozen.
        return keras.ops.zeros(())
    norms = torch._foreach_norm(gradients)
    return torch.linalg.vector_norm(torch.stack(norms))


def to_host(values):
    """Returns a list with scalar tensors as numbers, with one wait."""
    values = list(values)
    scalars = [
        i for i, x in enumerate(values) if torch.is_tensor(x) and x.numel() == 1
    ]
    if scalars:
        tensors = [values[i].detach().reshape(()) for i in scalars]
        dtype = functools.reduce(
            torch.promote_types, [x.dtype for x in tensors]
        )
        device = tensors[0].device  # The user's logs may be on another one.
        together = torch.stack([x.to(device, dtype) for x in tensors])
        for i, value in zip(scalars, together.tolist()):
            values[i] = value
    return values


SeedGenerator = torch_host.SeedGenerator
average_pool = torch_convolution.average_pool
constant = torch_host.constant
conv2d = torch_convolution.conv2d
conv2d_downsample = torch_convolution.conv2d_downsample
convolve = torch_convolution.convolve
max_pool = torch_convolution.max_pool
upsample_conv2d = torch_convolution.upsample_conv2d
RUNS_EAGERLY = True
assign_together = torch_together.assign_together
divide_together = torch_together.divide_together
iterate_together = torch_together.iterate_together
attend = torch_functions.attend
divide_by_norm = torch_functions.divide_by_norm
reshape = torch.reshape
tanh = torch.tanh


def compiled(function, variables):
    """Returns a function of variables only, without gradients."""
    return torch.no_grad()(function)


def has_hooks(module):
    """Returns whether PyTorch calls other functions around a module."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def has_accelerator():
    return torch.cuda.is_available() or torch.backends.mps.is_available()
