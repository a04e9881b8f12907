"""Models in folders to share, here or on the Hugging Face Hub."""

from keras_sagan.hub.folders import upload_preset

__all__ = ["upload_preset"]
