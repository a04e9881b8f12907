"""Training on several devices and machines, by the engines of Keras' users."""

from keras_sagan.distribution.devices import Devices
from keras_sagan.distribution.devices import start

__all__ = ["Devices", "start"]
