"""Autograd's `numpy.linalg`: the drop-in `retrograd.numpy.linalg`."""

from retrograd.compat.autograd.namespace import same_as

__getattr__, __dir__ = same_as("retrograd.numpy.linalg")
