"""Means of what a training step logs."""

import keras

_LOSSES = ("discriminator_loss", "generator_loss")
_LOGITS = ("real_logits", "fake_logits")
_NORMS = ("discriminator_gradient_norm", "generator_gradient_norm")


class Meter:
    """Averages the logs of an epoch by name.

    It is no Keras object, so that a model's file does not hold its numbers.

    Args:
        extra: Names beside those that every SAGAN logs.
    """

    NAMES = (*_LOSSES, *_LOGITS, *_NORMS, "gradient_penalty")

    def __init__(self, extra=()):
        names = dict.fromkeys((*_LOSSES, *_LOGITS, *_NORMS, *extra))
        self.means = {name: keras.metrics.Mean(name=name) for name in names}

    @property
    def metrics(self):
        """The `keras.metrics.Mean` of each name."""
        return list(self.means.values())

    def update(self, logs):
        """Adds a dict of scalars; returns those of unknown names."""
        others = {}
        for name, value in logs.items():
            if name in self.means:
                self.means[name].update_state(value)
            else:
                others[name] = value
        return others

    def results(self, leave_out=()):
        """Returns the means so far, a dict of scalars."""
        return {
            name: mean.result()
            for name, mean in self.means.items()
            if name not in leave_out
        }

    def evaluation_results(self):
        """Returns the means that `evaluate` computes: no gradient norms."""
        return self.results(leave_out=(*_NORMS, "gradient_penalty"))
