"""How arrays go on beyond their ends: the modes of `scipy.ndimage`."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.axes import along
from retrograd.errors import ArgumentError

_NAMES = {"grid-mirror": "reflect", "grid-wrap": "wrap", "grid-constant": "constant"}


def canonical(mode: str) -> str:
    """One name a mode, for filters."""
    mode = _NAMES.get(mode, mode)
    if mode not in ("reflect", "mirror", "nearest", "wrap", "constant"):
        raise ArgumentError(
            f"scipy.ndimage: mode={mode!r} was given; the modes are 'reflect', 'mirror', "
            "'nearest', 'wrap' and 'constant'"
        )
    return mode


def folded(places: Any, size: int, mode: str) -> Any:
    """Where in an axis the element is that stands at some places, also outside."""
    if mode == "nearest":
        return np.clip(places, 0, size - 1)
    if mode == "wrap":
        return places % size
    if mode == "reflect":
        places = places % (2 * size)
        return np.where(places < size, places, 2 * size - 1 - places)
    if size == 1:
        return np.zeros_like(places)
    places = places % (2 * size - 2)
    return np.where(places < size, places, 2 * size - 2 - places)


def extended(x: Any, axis: int, before: int, after: int, mode: str, cval: Any = 0.0) -> Any:
    """An array with elements of the mode before and after it, along one axis."""
    size = np.shape(x)[axis]
    if mode == "constant":
        parts = [_constant(x, axis, before, cval), x, _constant(x, axis, after, cval)]
        return np.concatenate(parts, axis)
    places = folded(np.arange(-before, size + after), size, mode)
    return x[along(axis, places)]


def _constant(x: Any, axis: int, count: int, cval: Any) -> Any:
    shape = list(np.shape(x))
    shape[axis] = count
    if not hasattr(cval, "dtype"):
        cval = np.asarray(cval, x.dtype)
    return np.broadcast_to(cval, tuple(shape))
