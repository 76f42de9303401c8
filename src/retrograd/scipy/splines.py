"""Splines on a grid: their coefficients, their values between the grid's points."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import scipy.ndimage

from retrograd.autodiff.primitive import Primitive, linear, match
from retrograd.autodiff.trace import value_of
from retrograd.scipy.extensions import extended, folded


def _prefiltered(x: Any, order: int, axis: int, mode: str) -> Any:
    double: Any = complex if x.dtype.kind == "c" else float
    return scipy.ndimage.spline_filter1d(x, order, axis, double, mode)


# Axes up to this length are filtered by a matrix on the way back: SciPy's filter leaves errors at
# the ends, and only the matrix has the same ones. They shrink as 0.43^(2n).
_SHORT = 64


def _transposed(g: Any, ans: Any, x: Any, order: int, axis: int, mode: str) -> Any:
    """The filter is symmetric, but for halves at the ends where the grid is mirrored at them."""
    size = np.shape(x)[axis]
    if size <= _SHORT:
        matrix = scipy.ndimage.spline_filter1d(np.eye(size), order, 0, mode=mode)
        return match(np.moveaxis(np.tensordot(matrix, g, ((0,), (axis,))), 0, axis), x)
    if mode in ("reflect", "grid-mirror", "grid-wrap"):
        return match(prefiltered(g, order, axis, mode), x)
    halves = np.ones(size)
    halves[[0, -1]] = 0.5
    weights = halves.reshape([-1 if i == axis else 1 for i in range(np.ndim(x))])
    return match(prefiltered(g / weights, order, axis, mode) * weights, x)


# The coefficients of the spline through the elements along one axis, in double precision.
prefiltered = linear(Primitive(_prefiltered), _transposed)


def coefficients(x: Any, order: int, mode: str, cval: Any) -> tuple[Any, int]:
    """The coefficients of the spline through an array, and how far it was extended for them."""
    margin = 0
    if mode in ("nearest", "grid-constant"):
        margin = 12  # SciPy's: there the filter has forgotten the end
        for axis in range(np.ndim(x)):
            plain = "nearest" if mode == "nearest" else "constant"
            x = extended(x, axis, margin, margin, plain, cval)
    for axis in range(np.ndim(x)):
        if np.shape(x)[axis] > 1:
            x = prefiltered(x, order, axis, mode)
    return x, margin


def bases(u: Any, order: int) -> list[Any]:
    """The B-splines of an order at u, u - 1, ..., u - order, for u in (0, 1).

    u is the distance from the first of the `order + 1` knots' intervals; by Cox and de Boor.
    """
    values = [np.ones_like(u)]
    for p in range(1, order + 1):
        lower = values
        values = []
        for j in range(p + 1):
            left = (u + p - j) / p * lower[j - 1] if j > 0 else 0.0
            right = (j + 1 - u) / p * lower[j] if j < p else 0.0
            values.append(left + right)
    return values


def first_knot(x: Any, order: int) -> Any:
    """The first grid point whose spline is not zero at `x`, for plain `x`."""
    if order % 2:
        return np.floor(x).astype(np.intp) - order // 2
    return np.floor(x + 0.5).astype(np.intp) - order // 2


def interpolated(c: Any, places: list[Any], order: int, mode: str) -> Any:
    """The spline with coefficients `c` at traced places, one array of them an axis."""
    starts = [first_knot(value_of(x), order) for x in places]
    weights = [_weights(x, start, order) for x, start in zip(places, starts, strict=True)]
    total: Any = 0.0
    for offsets in itertools.product(range(order + 1), repeat=len(places)):
        index = tuple(
            folded(start + offset, size, mode)
            for start, offset, size in zip(starts, offsets, np.shape(c), strict=True)
        )
        term = c[index]
        for axis, offset in enumerate(offsets):
            term = term * weights[axis][offset]
        total = total + term
    return total


def _weights(x: Any, start: Any, order: int) -> list[Any]:
    if order == 0:
        return [1.0]
    shift = 0.0 if order % 2 else 0.5
    u = x - (start + order // 2) + shift
    return bases(u, order)
