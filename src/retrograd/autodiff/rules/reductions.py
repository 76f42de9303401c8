"""Sums, means, products, extrema and what is built from them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from retrograd.autodiff.box import REDUCTIONS
from retrograd.autodiff.primitive import constant, linear, match, primitive_for, rule, shape_of


def _spread(g: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """A reduced array, repeated to the shape of `x`."""
    if axis is not None and not keepdims:
        g = np.expand_dims(g, _axes(axis, len(shape_of(x))))
    return np.broadcast_to(g, shape_of(x))


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    return (axis % ndim,) if isinstance(axis, int) else tuple(a % ndim for a in axis)


def _count(x: Any, axis: Any) -> int:
    shape = shape_of(x)
    axes = range(len(shape)) if axis is None else _axes(axis, len(shape))
    return math.prod(shape[a] for a in axes)


def _sum_vjp(g: Any, ans: Any, x: Any, axis: Any = None, dtype: Any = None, *,
             keepdims: bool = False) -> Any:  # fmt: skip
    return match(_spread(g, x, axis, keepdims), x)


def _mean_vjp(g: Any, ans: Any, x: Any, axis: Any = None, dtype: Any = None, *,
              keepdims: bool = False) -> Any:  # fmt: skip
    return match(_spread(g / _count(x, axis), x, axis, keepdims), x)


def _winners(ans: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """Each element's share of an extremum: ties are split evenly."""
    won = x == _spread(ans, x, axis, keepdims)
    return won / np.sum(won, axis=axis, keepdims=True)


def _extremum_vjp(g: Any, ans: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _spread(g, x, axis, keepdims) * _winners(ans, x, axis, keepdims)


def _extremum_jvp(d: Any, ans: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return np.sum(d * _winners(ans, x, axis, keepdims), axis=axis, keepdims=keepdims)


def _others(x: Any, axis: Any) -> Any:
    """The product of all other elements, also where one is zero."""
    if axis is None:
        return np.reshape(_others(np.ravel(x), 0), np.shape(x))
    front = np.moveaxis(x, axis, 0)
    n = np.shape(front)[0]
    ones = np.ones(np.shape(front)[1:])
    left, right = [ones], [ones]
    for i in range(n - 1):
        left.append(left[-1] * front[i])
        right.append(right[-1] * front[n - 1 - i])
    return np.moveaxis(np.stack([a * b for a, b in zip(left, right[::-1], strict=True)]), 0, axis)


def _prod_vjp(g: Any, ans: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _spread(g, x, axis, keepdims) * _others(x, axis)


def _prod_jvp(d: Any, ans: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return np.sum(d * _others(x, axis), axis=axis, keepdims=keepdims)


def _centred(x: Any, axis: Any) -> Any:
    return x - np.mean(x, axis=axis, keepdims=True)


def _var_factor(x: Any, axis: Any, ddof: int) -> Any:
    return 2 * _centred(x, axis) / (_count(x, axis) - ddof)


def _var_vjp(g: Any, ans: Any, x: Any, axis: Any = None, *, ddof: int = 0,
             keepdims: bool = False) -> Any:  # fmt: skip
    return _spread(g, x, axis, keepdims) * _var_factor(x, axis, ddof)


def _var_jvp(d: Any, ans: Any, x: Any, axis: Any = None, *, ddof: int = 0,
             keepdims: bool = False) -> Any:  # fmt: skip
    return np.sum(d * _var_factor(x, axis, ddof), axis=axis, keepdims=keepdims)


def _half_inverse(ans: Any) -> Any:
    """1/(2 std), and 0 for a constant, whose deviations are zero as well."""
    return np.where(ans == 0, 0.0, 0.5 / np.where(ans == 0, 1.0, ans))


def _std_vjp(g: Any, ans: Any, x: Any, axis: Any = None, **kwargs: Any) -> Any:
    return _var_vjp(g * _half_inverse(ans), ans, x, axis, **kwargs)


def _std_jvp(d: Any, ans: Any, x: Any, axis: Any = None, **kwargs: Any) -> Any:
    return _half_inverse(ans) * _var_jvp(d, ans, x, axis, **kwargs)


def _cumsum_vjp(g: Any, ans: Any, x: Any, axis: Any = None) -> Any:
    if axis is None:
        return np.reshape(np.cumsum(g[::-1])[::-1], np.shape(x))
    return np.flip(np.cumsum(np.flip(g, axis), axis), axis)


linear(np.sum, _sum_vjp)
linear(np.mean, _mean_vjp)
linear(np.cumsum, _cumsum_vjp)
rule(np.max, [_extremum_vjp], [_extremum_jvp])
rule(np.min, [_extremum_vjp], [_extremum_jvp])
rule(np.prod, [_prod_vjp], [_prod_jvp])
rule(np.var, [_var_vjp], [_var_jvp])
rule(np.std, [_std_vjp], [_std_jvp])
constant(np.argmax, np.argmin, np.argsort, np.any, np.all, np.count_nonzero, np.nonzero)

for _ufunc, _function in {
    np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min
}.items():  # fmt: skip
    REDUCTIONS[_ufunc] = primitive_for(_function)
