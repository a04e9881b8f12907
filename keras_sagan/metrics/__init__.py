"""Metrics of how good and how varied generated images are."""

from keras_sagan.metrics.built_in import DensityCoverage
from keras_sagan.metrics.built_in import FrechetDistance
from keras_sagan.metrics.built_in import InceptionScore
from keras_sagan.metrics.built_in import IntraFID
from keras_sagan.metrics.built_in import KernelDistance
from keras_sagan.metrics.built_in import PrecisionRecall
from keras_sagan.metrics.built_in import get_metrics
from keras_sagan.metrics.built_in import list_metrics
from keras_sagan.metrics.evaluation import evaluate
from keras_sagan.metrics.evaluation import reference
from keras_sagan.metrics.frechet import frechet_distance
from keras_sagan.metrics.inception import Inception
from keras_sagan.metrics.inception import build_inception
from keras_sagan.metrics.inception_weights import inception_tensors
from keras_sagan.metrics.manifold import coverage
from keras_sagan.metrics.manifold import density_coverage
from keras_sagan.metrics.manifold import mean_class_distance
from keras_sagan.metrics.manifold import precision_recall
from keras_sagan.metrics.metric import Metric
from keras_sagan.metrics.metric import Value
from keras_sagan.metrics.neighbors import nearest_neighbors
from keras_sagan.metrics.protocols import get_protocol
from keras_sagan.metrics.reports import report
from keras_sagan.metrics.scores import inception_score
from keras_sagan.metrics.scores import intra_fid
from keras_sagan.metrics.scores import kernel_distance
from keras_sagan.metrics.statistics import GaussianStatistics

__all__ = [
    "DensityCoverage",
    "FrechetDistance",
    "GaussianStatistics",
    "Inception",
    "InceptionScore",
    "IntraFID",
    "KernelDistance",
    "Metric",
    "PrecisionRecall",
    "Value",
    "build_inception",
    "coverage",
    "density_coverage",
    "evaluate",
    "frechet_distance",
    "get_metrics",
    "get_protocol",
    "inception_score",
    "inception_tensors",
    "intra_fid",
    "kernel_distance",
    "list_metrics",
    "mean_class_distance",
    "nearest_neighbors",
    "precision_recall",
    "reference",
    "report",
]
