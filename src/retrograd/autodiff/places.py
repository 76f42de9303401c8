"""Integer arrays as an index, put as places in the flat array.

`x[rows, columns]` is read several times faster at `rows * width + columns`, and a tape has one
array to keep in the place of two, which the way back would have made of them anyway.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_WHOLE = np.dtype(np.intp)
# Elements below which NumPy's own way is the quicker one.
_FEW = 64


def places_of(index: tuple[Any, ...], x: Any) -> Array | None:
    """The places in a flat array that an index means, which nobody can write to.

    Args:
        index: its first part is an array.
        x: what is to be read; traced values are left to their trace.

    Returns:
        None if the index is something else than one integer array of the same shape for each of
        several axes, or out of bounds: that is NumPy's to say.
    """
    if type(x) is not np.ndarray or len(index) != x.ndim or x.ndim < 2:
        return None
    extent = index[0].shape
    places: Array | None = None
    for part, length in zip(index, x.shape, strict=True):
        if type(part) is not np.ndarray or part.dtype is not _WHOLE or part.shape != extent:
            return None
        if part.size < _FEW or not _is_within(part, length):
            return None
        places = part if places is None else places * length + part
    assert places is not None
    places.flags.writeable = False
    return places


def _is_within(part: Array, length: int) -> bool:
    """Whether all numbers count from the front, and are there."""
    return bool(np.minimum.reduce(part, None) >= 0 and np.maximum.reduce(part, None) < length)
