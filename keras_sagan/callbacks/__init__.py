"""Callbacks for `SAGAN.fit`."""

from keras_sagan.callbacks.sample_grid import SampleGrid

__all__ = ["SampleGrid"]
