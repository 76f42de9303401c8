"""Sums, means, products, extrema and what is built from them."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from retrograd.autodiff.box import REDUCTIONS
from retrograd.autodiff.primitive import constant, linear, match, primitive_for, rule, shape_of
from retrograd.autodiff.rules.elementwise import is_complex


def _spread(g: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """A reduced array, repeated to the shape of `x`."""
    if axis is not None and not keepdims:
        g = np.expand_dims(g, _axes(axis, len(shape_of(x))))
    return np.broadcast_to(g, shape_of(x))


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    if isinstance(axis, int):
        return (axis % ndim,)
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    return tuple(operator.index(a) % ndim for a in axes)


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
    return (won / np.sum(won, axis=axis, keepdims=True)).astype(ans.dtype, copy=False)


def _extremum_vjp(g: Any, ans: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _spread(g, x, axis, keepdims) * _winners(ans, x, axis, keepdims)


def _extremum_jvp(d: Any, ans: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return np.sum(d * _winners(ans, x, axis, keepdims), axis=axis, keepdims=keepdims)


def _others(x: Any, axis: Any) -> Any:
    """The product of all other elements, also where some are zero."""
    shape = shape_of(x)
    axes = tuple(range(len(shape))) if axis is None else _axes(axis, len(shape))
    first = tuple(range(len(axes)))
    front = np.moveaxis(x, axes, first)
    lead, rest = shape_of(front)[: len(axes)], shape_of(front)[len(axes) :]
    others = _others_in_front(np.reshape(front, (math.prod(lead), *rest)))
    return np.moveaxis(np.reshape(others, lead + rest), first, axes)


def _others_in_front(x: Any) -> Any:
    """The products of all other rows: of the other pairs, times the partner in the pair."""
    n = shape_of(x)[0]
    if n < 2:
        return np.ones_like(x)
    if n % 2:
        x = np.concatenate([x, np.ones_like(x[:1])])
    even, odd = x[0::2], x[1::2]
    outside = _others_in_front(even * odd)
    paired = np.stack([outside * odd, outside * even], axis=1)
    return np.reshape(paired, (-1, *shape_of(x)[1:]))[:n]


def _prod_vjp(g: Any, ans: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _spread(g, x, axis, keepdims) * _others(x, axis)


def _prod_jvp(d: Any, ans: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return np.sum(d * _others(x, axis), axis=axis, keepdims=keepdims)


def _centred(x: Any, axis: Any) -> Any:
    return x - np.mean(x, axis=axis, keepdims=True)


def _var_factor(x: Any, axis: Any, ddof: int) -> Any:
    return 2 * np.conj(_centred(x, axis)) / (_count(x, axis) - ddof)


def _var_vjp(g: Any, ans: Any, x: Any, axis: Any = None, *, ddof: int = 0,
             keepdims: bool = False) -> Any:  # fmt: skip
    return _spread(g, x, axis, keepdims) * _var_factor(x, axis, ddof)


def _var_jvp(d: Any, ans: Any, x: Any, axis: Any = None, *, ddof: int = 0,
             keepdims: bool = False) -> Any:  # fmt: skip
    pushed = d * _var_factor(x, axis, ddof)
    return np.sum(np.real(pushed) if is_complex(x) else pushed, axis=axis, keepdims=keepdims)


def _half_inverse(ans: Any) -> Any:
    """1/(2 std), and 0 for a constant, whose deviations are zero as well."""
    return np.where(ans == 0, 0, 0.5 / np.where(ans == 0, 1, ans))


def _std_vjp(
    g: Any, ans: Any, x: Any, axis: Any = None, *, ddof: int = 0, keepdims: bool = False
) -> Any:
    return _var_vjp(g * _half_inverse(ans), ans, x, axis, ddof=ddof, keepdims=keepdims)


def _std_jvp(
    d: Any, ans: Any, x: Any, axis: Any = None, *, ddof: int = 0, keepdims: bool = False
) -> Any:
    return _half_inverse(ans) * _var_jvp(d, ans, x, axis, ddof=ddof, keepdims=keepdims)


def _cumsum_vjp(g: Any, ans: Any, x: Any, axis: Any = None) -> Any:
    if axis is None:
        return match(np.reshape(np.cumsum(g[::-1])[::-1], np.shape(x)), x)
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
