"""Autograd's `scipy.integrate`: the drop-in `retrograd.scipy.integrate`."""

from retrograd.compat.autograd.namespace import same_as

__getattr__, __dir__ = same_as("retrograd.scipy.integrate")
