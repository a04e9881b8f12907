"""Means of the logs of training steps."""

import keras
from keras import ops

_LOSSES = ("discriminator_loss", "generator_loss")
_LOGITS = ("real_logits", "fake_logits")
_NORMS = ("discriminator_gradient_norm", "generator_gradient_norm")


class Meter:
    """Averages the logs of an epoch by name.

    It is not a Keras object, so that its numbers are not saved with a model.

    Args:
        extra: Names in addition to those that every SAGAN logs.
    """

    NAMES = (*_LOSSES, *_LOGITS, *_NORMS, "gradient_penalty")

    def __init__(self, extra=()):
        names = dict.fromkeys((*_LOSSES, *_LOGITS, *_NORMS, *extra))
        self.means = _Means(list(names))

    @property
    def metrics(self):
        """A list of one `keras.metrics.Metric`, whose result is a dict."""
        return [self.means]

    def update(self, logs):
        """Adds the logs of a step.

        Args:
            logs: List of dicts of scalars. If a name is in several dicts, the
                value of the step is their mean.

        Returns:
            A dict of the last values of unknown names.
        """
        known = {name: [] for name in self.means.names}
        others = {}
        for part in logs:
            for name, value in part.items():
                if name in known:
                    known[name].append(value)
                else:
                    others[name] = value
        self.means.update_state(known)
        return others

    def results(self, leave_out=()):
        """Returns the means so far, a dict of scalars."""
        results = self.means.result()
        return {k: v for k, v in results.items() if k not in leave_out}

    def evaluation_results(self):
        """Returns the means that `evaluate` computes: no gradient norms."""
        return self.results(leave_out=(*_NORMS, "gradient_penalty"))


class _Means(keras.metrics.Metric):
    """Means over steps of several values, held in one vector."""

    def __init__(self, names):
        super().__init__(name="means")
        self.names = names
        self.total = self.add_variable(
            (len(names),), keras.initializers.Zeros(), name="total"
        )
        self.steps = self.add_variable(
            (), keras.initializers.Zeros(), name="steps"
        )

    def update_state(self, values):
        """Adds the mean of each name's list of scalars; 0 if it is empty."""
        zero = ops.zeros((), self.dtype)
        means = [
            sum(ops.cast(x, self.dtype) for x in values[name])
            / len(values[name])
            if values[name]
            else zero
            for name in self.names
        ]
        self.total.assign(self.total + ops.stack(means))
        self.steps.assign(ops.convert_to_tensor(self.steps) + 1.0)

    def result(self):
        """Returns a dict of scalars; 0 before the first step."""
        steps = ops.convert_to_tensor(self.steps)
        steps = steps + ops.cast(steps < 1.0, steps.dtype)
        means = ops.unstack(self.total / steps, len(self.names))
        return dict(zip(self.names, means))
