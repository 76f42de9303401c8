"""Reading and writing parts of arrays: indexing, and the functions that read by index.

What NumPy writes in place is an operation of its own here, whose result is the changed array.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograd.autodiff.axes import along, along_axis
from retrograd.autodiff.box import get_item, read_at, set_item, view
from retrograd.autodiff.primitive import (
    Primitive,
    linear,
    match,
    plain_array,
    primitive_for,
    rule,
    shape_of,
    stands_for,
)
from retrograd.autodiff.trace import value_of
from retrograd.autodiff.ufunc_methods import ADDITIONS, delivered
from retrograd.errors import ArgumentError


def _put(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros, plus `g` at `index`; an index that occurs twice adds twice."""
    g = np.asarray(g)
    placed = np.zeros(shape, dtype=g.dtype)
    if _repeats_nothing(index):
        placed[index] = g
        return placed
    places = _places(index, shape, g.size)
    if places is None:
        np.add.at(placed, index, g)
    else:
        _add_flat(placed, g, places)
    return placed


def _places(index: Any, shape: tuple[int, ...], count: int) -> Any:
    """The positions of the indexed elements in the flat array; None if that costs too much."""
    parts = index if isinstance(index, tuple) else (index,)
    if all(isinstance(p, np.ndarray) and p.dtype.kind in "iu" for p in parts):
        parts = tuple(p.astype(np.intp, copy=False) for p in parts)
        if len(parts) == len(shape):
            return _flat_places(parts, shape)
        if len(parts) == 1:
            width = math.prod(shape[1:])
            return np.add.outer(parts[0] * width, np.arange(width))
    size = math.prod(shape)
    return np.arange(size).reshape(shape)[index] if size <= 4 * count else None


