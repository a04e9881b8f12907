"""Images, and how they reach `fit`."""

from keras_sagan.data.pipelines import from_arrays
from keras_sagan.data.sources import PHOTOGRAPHS
from keras_sagan.data.sources import load_digits
from keras_sagan.data.sources import load_photographs

__all__ = ["PHOTOGRAPHS", "from_arrays", "load_digits", "load_photographs"]
