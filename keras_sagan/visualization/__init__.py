"""Pictures of what a SAGAN makes and of how it trained."""

from keras_sagan.visualization.curves import training_curves
from keras_sagan.visualization.grids import image_grid

__all__ = ["image_grid", "training_curves"]
