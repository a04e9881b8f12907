"""Weights from and to the other implementations of SAGAN."""

from keras_sagan.convert.weights import load_model
from keras_sagan.convert.weights import load_weights
from keras_sagan.convert.weights import save_weights

__all__ = ["load_model", "load_weights", "save_weights"]
