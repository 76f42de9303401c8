"""Joining arrays, taking them apart, and making them of nested lists."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograd.autodiff.axes import along
from retrograd.autodiff.box import Box
from retrograd.autodiff.dtypes import cast
from retrograd.autodiff.primitive import Everywhere, match, rule, shape_of, stands_for
from retrograd.autodiff.rules.indexing import put
from retrograd.autodiff.trace import Traced, stand_in_of
from retrograd.autodiff.ufunc_methods import delivered
from retrograd.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Slices = tuple[slice, ...]


def _joined(axis: int, *arrays: Any) -> Any:
    return np.concatenate(arrays, axis)


def _bounds(axis: int, arrays: Sequence[Any]) -> list[int]:
    """Where each of the joined arrays begins, and where the last one ends."""
    bounds = [0]
    for a in arrays:
        bounds.append(bounds[-1] + shape_of(a)[axis])
    return bounds


def _place(n: int, axis: int, arrays: Sequence[Any]) -> Slices:
    start = sum(shape_of(a)[axis] for a in arrays[: n - 1])
    return along(axis, slice(start, start + shape_of(arrays[n - 1])[axis]))


def _unjoined(argnums: list[int], g: Any, ans: Any, axis: int, *arrays: Any) -> list[Any]:
    """The cotangents of several arrays at a time."""
    bounds = _bounds(axis, arrays)
    return [
        # Array n is argument n.
        match(g[along(axis, slice(bounds[n - 1], bounds[n]))], arrays[n - 1])
        for n in argnums
    ]


def _joined_tangents(tangents: dict[int, Any], ans: Any, axis: int, *arrays: Any) -> Any:
    """The tangents of several arrays at a time, joined as the arrays are."""
    parts = [
        np.broadcast_to(tangents[n], shape_of(a)) if n in tangents else np.zeros(shape_of(a))
        for n, a in enumerate(arrays, 1)
    ]
    return cast(np.concatenate(parts, axis), ans.dtype)


def _padded(d: Any, ans: Any, place: Slices) -> Any:
    """The tangent of one of the joined arrays: zeros in the place of the others."""
    return cast(put(d, place, np.shape(ans)), ans.dtype)


# Argument 0 is the axis.
joined = rule(
    _joined,
    vjps=Everywhere(
        lambda n, g, ans, axis, *arrays: match(g[_place(n, axis, arrays)], arrays[n - 1])
    ),
    jvps=Everywhere(lambda n, d, ans, axis, *arrays: _padded(d, ans, _place(n, axis, arrays))),
)
joined.pullback, joined.pushforward = _unjoined, _joined_tangents
joined.reads = frozenset()  # all of them look at shapes alone


def _delivered(result: Any, out: Any, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """The result under `dtype=`, `casting=` and `out=` of the functions that join."""
    if dtype is not None and result.dtype != np.dtype(dtype):
        if not np.can_cast(result.dtype, dtype, casting):
            raise ArgumentError(
                f"concatenate: cannot cast from {result.dtype} to dtype={np.dtype(dtype)} with "
                f"casting={casting!r}; cast the arrays with astype first"
            )
        result = result.astype(dtype)
    return delivered(result, out)


@stands_for(np.concatenate)
def concatenate(
    arrays: Sequence[Any], axis: int | None = 0, out: Any = None, *, dtype: Any = None,
    casting: Any = "same_kind",
) -> Any:  # fmt: skip
    """`numpy.concatenate`."""
    arrays = [as_array(a) for a in arrays]
    if axis is None:
        found = joined(0, *[np.ravel(a) for a in arrays])
    else:
        found = joined(normalize_axis_index(axis, len(shape_of(arrays[0]))), *arrays)
    return _delivered(found, out, dtype, casting)


@stands_for(np.stack)
def stack(
    arrays: Sequence[Any], axis: int = 0, out: Any = None, *, dtype: Any = None,
    casting: Any = "same_kind",
) -> Any:  # fmt: skip
    """`numpy.stack`."""
    arrays = [as_array(a) for a in arrays]
    for a in arrays:
        # Here, because lists of such things would be taken for arrays of them again and again.
        if isinstance(a, np.ndarray) and a.dtype.hasobject:
            raise ArgumentError(
                f"array: {a.tolist()!r:.60} was given beside traced numbers; give numbers and "
                "arrays of them"
            )
    shape = shape_of(arrays[0])
    if any(shape_of(a) != shape for a in arrays):
        raise ArgumentError(
            f"stack: arrays of the shapes {[shape_of(a) for a in arrays]} were given; they must "
            "be alike (np.broadcast_arrays makes them so)"
        )
    axis = normalize_axis_index(axis, len(shape) + 1)
    thin = (*shape[:axis], 1, *shape[axis:])
    found = joined(axis, *[np.reshape(a, thin) for a in arrays])
    return _delivered(found, out, dtype, casting)


@stands_for(np.vstack)
def vstack(tup: Sequence[Any], *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """`numpy.vstack`."""
    return concatenate([np.atleast_2d(as_array(a)) for a in tup], 0, dtype=dtype, casting=casting)


@stands_for(np.hstack)
def hstack(tup: Sequence[Any], *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """`numpy.hstack`."""
    thick = [np.atleast_1d(as_array(a)) for a in tup]
    axis = 0 if np.ndim(thick[0]) == 1 else 1
    return concatenate(thick, axis, dtype=dtype, casting=casting)


@stands_for(np.dstack)
def dstack(tup: Sequence[Any]) -> Any:
    """`numpy.dstack`."""
    return concatenate([np.atleast_3d(as_array(a)) for a in tup], 2)


@stands_for(np.column_stack)
def column_stack(tup: Sequence[Any]) -> Any:
    """`numpy.column_stack`: what has one axis becomes a column."""
    arrays = [as_array(a) for a in tup]
    columns = [np.reshape(a, (-1, 1)) if np.ndim(a) < 2 else a for a in arrays]
    return concatenate(columns, 1)


@stands_for(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """`numpy.append`."""
    return concatenate((as_array(arr), as_array(values)), axis)


@stands_for(np.block)
def block(arrays: Any) -> Any:
    """`numpy.block`: nested lists, joined along the last axis on the innermost level."""
    ndim = np.ndim(np.block(_skeleton(arrays)))  # raises what NumPy raises
    found = _blocks(arrays, _depth(arrays), ndim)
    return np.copy(found) if isinstance(arrays, Box) else found


def _skeleton(arrays: Any) -> Any:
    """The same nest of arrays with one element each."""
    if isinstance(arrays, list | tuple):
        return type(arrays)(map(_skeleton, arrays))
    return np.empty((1,) * np.ndim(arrays))


def _depth(arrays: Any) -> int:
    return 1 + _depth(arrays[0]) if isinstance(arrays, list) else 0


def _blocks(arrays: Any, depth: int, ndim: int) -> Any:
    if depth:
        return concatenate([_blocks(part, depth - 1, ndim) for part in arrays], -depth)
    shape = np.shape(arrays)
    return np.reshape(arrays, (1,) * (ndim - len(shape)) + shape)


def as_array(x: Any) -> Any:
    """Lists and numbers as arrays; arrays, traced or not, as they are."""
    return x if isinstance(x, np.ndarray | Traced) else asarray(x)


def as_float(x: Any, dtype: Any = np.float64) -> Any:
    """An array or number of at least this precision, as NumPy makes of its arguments."""
    x = as_array(x)
    return cast(x, np.result_type(x.dtype, dtype))


@stands_for(np.array)
def array(
    object: Any, dtype: Any = None, *, copy: Any = True, order: Any = "K", subok: bool = False,
    ndmin: int = 0, ndmax: int = 0, like: Any = None,
) -> Any:  # fmt: skip
    """`numpy.array` of nested lists that may hold traced numbers and arrays."""
    if isinstance(object, list | tuple):
        result = stack([array(part) for part in object])
    else:
        result = np.copy(object) if copy else object
    result = cast(result, dtype)
    shape = np.shape(result)
    return np.reshape(result, (1,) * (ndmin - len(shape)) + shape) if ndmin > len(shape) else result


@stands_for(np.asarray, np.asanyarray)
def asarray(
    a: Any, dtype: Any = None, order: Any = None, *, device: Any = None, copy: Any = None,
    like: Any = None,
) -> Any:  # fmt: skip
    """`numpy.asarray`: a traced array stays as it is."""
    if not isinstance(a, Box):
        return array(a, dtype)
    if copy:
        a = np.copy(a)
    return cast(a, dtype)


def _laid_out(a: Any, order: Any) -> Any:
    """The array itself if its elements lie in this order, C or F; else a copy in which they do."""
    flags: Any = np.asarray(stand_in_of(a)).flags
    return a if flags[f"{order}_CONTIGUOUS"] else np.copy(a, order=order)


def _with_layout(function: Callable[..., Any], order: str) -> None:
    def contiguous(a: Any, dtype: Any = None, *, like: Any = None) -> Any:
        return _laid_out(np.atleast_1d(asarray(a, dtype)), order)

    contiguous.__name__ = function.__name__
    stands_for(function)(contiguous)


_with_layout(np.ascontiguousarray, "C")
_with_layout(np.asfortranarray, "F")


@stands_for(np.asarray_chkfinite)
def asarray_chkfinite(a: Any, dtype: Any = None, order: Any = None) -> Any:
    """`numpy.asarray_chkfinite`."""
    found = asarray(a, dtype)
    np.asarray_chkfinite(stand_in_of(found))
    return found


@stands_for(np.require)
def require(a: Any, dtype: Any = None, requirements: Any = None, *, like: Any = None) -> Any:
    """`numpy.require`: what is asked of the layout; traced arrays are always writable and owned."""
    layouts = {str(r)[0].upper() for r in requirements or ()}
    if {"C", "F"} <= layouts:
        raise ArgumentError(f"require: requirements={requirements!r} was given; ask for C or F")
    a = asarray(a, dtype)
    wanted = layouts & {"C", "F"}
    return _laid_out(a, wanted.pop()) if wanted else a


@stands_for(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """`numpy.array_split`: pieces that show their part of the array, as in NumPy."""
    axis = normalize_axis_index(axis, np.ndim(ary))
    if np.ndim(indices_or_sections) == 0:
        n, sections = np.shape(ary)[axis], int(indices_or_sections)
        if sections <= 0:
            raise ArgumentError(
                f"array_split: {sections} sections were asked for; ask for 1 or more"
            )
        cuts = [part * (n // sections) + min(part, n % sections) for part in range(sections + 1)]
    else:
        cuts = [0, *map(int, indices_or_sections), None]
    return [ary[along(axis, slice(start, stop))] for start, stop in pairwise(cuts)]


@stands_for(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """`numpy.split`."""
    if np.ndim(indices_or_sections) == 0:
        n = np.shape(ary)[normalize_axis_index(axis, np.ndim(ary))]
        if n % int(indices_or_sections):
            raise ArgumentError(
                f"split: an axis of length {n} does not fall into {indices_or_sections} equal "
                "parts; np.array_split makes unequal ones"
            )
    return array_split(ary, indices_or_sections, axis)


def _split_along(function: Callable[..., Any], least: int, axis: int) -> None:
    def split_along(ary: Any, indices_or_sections: Any) -> list[Any]:
        if np.ndim(ary) < least:
            raise ArgumentError(
                f"{function.__name__}: an array with {np.ndim(ary)} axes was given; it needs at "
                f"least {least}"
            )
        return split(ary, indices_or_sections, min(axis, np.ndim(ary) - 1))

    split_along.__name__ = function.__name__
    stands_for(function)(split_along)


_split_along(np.hsplit, 1, 1)
_split_along(np.vsplit, 2, 0)
_split_along(np.dsplit, 3, 2)


if hasattr(np, "unstack"):  # since NumPy 2.1

    @stands_for(np.unstack)
    def unstack(x: Any, *, axis: int = 0) -> tuple[Any, ...]:
        """`numpy.unstack`."""
        if np.ndim(x) == 0:
            raise ArgumentError("unstack: a number was given; it needs an array")
        front = np.moveaxis(x, axis, 0)
        return tuple(front[i] for i in range(len(front)))
