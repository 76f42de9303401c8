"""Autograd's `misc`: flattened containers, optimizers, fixed points."""

from retrograd.compat.autograd.misc.flatten import flatten
from retrograd.compat.autograd.misc.tracers import const_graph

__all__ = ["const_graph", "flatten"]
