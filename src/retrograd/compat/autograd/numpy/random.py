"""Autograd's `numpy.random`: the drop-in `retrograd.numpy.random`."""

from retrograd.compat.autograd.namespace import same_as

__getattr__, __dir__ = same_as("retrograd.numpy.random")
