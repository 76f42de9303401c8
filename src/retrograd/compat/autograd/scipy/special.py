"""Autograd's `scipy.special`: the drop-in `retrograd.scipy.special`."""

from retrograd.compat.autograd.namespace import same_as

__getattr__, __dir__ = same_as("retrograd.scipy.special")
