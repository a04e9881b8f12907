"""Images, and how they reach `fit`."""

from keras_sagan.data.pipelines import from_arrays
from keras_sagan.data.sources import load_digits

__all__ = ["from_arrays", "load_digits"]
