"""Training runs that live in a folder, and recipes for them."""

from keras_sagan.training.recipes import choose_recipe
from keras_sagan.training.run import train

__all__ = ["choose_recipe", "train"]
