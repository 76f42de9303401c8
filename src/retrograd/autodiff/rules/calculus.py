"""Differences, slopes, integrals of samples, interpolation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from retrograd.autodiff.primitive import REGISTRY, stands_for
from retrograd.autodiff.rules.elementwise import is_complex
from retrograd.autodiff.trace import Traced, value_of
from retrograd.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence


def as_array(x: Any) -> Any:
    """An array, traced where `x` is or holds something traced."""
    return x if isinstance(x, Traced) and np.shape(value_of(x)) else REGISTRY[np.asarray](x)


def as_float(x: Any, dtype: Any = np.float64) -> Any:
    """An array or number of at least this precision, as NumPy makes of its arguments."""
    x = as_array(x)
    wanted = np.result_type(x.dtype, dtype)
    return x if x.dtype == wanted else x.astype(wanted)


def along(ndim: int, axis: int, part: Any) -> tuple[Any, ...]:
    """The index that takes a part of one axis."""
    index: list[Any] = [slice(None)] * ndim
    index[axis] = part
    return tuple(index)


def on_axis(x: Any, ndim: int, axis: int) -> Any:
    """A vector laid along one axis of `ndim`."""
    shape = [1] * ndim
    shape[axis] = -1
    return np.reshape(x, shape)


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
        raise ValueError(f"diff: order n must be non-negative, got {n}")
    if n == 0:
        return a
    a = as_array(a)
    axis = normalize_axis_index(axis, np.ndim(a))
    ends = [_end(prepend, a, axis), a, _end(append, a, axis)]
    present = [end for end in ends if end is not None]
    if len(present) > 1:
        a = np.concatenate(present, axis)
    later, earlier = (along(np.ndim(a), axis, s) for s in (slice(1, None), slice(None, -1)))
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
    f = as_array(f)
    f = f if f.dtype.kind in "fc" else f.astype(float)
    axes = range(np.ndim(f)) if axis is None else normalize_axis_tuple(axis, np.ndim(f))
    if edge_order not in (1, 2):
        raise ValueError(f"gradient: edge_order must be 1 or 2, got {edge_order}")
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
        raise TypeError(f"gradient: {len(varargs)} spacings were given for {count} axes")
    return varargs


def _slopes(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    """The slopes along one axis: parabolas inside, lines or parabolas at the two ends."""
    size = np.shape(f)[axis]
    if size < edge_order + 1:
        raise ValueError(
            f"gradient: axis {axis} has {size} elements, edge_order={edge_order} needs at least "
            f"{edge_order + 1}"
        )
    h = _steps(spacing, size, axis, f.dtype)
    inner = _weighted(f, axis, _parabola_slopes(h[:-1], h[1:]))
    if edge_order == 1:
        lines = (f[_from(f, axis, 1, size)] - f[_from(f, axis, 0, size - 1)]) / on_axis(
            h, np.ndim(f), axis
        )
        first, last = lines[_from(f, axis, 0, 1)], lines[_from(f, axis, size - 2, size - 1)]
    else:
        first = _weighted(f[_from(f, axis, 0, 3)], axis, _first_slopes(h[:1], h[1:2]))
        mirrored = [-w for w in _first_slopes(h[-1:], h[-2:-1])[::-1]]
        last = _weighted(f[_from(f, axis, size - 3, size)], axis, mirrored)
    slopes = np.concatenate([first, inner, last], axis)
    return slopes if slopes.dtype == f.dtype else slopes.astype(f.dtype)  # as NumPy has it


def _steps(spacing: Any, size: int, axis: int, dtype: Any) -> Any:
    """The distances of neighbours; a number stays of the array's precision, as in NumPy."""
    if np.ndim(spacing) == 0:
        weak = not hasattr(spacing, "dtype")
        step = as_array(spacing).astype(np.result_type(dtype, 1.0)) if weak else spacing
        return np.broadcast_to(step, (size - 1,))
    x = as_array(spacing)
    if np.ndim(x) != 1 or np.shape(x)[0] != size:
        raise ValueError(
            f"gradient: the coordinates along axis {axis} have shape {np.shape(x)}; give ({size},)"
        )
    x = x if x.dtype.kind in "fc" else x.astype(float)
    return x[1:] - x[:-1]


def _from(f: Any, axis: int, start: int, stop: int) -> tuple[Any, ...]:
    return along(np.ndim(f), axis, slice(start, stop))


def _weighted(f: Any, axis: int, weights: Sequence[Any]) -> Any:
    """The sum of neighbours along an axis, each times its weight."""
    count = np.shape(f)[axis] - len(weights) + 1
    parts = [
        f[_from(f, axis, i, i + count)] * on_axis(w, np.ndim(f), axis)
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
    later, earlier = (along(np.ndim(y), axis, s) for s in (slice(1, None), slice(None, -1)))
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
        raise ValueError(
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
        raise ValueError("interp: period=0 was given; give another number, or None")
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
