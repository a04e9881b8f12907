"""A page to play with a model, in a browser."""

from keras_sagan.page.server import build_page
from keras_sagan.page.server import serve

__all__ = ["build_page", "serve"]
