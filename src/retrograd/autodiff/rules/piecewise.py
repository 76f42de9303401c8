"""Functions that apply functions: to slices, over axes, or to the elements that they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograd.autodiff.box import set_item
from retrograd.autodiff.primitive import stands_for
from retrograd.autodiff.rules.joining import as_array
from retrograd.autodiff.trace import value_of
from retrograd.errors import ArgumentError, MissingRuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@stands_for(np.apply_along_axis)
def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """`numpy.apply_along_axis`: the results lie where the slices did."""
    arr = as_array(arr)
    axis = normalize_axis_index(axis, np.ndim(arr))
    last = np.moveaxis(arr, axis, -1)
    rest = np.shape(last)[:-1]
    if 0 in rest:
        raise ArgumentError(
            f"apply_along_axis: an array of shape {np.shape(arr)} was given; it has no slices "
            f"along axis {axis}"
        )
    results = [as_array(func1d(last[i], *args, **kwargs)) for i in np.ndindex(rest)]
    found = np.shape(results[0])
    stacked = np.reshape(np.stack(results), rest + found)
    behind = range(len(rest), len(rest) + len(found))
    return np.moveaxis(stacked, list(behind), list(range(axis, axis + len(found))))


@stands_for(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    """`numpy.apply_over_axes`: the axes that a function drops come back with length 1."""
    ndim = np.ndim(a)
    for axis in np.ravel(axes).tolist():
        found = func(a, axis if axis >= 0 else axis + ndim)
        a = found if np.ndim(found) == ndim else np.expand_dims(found, axis)
        if np.ndim(a) != ndim:
            raise ArgumentError(
                f"apply_over_axes: the function gave {np.ndim(found)} axes for {ndim}; it may "
                "drop one, or none"
            )
    return a


@stands_for(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """`numpy.piecewise`: each function sees the elements for which its condition holds."""
    x = as_array(x)
    x = np.reshape(x, np.shape(x))  # numbers become arrays, which can be indexed
    if x.dtype.kind not in "fc":
        raise MissingRuleError(
            f"piecewise: x has dtype {x.dtype}, and so has the result, which cannot carry a "
            "derivative; convert it with x.astype(float)"
        )
    result: Any = np.zeros(np.shape(x), x.dtype)
    for condition, function in zip(_conditions(x, condlist, len(funclist)), funclist, strict=True):
        if not callable(function):
            result = set_item(result, condition, function)
        elif condition.any():
            result = set_item(result, condition, function(x[condition], *args, **kw))
    return result


def _conditions(x: Any, condlist: Any, functions: int) -> Any:
    """One mask for each function; the last may be for all other elements."""
    condlist = value_of(condlist)
    if np.isscalar(condlist) or (np.ndim(condlist[0]) == 0 and np.ndim(x) != 0):
        condlist = [condlist]
    masks = np.asarray([value_of(c) for c in condlist], bool)
    if len(masks) == functions - 1:
        masks = np.concatenate([masks, ~np.any(masks, axis=0, keepdims=True)])
    if len(masks) != functions:
        raise ArgumentError(
            f"piecewise: {len(masks)} conditions and {functions} functions were given; there is "
            "one function for each condition, and there may be one more for all other elements"
        )
    return masks


@stands_for(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """`numpy.select`: of the choices, the first whose condition holds."""
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ArgumentError(
            f"select: {len(condlist)} conditions and {len(choicelist)} choices were given; give "
            "one choice for each condition, and at least one"
        )
    result = default
    for number in reversed(range(len(condlist))):
        condition = condlist[number]
        if np.result_type(value_of(condition)).kind != "b":
            raise ArgumentError(f"select: condition {number} in condlist is no boolean array")
        result = np.where(condition, choicelist[number], result)
    shape = np.broadcast_shapes(*map(np.shape, [*condlist, *choicelist]))
    return result if np.shape(result) == shape else np.broadcast_to(result, shape)
