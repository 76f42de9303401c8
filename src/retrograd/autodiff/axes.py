"""Axes: which ones an argument names, the index along one of them, vectors laid along one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple


def checked_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes that are named (None for all of them), not negative; NumPy's error for others."""
    return tuple(range(ndim)) if axis is None else normalize_axis_tuple(axis, ndim)


def is_kept(keepdims: Any) -> bool:
    """Whether the axes that are reduced stay."""
    return keepdims is not np._NoValue and bool(keepdims)


def along(axis: int, part: Any) -> tuple[Any, ...]:
    """The index that takes a part of one axis (not negative), and all of the others."""
    return (*[slice(None)] * axis, part)


def on_axis(x: Any, ndim: int, axis: int) -> Any:
    """A vector laid along one axis of `ndim`."""
    shape = [1] * ndim
    shape[axis] = -1
    return np.reshape(x, tuple(shape))


def along_axis(x: Any, places: Any, axis: int) -> tuple[Any, ...]:
    """The index of `take_along_axis` and `put_along_axis`: the other axes count themselves."""
    ndim = np.ndim(x)
    index = [on_axis(np.arange(n), ndim, i) for i, n in enumerate(np.shape(x))]
    index[axis] = places
    return tuple(index)


def in_front(x: Any, axes: tuple[int, ...]) -> Any:
    """The named axes as one, in front of the others."""
    front = np.moveaxis(x, axes, tuple(range(len(axes))))
    shape = np.shape(front)
    return np.reshape(front, (math.prod(shape[: len(axes)]), *shape[len(axes) :]))
