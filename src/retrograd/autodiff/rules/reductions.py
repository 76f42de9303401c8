"""Sums, means, products, extrema and what is built from them."""

from __future__ import annotations

import inspect
import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.axes import checked_axes, in_front, is_kept
from retrograd.autodiff.dtypes import cast, is_complex
from retrograd.autodiff.primitive import (
    REGISTRY,
    Primitive,
    arrays_of_lists,
    constant,
    line_sums,
    linear,
    match,
    rule,
    shape_of,
    stands_for,
)
from retrograd.autodiff.trace import Traced, innermost, value_of
from retrograd.autodiff.ufunc_methods import REDUCTIONS, delivered
from retrograd.errors import ArgumentError, InterceptionError, MissingRuleError

if TYPE_CHECKING:
    from collections.abc import Callable


class Reduction(Primitive):
    """A function of an array and an axis, with NumPy's further arguments.

    The rules know the usual ones. `by_hand` are functions for keywords that need more, a traced
    `initial` and a given `mean`: they are called with all keywords.
    """

    __slots__ = ("by_hand",)

    def __init__(self, function: Any, **by_hand: Callable[..., Any]) -> None:
        super().__init__(function)
        self.by_hand = by_hand

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The value; only what is asked for beyond an axis takes time to look at."""
        if len(args) > 2 or (kwargs and not self.takes(kwargs)):
            return self._with_options(args, kwargs)
        trace = innermost(args)
        if trace is not None:
            return trace.apply(self, args, kwargs)
        try:
            return self.function(*args, **kwargs)
        except InterceptionError:
            args, kwargs = arrays_of_lists(self.function, args, kwargs)
            return self(*args, **kwargs)

    def _with_options(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if len(args) > 2:
            names = [*inspect.signature(self.function).parameters]
            kwargs = {**dict(zip(names[2:], args[2:], strict=False)), **kwargs}
        kwargs = {name: value for name, value in kwargs.items() if value is not np._NoValue}
        self._refuse_integers(kwargs.get("dtype"))
        for name, function in self.by_hand.items():
            value = kwargs.get(name)
            given = name == "mean" and value is not None and innermost(args) is not None
            if given or isinstance(value, Traced):
                out = kwargs.pop("out", None)
                result = function(*args[:2], **kwargs)
                return delivered(result, out)
        if isinstance(kwargs.get("where"), Traced):
            kwargs["where"] = value_of(kwargs["where"])
        for name in ("initial", "ddof", "correction"):
            if isinstance(kwargs.get(name), Traced):
                raise self.uncovered(name)
        return super().__call__(*args[:2], **kwargs)

    def _refuse_integers(self, dtype: Any) -> None:
        if dtype is not None and np.dtype(dtype).kind not in "fc":
            raise MissingRuleError(
                f"{self.name}: dtype={np.dtype(dtype)} was given, and whole numbers have no "
                "derivative. Give a float dtype, or take retrograd.value_of(x)."
            )


def reduction(function: Any, **by_hand: Callable[..., Any]) -> Reduction:
    """Register a function of an array and an axis."""
    primitive = REGISTRY[function] = Reduction(function, **by_hand)
    return primitive


def _by_ufunc(ufunc: np.ufunc) -> Callable[..., Any]:
    """What NumPy's function does in the end, after a microsecond of looking at its arguments."""
    return lambda x, axis=None, **options: ufunc.reduce(x, axis, **options)


# Elements up to which filling an array costs less than describing a broadcast one.
_FEW = 1 << 12


