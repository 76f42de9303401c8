"""Autograd's `numpy.fft`: the drop-in `retrograd.numpy.fft`."""

from retrograd.compat.autograd.namespace import same_as

__getattr__, __dir__ = same_as("retrograd.numpy.fft")
