"""Autograd's `scipy.linalg`: the drop-in `retrograd.scipy.linalg`."""

from retrograd.compat.autograd.namespace import same_as

__getattr__, __dir__ = same_as("retrograd.scipy.linalg")
