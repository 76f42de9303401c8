"""Running sums and products.

A running product is a linear recurrence, and so is its derivative in both modes: by solving it,
rather than dividing by elements, the derivative is right where elements are zero.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np

from retrograd.autodiff.dtypes import cast
from retrograd.autodiff.primitive import (
    Primitive,
    linear,
    match,
    primitive_for,
    rule,
    shape_of,
    stands_for,
)
from retrograd.autodiff.rules.reductions import reduction
from retrograd.autodiff.ufunc_methods import delivered
from retrograd.errors import ArgumentError


def _recurrence(factors: Any, terms: Any) -> Any:
    """The rows y[i] = factors[i] y[i-1] + terms[i], with y[-1] = 0."""
    if not len(terms):
        return np.copy(terms)
    dtype = np.result_type(factors, terms)
    # Python's own numbers are several times as fast as NumPy's.
    pairs = zip(*[x.tolist() if np.ndim(x) == 1 else x for x in (factors, terms)], strict=True)
    _, first = next(pairs)
    rows = accumulate(pairs, lambda row, pair: pair[0] * row + pair[1], initial=first)
    return np.array(list(rows), dtype)


def _before(y: Any, first: float = 0) -> Any:
    """The row before each row."""
    return np.concatenate([np.full((1, *shape_of(y)[1:]), first, y.dtype), y[:-1]])[: len(y)]


def _reversed(factors: Any, g: Any) -> Any:
    """The transpose of the recurrence: it runs backwards, with the factor of the row after."""
    return np.flip(recurrence(_before(np.flip(factors, 0)), np.flip(g, 0)), 0)


recurrence: Primitive = primitive_for(_recurrence)
rule(
    _recurrence,
    vjps=[
        lambda g, ans, factors, terms: match(_reversed(factors, g) * _before(ans), factors),
        lambda g, ans, factors, terms: match(_reversed(factors, g), terms),
    ],
    jvps=[
        lambda d, ans, factors, terms: recurrence(factors, d * _before(ans)),
        lambda d, ans, factors, terms: recurrence(factors, d),
    ],
)


def _in_front(x: Any, axis: int | None) -> Any:
    """The axis in front; None lays an array out flat."""
    return np.reshape(x, (-1,)) if axis is None else np.moveaxis(x, axis, 0)


def _back(rows: Any, x: Any, axis: int | None) -> Any:
    return np.reshape(rows, shape_of(x)) if axis is None else np.moveaxis(rows, 0, axis)


def _cumsum_vjp(g: Any, ans: Any, x: Any, axis: Any = None, *, dtype: Any = None) -> Any:
    if axis is None:
        return match(np.reshape(np.cumsum(g[::-1])[::-1], shape_of(x)), x)
    return match(np.flip(np.cumsum(np.flip(g, axis), axis), axis), x)


def _cumprod_vjp(g: Any, ans: Any, x: Any, axis: Any = None, *, dtype: Any = None) -> Any:
    factors = cast(x, dtype)
    rows = _reversed(_in_front(factors, axis), _in_front(g, axis))
    return match(_back(rows * _before(_in_front(ans, axis), 1), x, axis), x)


def _cumprod_jvp(d: Any, ans: Any, x: Any, axis: Any = None, *, dtype: Any = None) -> Any:
    factors = cast(x, dtype)
    terms = _in_front(cast(d, dtype), axis) * _before(_in_front(ans, axis), 1)
    return _back(recurrence(_in_front(factors, axis), terms), ans, axis)


for _function in (np.cumsum, np.cumprod):
    reduction(_function)
linear(np.cumsum, _cumsum_vjp)
rule(np.cumprod, [_cumprod_vjp], [_cumprod_jvp])


def _cumulative(
    function: Any, start: float, x: Any, axis: int | None, dtype: Any, out: Any, initial: bool
) -> Any:
    """A running sum or product, from `start` if that is wanted too."""
    if not shape_of(x):
        x = np.reshape(x, (1,))
    ndim = len(shape_of(x))
    if axis is None and ndim > 1:
        raise ArgumentError(
            f"cumulative_sum, cumulative_prod: an array of {ndim} dimensions was given without "
            "axis=; say along which axis, or ravel the array first"
        )
    axis = 0 if axis is None else axis
    result = function(x, axis=axis, dtype=dtype)
    if initial:
        shape = list(shape_of(result))
        shape[axis] = 1
        result = np.concatenate([np.full(shape, start, result.dtype), result], axis=axis)
    return delivered(result, out)


if hasattr(np, "cumulative_sum"):  # since NumPy 2.1

    @stands_for(np.cumulative_sum)
    def cumulative_sum(
        x: Any, /, *, axis: int | None = None, dtype: Any = None, out: Any = None,
        include_initial: bool = False,
    ) -> Any:  # fmt: skip
        """`numpy.cumulative_sum`."""
        return _cumulative(np.cumsum, 0, x, axis, dtype, out, include_initial)

    @stands_for(np.cumulative_prod)
    def cumulative_prod(
        x: Any, /, *, axis: int | None = None, dtype: Any = None, out: Any = None,
        include_initial: bool = False,
    ) -> Any:  # fmt: skip
        """`numpy.cumulative_prod`."""
        return _cumulative(np.cumprod, 1, x, axis, dtype, out, include_initial)
