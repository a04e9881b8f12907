"""A web page to try out a model in a browser."""

from keras_sagan.app.page import build_app
from keras_sagan.app.server import serve

__all__ = ["build_app", "serve"]
