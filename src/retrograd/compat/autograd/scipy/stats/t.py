"""Autograd's module `scipy.stats.t`: the methods of this distribution."""

from retrograd.compat.autograd.namespace import members_of

__getattr__, __dir__ = members_of("retrograd.scipy.stats", "t")
