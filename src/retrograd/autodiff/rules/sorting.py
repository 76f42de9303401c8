"""Sorting, order statistics and distinct values: which element goes where, and elements moved.

The places are found on plain values; where elements are equal, the first in the array comes first.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from retrograd.autodiff.axes import along_axis, checked_axes, is_kept
from retrograd.autodiff.dtypes import is_complex
from retrograd.autodiff.primitive import (
    constant,
    linear,
    plain_array,
    primitive_for,
    shape_of,
    stands_for,
)
from retrograd.autodiff.trace import Traced, value_of
from retrograd.autodiff.ufunc_methods import delivered
from retrograd.errors import MissingRuleError


def _permuted(x: Any, order: Any, inverse: Any) -> Any:
    """The elements along the last axis in another order."""
    return x[_at(order)]


def _at(places: Any) -> tuple[Any, ...]:
    """The index that takes the elements at these places along the last axis."""
    return along_axis(places, places, -1)


permuted = primitive_for(_permuted)
linear(_permuted, lambda g, ans, x, order, inverse: permuted(g, inverse, order))


def _inverse(order: Any) -> Any:
    """The permutation back."""
    inverse = np.empty_like(order)
    inverse[_at(order)] = np.arange(order.shape[-1])
    return inverse


def _order(rows: Any) -> Any:
    """The places of the elements in ascending order; equal ones in the order that they have."""
    order = np.argsort(rows, axis=-1)  # several times as fast as a stable sort
    ranked = rows[_at(order)]
    tied = (ranked[..., 1:] == ranked[..., :-1]).any()
    return np.argsort(rows, axis=-1, kind="stable") if tied else order


def _sorted_along(x: Any, axis: Any, places: Any) -> Any:
    """`x`, reordered along an axis by the `places` of plain rows."""
    if axis is None:
        x, axis = np.reshape(x, (-1,)), 0
    rows = np.moveaxis(x, axis, -1)
    order = places(plain_array(rows))
    return np.moveaxis(permuted(rows, order, _inverse(order)), -1, axis)


@stands_for(np.sort)
def sort(a: Any, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Any:
    """`numpy.sort`: every element keeps its derivative."""
    return _sorted_along(a, axis, _order)


@stands_for(np.partition)
def partition(a: Any, kth: Any, axis: int | None = -1, kind: Any = "introselect") -> Any:
    """`numpy.partition`, in the order that NumPy leaves the elements in."""

    def places(rows: Any) -> Any:
        after = _order(np.partition(rows, kth, axis=-1, kind=kind))
        return _order(rows)[_at(_inverse(after))]

    return _sorted_along(a, axis, places)


@stands_for(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """`numpy.sort_complex`."""
    ordered = np.sort(a, axis=-1)
    if is_complex(ordered):
        return ordered
    return ordered.astype(np.clongdouble if ordered.dtype == np.longdouble else np.complex128)


@stands_for(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> Any:
    """`numpy.lexsort`: places, which have no derivative."""
    return np.lexsort([value_of(key) for key in keys], axis)


@stands_for(np.unique)
def unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False,
    return_counts: bool = False, axis: int | None = None, *, equal_nan: bool = True,
    sorted: bool = True,
) -> Any:  # fmt: skip
    """`numpy.unique`; of equal elements the first has the derivative."""
    options = {} if sorted else {"sorted": False}
    plain, index, *others = np.unique(
        value_of(ar), True, return_inverse, return_counts, axis, equal_nan=equal_nan, **options
    )
    rows = np.ravel(ar) if axis is None else np.moveaxis(ar, axis, 0)
    values = rows[index] if axis is None else np.moveaxis(rows[index], 0, axis)
    assert shape_of(values) == plain.shape
    results = (values, *([index] if return_index else []), *others)
    return results if len(results) > 1 else values


def _unique_fields(function: Any, **wanted: bool) -> None:
    """The functions of the array API, which return their results by name."""

    @stands_for(function)
    def by_name(x: Any, /) -> Any:
        kind = type(function(np.zeros(1)))
        return kind(*unique(x, equal_nan=False, **wanted))


_unique_fields(np.unique_all, return_index=True, return_inverse=True, return_counts=True)
_unique_fields(np.unique_counts, return_counts=True)
_unique_fields(np.unique_inverse, return_inverse=True)


@stands_for(np.unique_values)
def unique_values(x: Any, /) -> Any:
    """`numpy.unique_values`, in the order in which NumPy gives them."""
    flat, found = np.ravel(x), np.unique_values(np.asarray(value_of(x)))
    order = np.argsort(value_of(flat), kind="stable")
    return flat[order[np.searchsorted(value_of(flat)[order], found)]]


def _rows(a: Any, axis: Any) -> tuple[Any, tuple[int, ...]]:
    """The reduced axes as one, in the last place; and those axes."""
    axes = checked_axes(axis, len(shape_of(a)))
    last = tuple(range(-len(axes), 0))
    moved = np.moveaxis(a, axes, last)
    kept = shape_of(moved)[: len(shape_of(moved)) - len(axes)]
    width = math.prod(shape_of(a)[i] for i in axes)
    return np.reshape(moved, (*kept, width)), axes


# Distinct ranks up to which finding these is quicker than sorting.
_FEW = 8


def _ranked(rows: Any, ranks: Any) -> Any:
    """The elements of these ranks in each row, along the last axis; NaN counts as largest."""
    plain = plain_array(rows)
    distinct = np.unique(ranks)
    few = distinct.size <= _FEW
    order = np.argpartition(plain, distinct, axis=-1) if few else _order(plain)
    return rows[_at(order[_at(ranks)])]


# Ranks that the methods of `numpy.quantile` interpolate at are (n + a) q + b, within the row;
# those of the other methods do not change with q.
_METHODS = {
    "linear": (-1.0, 0.0), "interpolated_inverted_cdf": (0.0, -1.0), "hazen": (0.0, -0.5),
    "weibull": (1.0, -1.0), "median_unbiased": (1 / 3, -2 / 3),
    "normal_unbiased": (1 / 4, -5 / 8),
}  # fmt: skip


def _ranks(q: Any, method: str, counts: Any) -> Any:
    """The rank of each quantile (last axis) in rows of so many numbers, as NumPy has it."""
    flat = np.reshape(q, (-1,))
    plain = plain_array(flat)
    numbers, which = np.unique(counts, return_inverse=True)
    table = [
        np.quantile(np.arange(n, dtype=float), plain, method=method) if n else 0.0 * plain  # type: ignore[call-overload]
        for n in numbers
    ]
    if not table:  # there are no rows
        return np.zeros((*np.shape(counts), np.size(plain)))
    ranks = np.stack(table)[which.reshape(np.shape(counts))]
    if flat is plain or method not in _METHODS:
        return ranks
    a, b = _METHODS[method]
    slopes = np.expand_dims(counts + a, -1)
    unclipped = slopes * plain + b
    inside = (unclipped >= 0) & (unclipped <= np.expand_dims(counts - 1, -1))
    return ranks + np.where(inside, slopes, 0) * (flat - plain)


def _interpolated(rows: Any, ranks: Any, counts: Any, dtype: Any) -> Any:
    """Elements of fractional rank (last axis, may be traced) of rows with so many numbers each."""
    counts = np.expand_dims(counts, -1)
    plain = plain_array(ranks)
    below = np.clip(np.floor(plain), 0, np.maximum(counts - 2, 0)).astype(int)
    low = _ranked(rows, below)
    high = _ranked(rows, np.minimum(below + 1, np.maximum(counts - 1, 0)))
    weight = (ranks - below).astype(np.finfo(dtype).dtype)
    found = low + (high - low) * weight
    infinite = ~np.isfinite(value_of(found))
    if infinite.any():
        share = value_of(weight)
        both = np.where(
            share == 0, low, np.where(share == 1, high, (1 - share) * low + share * high)
        )
        found = np.where(infinite, both, found)
    return found


def _quantiles(
    a: Any, q: Any, axis: Any, method: str, keepdims: bool, dtype: Any, *, skip_nan: bool
) -> Any:
    """What the four quantile functions and the two medians have in common."""
    rows, axes = _rows(a, axis)
    missing = np.isnan(plain_array(rows))
    width = shape_of(rows)[-1]
    counts = width - missing.sum(-1) if skip_nan else np.full(missing.shape[:-1], width)
    undefined: Any = counts == 0 if skip_nan else missing.any(-1) | (counts == 0)
    empty = np.expand_dims(undefined, -1)
    if width == 0:
        rows = np.full((*shape_of(rows)[:-1], 1), np.nan, dtype)
    if skip_nan and not isinstance(undefined, Traced) and undefined.any():
        warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=4)
    found: Any = _interpolated(rows, _ranks(q, method, counts), counts, dtype)
    found = np.where(empty, np.nan, found).astype(dtype)
    found = np.moveaxis(found, -1, 0)
    kept = shape_of(found)[1:]
    if keepdims:
        kept = tuple(1 if i in axes else n for i, n in enumerate(shape_of(a)))
    shape = (*np.shape(q), *kept)
    found = np.reshape(found, shape)
    return found if shape or keepdims else found[()]


def _quantile_function(original: Any, per: int, *, skip_nan: bool) -> None:
    """Register a quantile function whose `q` goes from 0 to `per`."""

    def quantile(
        a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
        method: str = "linear", keepdims: Any = False, *, weights: Any = None,
        interpolation: Any = None,
    ) -> Any:  # fmt: skip
        for name, value in (("weights", weights), ("interpolation", interpolation)):
            if value is not None:
                raise MissingRuleError(
                    f"{original.__name__}: no derivative rule covers the keyword {name}=. Leave it "
                    "out, or apply the function to plain values (retrograd.value_of)."
                )
        a, q = (x if isinstance(x, Traced | float) else np.asarray(x) for x in (a, q))
        share = q / per if per != 1 else q
        given = np.zeros(1, plain_array(a).dtype)
        dtype = np.quantile(given, value_of(share), method=method).dtype  # type: ignore[call-overload]
        result = _quantiles(a, share, axis, method, is_kept(keepdims), dtype, skip_nan=skip_nan)
        return delivered(result, out)

    quantile.__name__ = original.__name__
    quantile.__doc__ = f"`numpy.{original.__name__}`; of equal elements one has the derivative."
    stands_for(original)(quantile)


def _median_function(original: Any, *, skip_nan: bool) -> None:
    def median(
        a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
        keepdims: Any = False,
    ) -> Any:  # fmt: skip
        dtype = plain_array(a).dtype
        result = _quantiles(a, 0.5, axis, "linear", is_kept(keepdims), dtype, skip_nan=skip_nan)
        return delivered(result, out)

    median.__name__ = original.__name__
    median.__doc__ = f"`numpy.{original.__name__}`; of equal elements one has the derivative."
    stands_for(original)(median)


_quantile_function(np.quantile, 1, skip_nan=False)
_quantile_function(np.percentile, 100, skip_nan=False)
_quantile_function(np.nanquantile, 1, skip_nan=True)
_quantile_function(np.nanpercentile, 100, skip_nan=True)
_median_function(np.median, skip_nan=False)
_median_function(np.nanmedian, skip_nan=True)
constant(np.argsort, np.argpartition, np.searchsorted, np.digitize, np.isin)
