"""How good and how varied generated images are."""

from keras_sagan.metrics.frechet import frechet_distance
from keras_sagan.metrics.manifold import coverage
from keras_sagan.metrics.manifold import mean_class_distance

__all__ = ["coverage", "frechet_distance", "mean_class_distance"]