def _flat_places(parts: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    """One integer array for each axis as one for the flat array, which may count from the end."""
    places = parts[0]
    for part, length in zip(parts[1:], shape[1:], strict=True):
        if np.minimum.reduce(part, axis=None, initial=0) < 0:
            part = part % length
        places = places * length + part
    return places


# The kinds of indices that can show no element twice, whatever their values.
_BASIC = frozenset({int, slice, type(None), type(Ellipsis)})
_ONE_OR_SLICE = (int, np.integer, np.bool_, slice)


def _add_to(total: Any, g: Any, ans: Any, x: Any, index: Any) -> bool:
    """Add a cotangent to those of other parts of `x`."""
    if type(g) is not np.ndarray or g.dtype is not total.dtype:
        return False
    if not _repeats_nothing(index):
        places = _places(index, total.shape, g.size)
        return places is not None and _add_at(total, g, ans, x, places)
    part = total[index]
    if type(part) is np.ndarray and part.base is total:
        np.add(part, g, part)
    else:
        total[index] = part + g
    return True


def _add_at(total: Any, g: Any, ans: Any, x: Any, places: Any) -> bool:
    """Add a cotangent at places in the flat array."""
    if type(g) is not np.ndarray or g.dtype is not total.dtype or not total.flags.c_contiguous:
        return False
    _add_flat(total, g, places)
    return True


def _add_flat(total: Any, g: Any, places: Any) -> None:
    """Add to a C-contiguous array; on flat arrays `np.add.at` is several times faster."""
    np.add.at(total.reshape(-1), places.reshape(-1), g.reshape(-1))


def _unread(g: Any, ans: Any, x: Any, places: Any) -> Any:
    """The transpose of `read_at`."""
    shape = shape_of(x)
    if type(g) is np.ndarray:
        placed = np.zeros(shape, g.dtype)
        _add_flat(placed, g, places)
        return placed
    return put(g, np.unravel_index(places, shape), shape)


def _read_too(d: Any, ans: Any, x: Any, places: Any) -> Any:
    """A tangent at the same places; a traced one in a way that other rules know about."""
    if type(d) is np.ndarray:
        return read_at(d, places)
    return read(d, np.unravel_index(places, shape_of(x)))


def _repeats_nothing(index: Any) -> bool:
    """Whether no element can occur twice: slices, numbers and masks."""
    parts = index if isinstance(index, tuple) else (index,)
    return _BASIC.issuperset(map(type, parts)) or all(map(_shows_once, parts))


def _shows_once(part: Any) -> bool:
    if isinstance(part, np.ndarray):
        return part.dtype.kind == "b" or part.size < 2
    return part is None or part is Ellipsis or isinstance(part, _ONE_OR_SLICE)


def _last_write(index: Any, shape: tuple[int, ...]) -> Any:
    """Which of the written values survive: of several at one place NumPy keeps the last."""
    if _repeats_nothing(index):
        return True
    order = np.full(shape, -1)
    places = np.shape(read(order, index))
    numbers = np.arange(math.prod(places)).reshape(places)
    return read(set_item(order, index, numbers), index) == numbers


def _overwritten(g: Any, index: Any) -> Any:
    return set_item(g, index, 0)


def _written(g: Any, index: Any, value: Any) -> Any:
    kept = g[index] * _last_write(index, np.shape(g))
    extra = np.ndim(value) - np.ndim(kept)  # axes of length 1 that NumPy drops on the way in
    return match(np.reshape(kept, (1,) * extra + np.shape(kept)) if extra > 0 else kept, value)


def _placed(d: Any, ans: Any, index: Any) -> Any:
    return set_item(np.zeros(np.shape(ans), ans.dtype), index, d)


put = primitive_for(_put)
linear(_put, lambda g, ans, x, index, shape: g[index])
linear(get_item.function, lambda g, ans, x, index: put(g, index, np.shape(x)))
get_item.add_into = _add_to
rule(read_at, vjps=[_unread], jvps=[_read_too], reads=[frozenset({1})])
read_at.add_into = _add_at
rule(
    set_item.function,
    vjps=[
        lambda g, ans, x, index, value: match(_overwritten(g, index), x),
        lambda g, ans, x, index, value: None,
        lambda g, ans, x, index, value: _written(g, index, value),
    ],
    jvps=[
        lambda d, ans, x, index, value: set_item(d, index, 0),
        lambda d, ans, x, index, value: None,
        lambda d, ans, x, index, value: _placed(d, ans, index),
    ],
)


def _added_at(x: Any, index: Any, value: Any) -> Any:
    changed = np.array(x)
    np.add.at(changed, index, value)
    return changed


added_at = rule(
    _added_at,
    vjps=[
        lambda g, ans, x, index, value: match(g, x),
        lambda g, ans, x, index, value: None,
        lambda g, ans, x, index, value: match(read(g, index), value),
    ],
    jvps=[
        lambda d, ans, x, index, value: d,
        lambda d, ans, x, index, value: None,
        lambda d, ans, x, index, value: added_at(np.zeros(np.shape(ans), ans.dtype), index, d),
    ],
)
ADDITIONS[np.add] = added_at
ADDITIONS[np.subtract] = lambda x, index, value: added_at(x, index, -value)


def read(x: Any, index: Any) -> Any:
    """`x[index]` as an array of its own, never a view."""
    return Primitive.__call__(get_item, x, index)


def _within(indices: Any, length: int, mode: str) -> Any:
    """Integers that are inside the axis; with `mode="raise"` NumPy checks them where they are."""
    indices = plain_array(indices)
    if mode == "wrap":
        return indices % length
    return np.clip(indices, 0, length - 1) if mode == "clip" else indices


@stands_for(np.take)
def take(
    a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise"
) -> Any:
    """`numpy.take`."""
    if axis is None:
        a, axis = np.ravel(a), 0
    axis = normalize_axis_index(axis, np.ndim(a))
    indices = _within(indices, np.shape(a)[axis], mode)
    return delivered(read(a, along(axis, indices)), out)


@stands_for(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """`numpy.take_along_axis`."""
    if axis is None:
        arr, axis = np.ravel(arr), 0
    return read(arr, along_axis(arr, value_of(indices), axis))


@stands_for(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """`numpy.choose`: the derivative is that of the chosen numbers."""
    places = plain_array(a)
    shape = np.broadcast_shapes(places.shape, *map(np.shape, choices))
    stacked = np.stack([np.broadcast_to(choice, shape) for choice in choices])
    places = np.broadcast_to(_within(places, len(stacked), mode), shape)
    return delivered(read(stacked, along_axis(stacked, places[None], 0))[0], out)


@stands_for(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Any:
    """`numpy.compress`."""
    return take(a, np.flatnonzero(value_of(condition)), axis, out)


@stands_for(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """`numpy.extract`."""
    return take(np.ravel(arr), np.flatnonzero(value_of(condition)))


def _diagonal_places(shape: tuple[int, ...], offset: int, axis1: int, axis2: int) -> Any:
    rows, columns = shape[axis1], shape[axis2]
    numbers = np.arange(max(0, min(rows, columns - offset) if offset > 0
                            else min(rows + offset, columns)))  # fmt: skip
    return numbers - min(offset, 0), numbers + max(offset, 0)


def _diagonal_vjp(g: Any, ans: Any, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """`g` on the diagonal of zeros."""
    lengths, ndim = np.shape(x), np.ndim(x)
    rest = [n for i, n in enumerate(lengths) if i not in (axis1 % ndim, axis2 % ndim)]
    shape = (lengths[axis1], lengths[axis2], *rest)
    places = _diagonal_places(shape, offset, 0, 1)
    placed = put(np.moveaxis(g, -1, 0), places, shape)
    return np.moveaxis(placed, (0, 1), (axis1, axis2))


def _read_only(base: Any, new: Any, *args: Any, **kwargs: Any) -> Any:
    raise ArgumentError(
        "assignment destination is read-only: np.diagonal is not writable in NumPy either; use "
        "np.fill_diagonal, or index with np.arange(n)"
    )


view(np.diagonal, write=_read_only)
linear(np.diagonal, _diagonal_vjp)
