"""The version, in a file of its own, so that setup does not need Keras."""

__version__ = "0.1.0"
