"""Autograd's `numpy_boxes`: the class of traced arrays, for `isinstance`."""

from __future__ import annotations

from retrograd.autodiff.box import Box
from retrograd.compat.autograd.absent import Absent

__all__ = ["ArrayBox", "Box", "SequenceBox"]

ArrayBox = Box
SequenceBox = Absent("SequenceBox", "containers of traced values are plain tuples and lists")
