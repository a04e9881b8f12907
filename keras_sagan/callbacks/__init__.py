"""Callbacks for `SAGAN.fit`."""

from keras_sagan.callbacks.evaluation import Evaluation
from keras_sagan.callbacks.progress_bar import ProgressBar
from keras_sagan.callbacks.sample_grid import SampleGrid

__all__ = ["Evaluation", "ProgressBar", "SampleGrid"]
