"""Autograd's `scipy.signal`: the drop-in `retrograd.scipy.signal`."""

from retrograd.compat.autograd.namespace import same_as

__getattr__, __dir__ = same_as("retrograd.scipy.signal")
