"""Differences, slopes, integrals of samples, interpolation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograd.autodiff.axes import along, checked_axes, on_axis
from retrograd.autodiff.dtypes import cast, floats, is_complex
from retrograd.autodiff.primitive import stands_for
from retrograd.autodiff.rules.joining import as_array, as_float
from retrograd.autodiff.trace import value_of
from retrograd.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence


def neighbours(axis: int) -> tuple[Any, Any]:
    """The indices of all elements along an axis but the first, and of all but the last."""
    return along(axis, slice(1, None)), along(axis, slice(None, -1))


@stands_for(np.diff)
def diff(
    a: Any,
    n: int = 1,
    axis: int = -1,
    prepend: Any = np._NoValue,
    append: Any = np._NoValue,
) -> Any:
    """`numpy.diff`."""
    if n < 0:
        raise ArgumentError(f"diff: n={n} was given; the order n must be non-negative")
    if n == 0:
        return a
    a = as_array(a)
    axis = normalize_axis_index(axis, np.ndim(a))
    ends = [_end(prepend, a, axis), a, _end(append, a, axis)]
    present = [end for end in ends if end is not None]
    if len(present) > 1:
        a = np.concatenate(present, axis)
    later, earlier = neighbours(axis)
    for _ in range(n):
        a = a[later] - a[earlier]
    return a


def _end(x: Any, a: Any, axis: int) -> Any:
    """What is joined to `a` before differences are taken; a number is one more element."""
    if x is np._NoValue:
        return None
    x = as_array(x)
    if np.ndim(x) == 0:
        shape = list(np.shape(a))
        shape[axis] = 1
        return np.broadcast_to(x, tuple(shape))
    return x


@stands_for(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """`numpy.ediff1d`."""
    flat = np.ravel(as_array(ary))
    parts = [_cast_end(to_begin, flat), flat[1:] - flat[:-1], _cast_end(to_end, flat)]
    present = [part for part in parts if part is not None]
    return present[0] if len(present) == 1 else np.concatenate(present)


def _cast_end(x: Any, flat: Any) -> Any:
    if x is None:
        return None
    x = np.ravel(as_array(x))
    if not np.can_cast(x.dtype, flat.dtype, "same_kind"):
        raise TypeError(
            f"ediff1d: to_begin and to_end are cast to the array's {flat.dtype}, which {x.dtype} "
            "cannot be; make the array of that kind first"
        )
    return x.astype(flat.dtype)


@stands_for(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """`numpy.gradient`; numbers and coordinates of the spacing may be traced."""
    f = floats(as_array(f))
    axes = checked_axes(axis, np.ndim(f))
    if edge_order not in (1, 2):
        raise ArgumentError(f"gradient: edge_order={edge_order} was given; give 1 or 2")
    slopes = [
        _slopes(f, spacing, a, edge_order)
        for a, spacing in zip(axes, _spacings(varargs, len(axes)), strict=True)
    ]
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def _spacings(varargs: tuple[Any, ...], count: int) -> Sequence[Any]:
    if not varargs:
        return [1.0] * count
    if len(varargs) == 1 and np.ndim(varargs[0]) == 0:
        return list(varargs) * count
    if len(varargs) != count:
        raise TypeError(
            f"gradient: {len(varargs)} spacings were given for {count} axes; give one, or {count}"
        )
    return varargs


def _slopes(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    """The slopes along one axis: parabolas inside, lines or parabolas at the two ends."""
    size = np.shape(f)[axis]
    if size < edge_order + 1:
        raise ArgumentError(
            f"gradient: axis {axis} has {size} elements, edge_order={edge_order} needs at least "
            f"{edge_order + 1}; give more, or leave the axis out with axis="
        )
    h = _steps(spacing, size, axis, f.dtype)
    inner = _weighted(f, axis, _parabola_slopes(h[:-1], h[1:]))
    if edge_order == 1:
        later, earlier = neighbours(axis)
        lines = (f[later] - f[earlier]) / on_axis(h, np.ndim(f), axis)
        first, last = lines[along(axis, slice(1))], lines[along(axis, slice(size - 2, None))]
    else:
        first = _weighted(f[along(axis, slice(3))], axis, _first_slopes(h[:1], h[1:2]))
        mirrored = [-w for w in _first_slopes(h[-1:], h[-2:-1])[::-1]]
        last = _weighted(f[along(axis, slice(size - 3, None))], axis, mirrored)
    slopes = np.concatenate([first, inner, last], axis)
    return cast(slopes, f.dtype)  # as NumPy has it


def _steps(spacing: Any, size: int, axis: int, dtype: Any) -> Any:
    """The distances of neighbours; a number stays of the array's precision, as in NumPy."""
    if np.ndim(spacing) == 0:
        weak = not hasattr(spacing, "dtype")
        step = as_array(spacing).astype(np.result_type(dtype, 1.0)) if weak else spacing
        return np.broadcast_to(step, (size - 1,))
    x = as_array(spacing)
    if np.ndim(x) != 1 or np.shape(x)[0] != size:
        raise ArgumentError(
            f"gradient: the coordinates along axis {axis} have shape {np.shape(x)}; give ({size},)"
        )
    x = floats(x)
    return x[1:] - x[:-1]