def with_axes(g: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """A reduced array with the axes that were reduced, of length 1: it broadcasts against `x`."""
    if axis is None or keepdims:
        return g
    shape = shape_of(x)
    kept = list(shape)
    for a in _axes(axis, len(shape)):
        kept[a] = 1
    return g.reshape(kept) if type(g) is np.ndarray else np.reshape(g, tuple(kept))


def spread(g: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """A reduced array, repeated to the shape of `x`."""
    g = with_axes(g, x, axis, keepdims)
    shape = shape_of(x)
    if isinstance(g, (np.ndarray, np.inexact)) and math.prod(shape) <= _FEW:
        filled = np.empty(shape, g.dtype)
        filled[...] = g
        return filled
    return np.broadcast_to(g, shape)


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes that are reduced; NumPy has checked them."""
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, int):
        return (axis % ndim,) if ndim else ()
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    return tuple(operator.index(a) % ndim for a in axes)


def _count(x: Any, axis: Any, where: Any = True) -> Any:
    """How many elements each reduction takes, as something to divide by."""
    shape = shape_of(x)
    if where is True:
        return math.prod(shape[a] for a in _axes(axis, len(shape)))
    counts = np.sum(np.broadcast_to(where, shape), axis=axis, keepdims=True)
    return counts.astype(np.finfo(getattr(x, "dtype", np.float64)).dtype)


def _chosen(t: Any, where: Any) -> Any:
    """Zero where `where` leaves an element out."""
    return t if where is True else np.where(where, t, 0)


def _uncounted(counts: Any, keepdims: bool, axis: Any) -> Any:
    """Counts in the shape of the result."""
    return counts if keepdims or not np.ndim(counts) else np.squeeze(counts, axis)


def _sum_vjp(g: Any, ans: Any, x: Any, axis: Any = None, *, dtype: Any = None,
             keepdims: bool = False, initial: Any = 0, where: Any = True) -> Any:  # fmt: skip
    return match(_chosen(spread(g, x, axis, keepdims), where), x)


def _sum_jvp(
    d: Any, ans: Any, x: Any, axis: Any = None, *, initial: Any = 0, **options: Any
) -> Any:
    return np.sum(d, axis=axis, **options)


def _mean_vjp(g: Any, ans: Any, x: Any, axis: Any = None, *, dtype: Any = None,
              keepdims: bool = False, where: Any = True) -> Any:  # fmt: skip
    counts = _count(x, axis, where)
    if where is not True:
        counts = _uncounted(counts, keepdims, axis)
    return match(_chosen(spread(g / counts, x, axis, keepdims), where), x)


def _winners(ans: Any, x: Any, axis: Any, keepdims: bool, initial: Any, where: Any) -> Any:
    """Each element's share of an extremum: ties are split evenly, with `initial` too."""
    won = x == with_axes(ans, x, axis, keepdims)
    if where is not True:
        won = won & where
    share = won.astype(ans.dtype)
    if isinstance(axis, int) and share.ndim == 2 and ans.dtype.char in "fd":
        count = np.expand_dims(line_sums(share, axis % 2), axis)
    else:
        count = np.add.reduce(won, axis=axis, keepdims=True)
    if initial is not None:
        top = ans if keepdims else np.reshape(ans, shape_of(count))
        count = count + (top == initial)
    return share / np.maximum(count, 1).astype(ans.dtype, copy=False)


def extremum_vjp(g: Any, ans: Any, x: Any, axis: Any = None, *, keepdims: bool = False,
                 initial: Any = None, where: Any = True) -> Any:  # fmt: skip
    """The cotangent goes to the elements that are the extremum."""
    share = _winners(ans, x, axis, keepdims, initial, where)
    return match(with_axes(g, x, axis, keepdims) * share, x)


def extremum_jvp(d: Any, ans: Any, x: Any, axis: Any = None, *, keepdims: bool = False,
                 initial: Any = None, where: Any = True) -> Any:  # fmt: skip
    """The tangent of the elements that are the extremum."""
    share = _winners(ans, x, axis, keepdims, initial, where)
    return np.sum(d * share, axis=axis, keepdims=keepdims)


def _others(x: Any, axis: Any) -> Any:
    """The product of all other elements, also where some are zero."""
    shape = shape_of(x)
    axes = _axes(axis, len(shape))
    others = _others_in_front(in_front(x, axes))
    apart = (*(shape[a] for a in axes), *shape_of(others)[1:])
    return np.moveaxis(np.reshape(others, apart), tuple(range(len(axes))), axes)


def _others_in_front(x: Any) -> Any:
    """The products of all other rows: of the other pairs, times the partner in the pair."""
    shape = shape_of(x)
    if shape[0] < 2:
        return np.ones(shape, x.dtype)
    if shape[0] % 2:
        x = np.concatenate([x, np.ones((1, *shape[1:]), x.dtype)])
    even, odd = x[0::2], x[1::2]
    outside = _others_in_front(even * odd)
    paired = np.stack([outside * odd, outside * even], axis=1)
    return np.reshape(paired, (2 * len(outside), *shape[1:]))[: shape[0]]


def _prod_factor(x: Any, axis: Any, dtype: Any, initial: Any, where: Any) -> Any:
    """The derivative of a product with respect to each element."""
    x = cast(x, dtype)
    others = _others(x if where is True else np.where(where, x, 1), axis)
    return _chosen(others if initial is None else others * initial, where)


def _prod_vjp(g: Any, ans: Any, x: Any, axis: Any = None, *, dtype: Any = None,
              keepdims: bool = False, initial: Any = None, where: Any = True) -> Any:  # fmt: skip
    factor = _prod_factor(x, axis, dtype, initial, where)
    return match(spread(g, x, axis, keepdims) * factor, x)


def _prod_jvp(d: Any, ans: Any, x: Any, axis: Any = None, *, dtype: Any = None,
              keepdims: bool = False, initial: Any = None, where: Any = True) -> Any:  # fmt: skip
    factor = _prod_factor(x, axis, dtype, initial, where)
    return np.sum(cast(d, dtype) * factor, axis=axis, keepdims=keepdims)


def _var_factor(x: Any, axis: Any, ddof: Any, correction: Any, dtype: Any, where: Any) -> Any:
    x = _in_real_dtype(x, dtype)
    centred = x - np.mean(x, axis=axis, keepdims=True, where=where)
    degrees = _degrees_of_freedom(x, axis, ddof if correction is None else correction, where)
    return _chosen(2 * np.conj(centred) / degrees, where)


def _in_real_dtype(x: Any, dtype: Any) -> Any:
    """What a variance is calculated with; complex numbers only in their own dtype."""
    if dtype is None:
        return x
    if is_complex(x) or np.dtype(dtype).kind == "c":
        raise MissingRuleError(
            f"var, std: no derivative rule covers dtype={np.dtype(dtype)} with complex numbers. "
            "Convert the array first: np.var(x.astype(dtype))."
        )
    return cast(x, dtype)


def _degrees_of_freedom(x: Any, axis: Any, ddof: Any, where: Any) -> Any:
    counts = _count(x, axis, where)
    if isinstance(ddof, np.generic):  # a Python number leaves float32 what it is
        ddof = ddof.item()
    return max(counts - ddof, 0) if where is True else np.maximum(counts - ddof, 0)


def _var_vjp(g: Any, ans: Any, x: Any, axis: Any = None, *, dtype: Any = None, ddof: Any = 0,
             keepdims: bool = False, where: Any = True, mean: Any = None, correction: Any = None
             ) -> Any:  # fmt: skip
    factor = _var_factor(x, axis, ddof, correction, dtype, where)
    return match(spread(g, x, axis, keepdims) * factor, x)


def _var_jvp(d: Any, ans: Any, x: Any, axis: Any = None, *, dtype: Any = None, ddof: Any = 0,
             keepdims: bool = False, where: Any = True, mean: Any = None, correction: Any = None
             ) -> Any:  # fmt: skip
    pushed = d * _var_factor(x, axis, ddof, correction, dtype, where)
    return np.sum(np.real(pushed) if is_complex(x) else pushed, axis=axis, keepdims=keepdims)


def _half_inverse(ans: Any) -> Any:
    """1/(2 std), and 0 for a constant, whose deviations are zero as well."""
    return np.where(ans == 0, 0, 0.5 / np.where(ans == 0, 1, ans))


def _std_vjp(g: Any, ans: Any, x: Any, axis: Any = None, *, dtype: Any = None, ddof: Any = 0,
             keepdims: bool = False, where: Any = True, mean: Any = None, correction: Any = None
             ) -> Any:  # fmt: skip
    return _var_vjp(g * _half_inverse(ans), ans, x, axis, dtype=dtype, ddof=ddof,
                    keepdims=keepdims, where=where, correction=correction)  # fmt: skip


def _std_jvp(d: Any, ans: Any, x: Any, axis: Any = None, *, dtype: Any = None, ddof: Any = 0,
             keepdims: bool = False, where: Any = True, mean: Any = None, correction: Any = None
             ) -> Any:  # fmt: skip
    return _half_inverse(ans) * _var_jvp(d, ans, x, axis, dtype=dtype, ddof=ddof,
                                         keepdims=keepdims, where=where,
                                         correction=correction)  # fmt: skip


def _sum_from(x: Any, axis: Any = None, *, initial: Any, **options: Any) -> Any:
    total = np.sum(x, axis=axis, **options)
    return total + initial.astype(total.dtype)


def _prod_from(x: Any, axis: Any = None, *, initial: Any, **options: Any) -> Any:
    product = np.prod(x, axis=axis, **options)
    return product * initial.astype(product.dtype)


def extremum_from(extremum: Any, worst: float) -> Callable[..., Any]:
    """An extremum with a traced `initial`: one more element of every reduction."""

    def function(
        x: Any, axis: Any = None, *, initial: Any, keepdims: bool = False, where: Any = True
    ) -> Any:
        x = x if where is True else np.where(where, x, worst)
        shape = shape_of(x)
        axes = checked_axes(axis, len(shape))
        rest = tuple(n for i, n in enumerate(shape) if i not in axes)
        first = np.broadcast_to(initial.astype(x.dtype), (1, *rest))
        found = extremum(np.concatenate([in_front(x, axes), first]), axis=0)
        return np.expand_dims(found, tuple(sorted(axes))) if keepdims else found

    return function


def _var_about(
    x: Any, axis: Any = None, *, mean: Any, dtype: Any = None, ddof: Any = 0,
    correction: Any = None, keepdims: bool = False, where: Any = True,
) -> Any:  # fmt: skip
    """The mean square deviation from a given mean."""
    if is_complex(mean) and not is_complex(x):
        raise MissingRuleError(
            "var, std: no derivative rule covers a complex mean= of real numbers. Give a real one."
        )
    centred = _in_real_dtype(x, dtype) - mean
    square = np.real(centred * np.conj(centred)) if is_complex(centred) else centred * centred
    total = np.sum(square, axis=axis, keepdims=keepdims, where=where)
    ddof = ddof if correction is None else correction
    degrees = _degrees_of_freedom(x, axis, ddof, where)
    return total / _uncounted(degrees, keepdims, axis)


def _std_about(x: Any, axis: Any = None, **options: Any) -> Any:
    square = _var_about(x, axis, **options)
    nil = square == 0
    return np.where(nil, 0, np.sqrt(np.where(nil, 1, square)))[()]


@stands_for(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = np._NoValue) -> Any:
    """`numpy.ptp`: the maximum less the minimum."""
    kept = is_kept(keepdims)
    result = np.max(a, axis=axis, keepdims=kept) - np.min(a, axis=axis, keepdims=kept)
    return delivered(result, out)


@stands_for(np.average)
def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *,
    keepdims: Any = np._NoValue,
) -> Any:  # fmt: skip
    """`numpy.average`; the weights may be traced."""
    kept = is_kept(keepdims)
    if weights is None:
        mean = np.mean(a, axis=axis, keepdims=kept)
        total = np.full(shape_of(mean), _count(a, axis), mean.dtype)
    else:
        weights = _weights_for(weights, a, axis)
        total = np.sum(weights, axis=axis, keepdims=kept)
        if np.any(total == 0):
            raise ZeroDivisionError(
                "average: the weights sum to zero; give others, whose sum can be divided by"
            )
        mean = np.sum(a * weights, axis=axis, keepdims=kept) / total
        total = cast(np.broadcast_to(total, shape_of(mean)), mean.dtype)
    return (mean, total) if returned else mean


def _weights_for(weights: Any, a: Any, axis: Any) -> Any:
    """Weights of single axes, in the place of those axes, and repeated along the others."""
    shape = shape_of(a)
    if shape_of(weights) == shape:
        return weights if isinstance(weights, Traced) else np.asarray(weights)
    if axis is None:
        raise TypeError(
            f"average: weights of shape {np.shape(weights)} were given for an array of shape "
            f"{shape}; give axis=, which says where they belong"
        )
    axes = _axes(axis, len(shape))
    if np.shape(weights) != tuple(shape[i] for i in axes):
        raise ArgumentError(
            f"average: weights of shape {np.shape(weights)} were given for axis={axis} of an array "
            f"of shape {shape}; give one weight for each place along those axes"
        )
    ordered = np.transpose(weights, np.argsort(axes))
    placed = np.reshape(ordered, [n if i in axes else 1 for i, n in enumerate(shape)])
    return np.broadcast_to(placed, shape)


reduction(np.sum, initial=_sum_from)
reduction(np.prod, initial=_prod_from)
reduction(np.max, initial=extremum_from(np.max, -math.inf))
reduction(np.min, initial=extremum_from(np.min, math.inf))
reduction(np.mean)
reduction(np.var, mean=_var_about)
reduction(np.std, mean=_std_about)

# Sums and means read nothing of their argument but its shape.
rule(np.sum, [_sum_vjp], [_sum_jvp], reads=[frozenset()])
linear(np.mean, _mean_vjp)
rule(np.max, [extremum_vjp], [extremum_jvp])
rule(np.min, [extremum_vjp], [extremum_jvp])
rule(np.prod, [_prod_vjp], [_prod_jvp])
rule(np.var, [_var_vjp], [_var_jvp])
rule(np.std, [_std_vjp], [_std_jvp])
for _function, _ufunc in {np.sum: np.add, np.max: np.maximum, np.min: np.minimum}.items():
    REGISTRY[_function].evaluate = _by_ufunc(_ufunc)  # type: ignore[attr-defined]
REGISTRY[np.amax], REGISTRY[np.amin] = REGISTRY[np.max], REGISTRY[np.min]
constant(
    np.argmax, np.argmin, np.any, np.all, np.count_nonzero, np.nonzero, np.flatnonzero, np.argwhere,
)  # fmt: skip

for _ufunc, _function in {
    np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min
}.items():  # fmt: skip
    REDUCTIONS[_ufunc] = REGISTRY[_function]
