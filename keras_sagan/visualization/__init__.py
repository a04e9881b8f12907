"""Pictures of what a SAGAN makes, of where it looks, and of how it trained."""

from keras_sagan.visualization.attention import AttentionMaps
from keras_sagan.visualization.attention import attention_layers
from keras_sagan.visualization.attention import attention_maps
from keras_sagan.visualization.attention_figures import attention_figure
from keras_sagan.visualization.attention_figures import attention_sheet
from keras_sagan.visualization.attention_figures import save_attention
from keras_sagan.visualization.curves import read_log
from keras_sagan.visualization.curves import training_curves
from keras_sagan.visualization.grids import image_grid
from keras_sagan.visualization.neighbors import nearest_neighbors
from keras_sagan.visualization.projections import projection_sheet
from keras_sagan.visualization.projections import projection_walk
from keras_sagan.visualization.samples import class_grid
from keras_sagan.visualization.samples import truncation_grid
from keras_sagan.visualization.videos import save_video
from keras_sagan.visualization.videos import training_video
from keras_sagan.visualization.walks import class_walk
from keras_sagan.visualization.walks import latent_walk
from keras_sagan.visualization.walks import spherical_interpolation

__all__ = [
    "AttentionMaps",
    "attention_figure",
    "attention_layers",
    "attention_maps",
    "attention_sheet",
    "class_grid",
    "class_walk",
    "image_grid",
    "latent_walk",
    "nearest_neighbors",
    "projection_sheet",
    "projection_walk",
    "read_log",
    "save_attention",
    "save_video",
    "spherical_interpolation",
    "training_curves",
    "training_video",
    "truncation_grid",
]
