"""Callbacks for `SAGAN.fit`."""

from keras_sagan.callbacks.checkpoint import Checkpoint
from keras_sagan.callbacks.evaluation import Evaluation
from keras_sagan.callbacks.guard import Guard
from keras_sagan.callbacks.guard import TrainingFailed
from keras_sagan.callbacks.json_logger import JSONLogger
from keras_sagan.callbacks.progress_bar import ProgressBar
from keras_sagan.callbacks.sample_grid import SampleGrid
from keras_sagan.callbacks.tensor_board import TensorBoardLogger
from keras_sagan.callbacks.wandb_logger import WandbLogger

__all__ = [
    "Checkpoint",
    "Evaluation",
    "Guard",
    "JSONLogger",
    "ProgressBar",
    "SampleGrid",
    "TensorBoardLogger",
    "TrainingFailed",
    "WandbLogger",
]
