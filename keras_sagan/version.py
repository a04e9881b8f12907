"""The version, alone so that setup can read it without Keras."""

__version__ = "0.1.0"
