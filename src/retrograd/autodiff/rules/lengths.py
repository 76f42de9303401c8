"""Functions that make axes longer or shorter: repeating, tiling, inserting, deleting, trimming."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograd.autodiff.axes import along, checked_axes
from retrograd.autodiff.primitive import linear, stands_for
from retrograd.autodiff.rules.indexing import put
from retrograd.autodiff.rules.joining import as_array, concatenate
from retrograd.autodiff.trace import value_of
from retrograd.errors import ArgumentError


def _repeat_vjp(g: Any, ans: Any, x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Sum the copies of each element."""
    if axis is None:
        return np.reshape(_summed(g, (np.size(x),), repeats, 0), np.shape(x))
    return _summed(g, np.shape(x), repeats, axis % np.ndim(x))


def _summed(g: Any, shape: tuple[int, ...], repeats: Any, axis: int) -> Any:
    if np.ndim(repeats) == 0:
        return np.sum(np.reshape(g, (*shape[: axis + 1], repeats, *shape[axis + 1 :])), axis + 1)
    sources = np.repeat(np.arange(shape[axis]), repeats)
    return put(g, along(axis, sources), shape)


linear(np.repeat, _repeat_vjp)


@stands_for(np.tile)
def tile(A: Any, reps: Any) -> Any:  # NumPy's name
    """`numpy.tile`."""
    reps = tuple(int(r) for r in np.ravel(reps))
    shape = np.shape(A)
    reps = (1,) * (len(shape) - len(reps)) + reps
    shape = (1,) * (len(reps) - len(shape)) + shape
    # Each axis gets one before it, along which it is repeated.
    apart = np.reshape(A, [n for length in shape for n in (1, length)])
    wide = [n for pair in zip(reps, shape, strict=True) for n in pair]
    whole = [r * length for r, length in zip(reps, shape, strict=True)]
    tiled = np.reshape(np.broadcast_to(apart, wide), whole)
    return np.copy(tiled) if math.prod(reps) == 1 else tiled


@stands_for(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    """`numpy.resize`: the elements over and over again, until the new shape is full."""
    shape = (new_shape,) if np.ndim(new_shape) == 0 else tuple(new_shape)
    if min(shape, default=0) < 0:
        raise ArgumentError(f"resize: new_shape={new_shape!r} was given; lengths are 0 or more")
    size = math.prod(shape)
    if np.size(a) == 0:
        return np.zeros(shape, a.dtype)
    whole = np.ravel(a)[np.arange(size) % np.size(a)]
    return np.reshape(whole, shape)


def _flat(arr: Any, axis: int | None) -> tuple[Any, int]:
    """The array and the axis that `insert` and `delete` work on."""
    arr = as_array(arr)
    if axis is None:
        return np.ravel(arr), 0
    return arr, normalize_axis_index(axis, np.ndim(arr))


@stands_for(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """`numpy.delete`."""
    arr, axis = _flat(arr, axis)
    return arr[along(axis, np.delete(np.arange(np.shape(arr)[axis]), value_of(obj)))]


@stands_for(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """`numpy.insert`: old and new elements side by side, in the order that NumPy gives them."""
    arr, axis = _flat(arr, axis)
    obj = value_of(obj)
    shape = np.shape(arr)
    length = shape[axis]
    new = _inserted(arr, obj, as_array(values), axis)
    count = np.shape(new)[axis]
    order = np.insert(np.arange(length), obj, length + np.arange(count))
    return concatenate([arr, new], axis)[along(axis, order)]


def _inserted(arr: Any, obj: Any, values: Any, axis: int) -> Any:
    """The new elements, in the shape and dtype in which they go between the old ones."""
    shape, ndim = np.shape(arr), np.ndim(arr)
    if values.dtype != arr.dtype:
        values = values.astype(arr.dtype)
    places = np.asarray(np.arange(shape[axis])[obj] if isinstance(obj, slice) else obj)
    places = np.flatnonzero(places) if places.dtype == bool else places
    count = places.size
    if count == 1:  # in one place there may be several new elements
        values = np.reshape(values, (1,) * (ndim - np.ndim(values)) + np.shape(values))
        values = np.moveaxis(values, 0, axis) if places.ndim == 0 else values
        count = np.shape(values)[axis]
    return np.broadcast_to(values, (*shape[:axis], count, *shape[axis + 1 :]))


@stands_for(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """`numpy.trim_zeros`: what lies between the first and the last number that is not zero."""
    if trim.lower() not in ("fb", "bf", "f", "b"):
        raise ArgumentError(f"trim_zeros: trim={trim!r} was given; give 'f', 'b' or 'fb'")
    filt = as_array(filt)
    nonzero = np.argwhere(np.asarray(value_of(filt)))
    axes = checked_axes(axis, np.ndim(filt))
    return filt[tuple(_kept(nonzero, i, trim.lower(), i in axes) for i in range(np.ndim(filt)))]


def _kept(nonzero: Any, axis: int, trim: str, trimmed: bool) -> slice:
    if not trimmed:
        return slice(None)
    if not len(nonzero):
        return slice(0, 0)
    places = nonzero[:, axis]
    start, stop = int(places.min()), int(places.max()) + 1
    return slice(start if "f" in trim else None, stop if "b" in trim else None)
