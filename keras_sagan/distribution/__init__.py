"""Training on several devices and machines, with the backend's own engine."""

from keras_sagan.distribution.devices import Devices
from keras_sagan.distribution.devices import start

__all__ = ["Devices", "start"]
