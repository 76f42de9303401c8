"""`numpy.pad` in all its modes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.axes import along, on_axis
from retrograd.autodiff.dtypes import cast
from retrograd.autodiff.primitive import has_traced, stands_for
from retrograd.autodiff.rules.indexing import put
from retrograd.autodiff.rules.joining import array, as_array
from retrograd.errors import ArgumentError, MissingRuleError

if TYPE_CHECKING:
    from collections.abc import Callable

    Pairs = Any  # one pair (before, after) an axis


@stands_for(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """`numpy.pad`; values such as `constant_values` may be traced as well."""
    x = as_array(array)
    padding = _MODES.get(mode) if isinstance(mode, str) else None
    if padding is None:
        raise MissingRuleError(
            f"pad: no derivative rule covers mode={mode!r}; there is one for "
            f"{', '.join(_MODES)}. Join the parts with np.concatenate."
        )
    widths = _widths(pad_width, np.ndim(x))
    checked: Any = np.pad  # raises what NumPy raises
    checked(np.zeros((1,) * np.ndim(x)), widths, mode, **_plain(kwargs))
    return padding(x, widths.tolist(), **kwargs)


def _widths(pad_width: Any, ndim: int) -> Any:
    """The pairs of widths, before and after, of all axes."""
    if isinstance(pad_width, dict):
        widths = np.zeros((ndim, 2), int)
        for axis, width in pad_width.items():
            widths[axis] = width
        return widths
    return np.broadcast_to(np.asarray(pad_width), (ndim, 2))


def _plain(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The keywords without what may be traced: for checks of their names."""
    return {k: 0 if k in ("constant_values", "end_values") else v for k, v in kwargs.items()}


def _inside(shape: tuple[int, ...], widths: Pairs) -> tuple[slice, ...]:
    """Where the array lies in the padded one."""
    return tuple(slice(before, before + n) for n, (before, _) in zip(shape, widths, strict=True))


def _constant(x: Any, widths: Pairs, constant_values: Any = 0) -> Any:
    """Zeros around `x`, plus what comes in their place: the value of the side."""
    shape = np.shape(x)
    whole = tuple(n + before + after for n, (before, after) in zip(shape, widths, strict=True))
    padded = put(x, _inside(shape, widths), whole) if has_traced(x) else np.pad(x, widths)
    if not has_traced(constant_values):
        if not np.any(constant_values):
            return padded
        return padded + np.pad(np.zeros(shape, x.dtype), widths, constant_values=constant_values)
    values = np.ravel(_pairs(constant_values, len(shape)))
    sides = 1 + np.arange(2 * len(shape)).reshape(-1, 2)
    side = np.pad(np.zeros(shape, int), widths, constant_values=sides)
    table = np.concatenate([np.zeros(1, x.dtype), values.astype(x.dtype)])
    return padded + table[side]


def _pairs(values: Any, ndim: int) -> Any:
    """A value for each end of each axis."""
    values = array(values)
    if np.size(values) == 1:
        values = np.reshape(values, ())
    return np.broadcast_to(values, (ndim, 2))


def _axis_by_axis(lengthen: Callable[..., Any]) -> Callable[..., Any]:
    """A mode in which each axis in turn is lengthened by its pair of widths."""

    def padding(x: Any, widths: Pairs, **kwargs: Any) -> Any:
        padded = x
        for axis, pair in enumerate(widths):
            if any(pair):
                if not np.shape(x)[axis]:
                    raise ArgumentError(
                        f"pad: can't extend empty axis {axis} of an array of shape {np.shape(x)} "
                        "in this mode; use mode='constant'"
                    )
                padded = lengthen(padded, axis, pair, **kwargs)
        return np.copy(padded) if padded is x else padded

    return padding


def _gathered(mode: Any) -> Callable[..., Any]:
    """A mode that repeats elements: which ones, is found by padding their numbers."""

    def lengthen(x: Any, axis: int, pair: Any, reflect_type: str = "even") -> Any:
        n = np.shape(x)[axis]
        if reflect_type == "odd":
            weights = np.pad(np.eye(n, dtype=x.dtype), (pair, (0, 0)), mode, reflect_type="odd")
            return np.moveaxis(np.tensordot(weights, x, (1, axis)), 0, axis)
        return x[along(axis, np.pad(np.arange(n), pair, mode))]

    return _axis_by_axis(lengthen)


def _ramp(x: Any, widths: Pairs, end_values: Any = 0) -> Any:
    """From the edge in equal steps to the end value, which is the outermost element."""
    ends = cast(_pairs(end_values, np.ndim(x)), x.dtype)

    def lengthen(padded: Any, axis: int, pair: Any) -> Any:
        left, right = _edges(padded, axis, 1, 1)
        steps = [_steps(width, axis, np.ndim(x), x.dtype) for width in pair]
        before = ends[axis, 0] + (left - ends[axis, 0]) * steps[0]
        after = ends[axis, 1] + (right - ends[axis, 1]) * np.flip(steps[1], axis)
        return np.concatenate([before, padded, after], axis)

    return _axis_by_axis(lengthen)(x, widths)


def _steps(width: int, axis: int, ndim: int, dtype: Any) -> Any:
    """0, 1/width, 2/width, ... along an axis."""
    return on_axis(np.arange(width) / max(width, 1), ndim, axis).astype(dtype)


def _edges(x: Any, axis: int, left: int, right: int) -> tuple[Any, Any]:
    """The first and the last elements of an axis."""
    n = np.shape(x)[axis]
    return x[along(axis, slice(left))], x[along(axis, slice(n - right, n))]


def _statistic(function: Callable[..., Any]) -> Callable[..., Any]:
    """A mode that pads with a statistic of the elements next to the edge."""

    def padding(x: Any, widths: Pairs, stat_length: Any = None) -> Any:
        if stat_length is not None:
            stat_length = np.broadcast_to(np.asarray(stat_length), (np.ndim(x), 2)).tolist()

        def lengthen(padded: Any, axis: int, pair: Any) -> Any:
            n = np.shape(padded)[axis]
            lengths = [n, n] if stat_length is None else [min(m, n) for m in stat_length[axis]]
            sides = [
                np.repeat(function(edge, axis=axis, keepdims=True), width, axis)
                for edge, width in zip(_edges(padded, axis, *lengths), pair, strict=True)
            ]
            return np.concatenate([sides[0], padded, sides[1]], axis)

        return _axis_by_axis(lengthen)(x, widths)

    return padding


_MODES: dict[str, Callable[..., Any]] = {
    "constant": _constant,
    "edge": _gathered("edge"),
    "reflect": _gathered("reflect"),
    "symmetric": _gathered("symmetric"),
    "wrap": _gathered("wrap"),
    "linear_ramp": _ramp,
    "mean": _statistic(np.mean),
    "median": _statistic(np.median),
    "maximum": _statistic(np.max),
    "minimum": _statistic(np.min),
}
