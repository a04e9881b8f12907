"""Pictures of what a SAGAN makes and of how it trained."""

from keras_sagan.visualization.curves import training_curves
from keras_sagan.visualization.grids import image_grid
from keras_sagan.visualization.neighbors import nearest_neighbors

__all__ = ["image_grid", "nearest_neighbors", "training_curves"]