def _weighted(f: Any, axis: int, weights: Sequence[Any]) -> Any:
    """The sum of neighbours along an axis, each times its weight."""
    count = np.shape(f)[axis] - len(weights) + 1
    parts = [
        f[along(axis, slice(i, i + count))] * on_axis(w, np.ndim(f), axis)
        for i, w in enumerate(weights)
    ]
    return sum(parts[1:], parts[0])


def _parabola_slopes(h: Any, k: Any) -> list[Any]:
    """Weights of f(-h), f(0), f(k) in the slope at 0 of the parabola through them."""
    return [-k / (h * (h + k)), (k - h) / (h * k), h / (k * (h + k))]


def _first_slopes(h: Any, k: Any) -> list[Any]:
    """The same for f(0), f(h), f(h + k)."""
    return [-(2 * h + k) / (h * (h + k)), (h + k) / (h * k), -h / (k * (h + k))]


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """`numpy.trapezoid`."""
    y = as_array(y)
    axis = normalize_axis_index(axis, np.ndim(y))
    later, earlier = neighbours(axis)
    return np.sum(widths(y, x, dx, axis) * (y[later] + y[earlier]) / 2.0, axis=axis)


def widths(y: Any, x: Any, dx: Any, axis: int) -> Any:
    """The widths of the intervals between samples, to multiply with them."""
    if x is None:
        return dx
    x = as_array(x)
    if np.ndim(x) == 1:
        return on_axis(diff(x), np.ndim(y), axis)
    return diff(x, axis=axis)


stands_for(np.trapezoid)(trapezoid)
if hasattr(np, "trapz"):
    stands_for(np.trapz)(trapezoid)  # type: ignore[attr-defined]  # until NumPy 2.3


@stands_for(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """`numpy.interp`; at a knot, the derivative in `x` is that of the interval to its right."""
    x, xp, fp = as_float(x), as_float(xp), as_float(fp)
    if is_complex(x) or is_complex(xp):
        raise TypeError("interp: x or xp is complex; only fp may be, since places are ordered")
    if np.ndim(xp) != 1 or np.shape(xp) != np.shape(fp) or not np.size(xp):
        raise ArgumentError(
            f"interp: xp and fp have shapes {np.shape(xp)} and {np.shape(fp)}; give two vectors of "
            "the same length, at least 1"
        )
    if period is not None:
        x, xp, fp = _periodic(x, xp, fp, period)
        left = right = None
    inside = _between(x, xp, fp) if np.shape(xp)[0] > 1 else np.broadcast_to(fp[0], np.shape(x))
    left, right = (_outside(end, at, fp) for end, at in ((left, fp[0]), (right, fp[-1])))
    plain, knots = value_of(x), value_of(xp)
    below = np.where(plain < knots[0], left, inside)
    found = np.where(plain > knots[-1], right, below)
    return found if np.ndim(found) else found[()]


def _outside(end: Any, edge: Any, fp: Any) -> Any:
    return edge if end is None else as_float(end, fp.dtype)


def _between(x: Any, xp: Any, fp: Any) -> Any:
    """The value on the line of its interval; outside, of the point moved to the nearest knot."""
    knots = value_of(xp)
    place = np.searchsorted(knots, value_of(x), "right") - 1
    place = np.clip(place, 0, len(knots) - 2)
    before, after = xp[place], xp[place + 1]
    x = np.clip(x, knots[0], knots[-1])
    gap = after - before
    flat = value_of(gap) == 0
    share = np.where(flat, 0.0, (x - before) / np.where(flat, 1.0, gap))
    return fp[place] * (1 - share) + fp[place + 1] * share


def _periodic(x: Any, xp: Any, fp: Any, period: Any) -> tuple[Any, Any, Any]:
    """Everything in one period, with a knot of the neighbours at either end."""
    if value_of(period) == 0:
        raise ArgumentError("interp: period=0 was given; give another number, or None")
    period = np.abs(as_float(period))
    x, xp = x % period, xp % period
    order = np.argsort(value_of(xp))
    xp, fp = xp[order], fp[order]
    xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
    return x, xp, np.concatenate([fp[-1:], fp, fp[:1]])


@stands_for(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * np.pi) -> Any:
    """`numpy.unwrap`: it adds whole periods, and their number does not change."""
    p = as_array(p)
    if value_of(period) == 0:
        raise ArgumentError("unwrap: period=0 was given; give another number")
    plain, turn = value_of(p), value_of(period)
    unwrapped = np.unwrap(plain, value_of(discont), axis, period=turn)
    turns = np.round((unwrapped - plain) / turn)
    return (p + turns.astype(unwrapped.dtype) * period).astype(unwrapped.dtype)
