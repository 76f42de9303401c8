"""The methods of ufuncs on traced arrays: `reduce`, `accumulate`, `outer`, `reduceat` and `at`.

`np.add.reduce` is `np.sum`, and so on; where no function of NumPy is what a method does, the ufunc
itself is applied to the parts, so that every ufunc with a rule has its methods too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.axes import checked_axes, in_front
from retrograd.autodiff.constants import is_live, unboxed
from retrograd.autodiff.dtypes import cast
from retrograd.autodiff.outputs import written
from retrograd.autodiff.trace import Traced, value_of
from retrograd.errors import ArgumentError, InterceptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]

# ufunc.reduce and ufunc.accumulate as functions `(x, axis=..., ...)`, and ufunc.at as a function
# `(x, indices, y)` that returns the new array; filled by the rules.
REDUCTIONS: dict[np.ufunc, Function] = {}
ACCUMULATIONS: dict[np.ufunc, Function] = {}
ADDITIONS: dict[np.ufunc, Function] = {}

# The order does not matter: these are reduced by halves, in few operations on large arrays.
_ASSOCIATIVE = (np.logaddexp, np.logaddexp2, np.hypot, np.fmax, np.fmin, np.maximum, np.minimum)
_NO_VALUE: Any = np._NoValue  # NumPy's own mark of an absent `initial`


def _reduce(
    ufunc: np.ufunc,
    x: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = _NO_VALUE,
    where: Any = True,
) -> Any:
    if ufunc in REDUCTIONS:
        kwargs = _stated(dtype=dtype, out=_single(out))
        kwargs |= {} if initial is _NO_VALUE else {"initial": initial}
        kwargs |= {} if where is True else {"where": where}
        kwargs |= {"keepdims": True} if keepdims else {}
        return REDUCTIONS[ufunc](x, axis=axis, **kwargs)
    x = cast(x, dtype)
    if where is not True:
        x = np.where(value_of(where), x, _neutral(ufunc, initial))
    reduced = _reduced(ufunc, x, axis, initial)
    if keepdims:
        axes = checked_axes(axis, np.ndim(x))
        kept = [1 if i in axes else n for i, n in enumerate(np.shape(x))]
        reduced = np.reshape(reduced, kept)
    return delivered(reduced, out)


def _reduced(ufunc: np.ufunc, x: Any, axis: Any, initial: Any) -> Any:
    """The reduction by the ufunc itself."""
    axes = checked_axes(axis, np.ndim(x))
    rows = in_front(x, axes)
    from_start = initial is not _NO_VALUE and initial is not None
    if len(rows) == 0:
        start = initial if from_start else _identity(ufunc)
        return np.full(np.shape(rows)[1:], start, value_of(rows).dtype)[()]
    if ufunc in _ASSOCIATIVE:
        reduced = _by_halves(ufunc, rows)
        return ufunc(initial, reduced) if from_start else reduced
    if ufunc.identity is None and len(axes) > 1:
        raise ArgumentError(
            f"{ufunc.__name__}.reduce: the order matters, so that only one axis can be reduced; "
            f"axis={axis} was given; reduce one axis after the other"
        )
    return _in_order(ufunc, [initial, *rows] if from_start else rows)


def _by_halves(ufunc: np.ufunc, rows: Any) -> Any:
    while len(rows) > 1:
        half = len(rows) // 2
        merged = ufunc(rows[:half], rows[half : 2 * half])
        rows = np.concatenate([merged, rows[2 * half :]]) if len(rows) % 2 else merged
    return rows[0]


def _in_order(ufunc: np.ufunc, rows: Any) -> Any:
    first, *others = rows
    for row in others:
        first = ufunc(first, row)
    return first


# What changes nothing as the right operand.
_RIGHT_NEUTRAL = {np.subtract: 0.0, np.divide: 1.0, np.power: 1.0, np.float_power: 1.0}


def _neutral(ufunc: np.ufunc, initial: Any) -> Any:
    """What has no influence on a reduction, in place of the elements that are left out."""
    if ufunc.identity is not None or initial is _NO_VALUE or initial is None:
        return _identity(ufunc)
    return initial if ufunc in _ASSOCIATIVE else _RIGHT_NEUTRAL[ufunc]


def _identity(ufunc: np.ufunc) -> Any:
    if ufunc.identity is None:
        raise ArgumentError(f"{ufunc.__name__}.reduce: there is no identity; give initial=")
    return ufunc.identity


def _accumulate(ufunc: np.ufunc, x: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    if ufunc in ACCUMULATIONS:
        return ACCUMULATIONS[ufunc](x, axis=axis, **_stated(dtype=dtype, out=_single(out)))
    rows = list(np.moveaxis(cast(x, dtype), axis, 0))
    for i in range(1, len(rows)):
        rows[i] = ufunc(rows[i - 1], rows[i])
    return delivered(np.stack(rows, axis) if rows else np.copy(x), out)


def _outer(ufunc: np.ufunc, x: Any, y: Any, **kwargs: Any) -> Any:
    return ufunc(np.reshape(x, np.shape(x) + (1,) * np.ndim(y)), y, **kwargs)


def _reduceat(
    ufunc: np.ufunc, x: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None
) -> Any:
    """Pieces of `x`, each reduced: from one index to the next, or the one element at the index."""
    rows = np.moveaxis(cast(x, dtype), axis, 0)
    starts = np.asarray(value_of(indices)).tolist()
    stops = [*starts[1:], len(rows)]
    pieces = [
        ufunc.reduce(rows[start:stop], axis=0) if start < stop else rows[start]
        for start, stop in zip(starts, stops, strict=True)
    ]
    return delivered(np.stack(pieces, axis), out)


def at(ufunc: np.ufunc, x: Any, indices: Any, *operands: Any) -> None:
    """`ufunc.at(x, indices, ...)`: in place, and again where an index occurs again."""
    if not isinstance(x, Traced) and not is_live(operands):
        ufunc.at(x, *unboxed((indices, *operands)))
        return
    target, indices = written_to(f"{ufunc.__name__}.at", x), value_of(indices)
    if ufunc in ADDITIONS:
        target.rebind(ADDITIONS[ufunc](target, indices, *operands))
        return
    places = np.arange(target.size).reshape(target.shape)[indices]
    spread = [np.ravel(np.broadcast_to(y, np.shape(places))) for y in operands]
    turns = _turns(np.ravel(places))
    for turn in range(turns.max(initial=-1) + 1):
        now = np.flatnonzero(turns == turn)
        here = np.unravel_index(np.ravel(places)[now], target.shape) if target.ndim else (None,)
        target[here] = ufunc(target[here], *[y[now] for y in spread])


def _turns(places: Any) -> Any:
    """How often each number has occurred before."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    begins = np.flatnonzero(np.diff(ordered, prepend=-1))
    lengths = np.diff(begins, append=len(places))
    turns = np.empty(len(places), int)
    turns[order] = np.arange(len(places)) - np.repeat(begins, lengths)
    return turns


def written_to(name: str, x: Any) -> Any:
    """The argument of a function that writes to it, which must be able to hold a derivative."""
    if not isinstance(x, Traced):
        raise InterceptionError(
            f"{name}: a traced value was to be written into a plain {type(x).__name__}, which "
            "cannot hold a derivative. Create the array inside the function, with the functions "
            "of retrograd.numpy or with np.zeros_like(x) of a traced x, or write "
            "retrograd.value_of(x) if no derivative is meant."
        )
    return x


def _stated(**kwargs: Any) -> dict[str, Any]:
    return {name: value for name, value in kwargs.items() if value is not None}


def _single(out: Any) -> Any:
    return out[0] if isinstance(out, tuple) else out


def delivered(result: Any, out: Any) -> Any:
    """The result of a function, written to `out=` where that is given."""
    out = _single(out)
    return result if out is None else written(out, result)


METHODS: dict[str, Function] = {
    "reduce": _reduce, "accumulate": _accumulate, "outer": _outer, "reduceat": _reduceat,
}  # fmt: skip
