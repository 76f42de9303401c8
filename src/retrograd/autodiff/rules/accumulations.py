"""`ufunc.accumulate`: running sums, products, maxima and minima."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.axes import on_axis
from retrograd.autodiff.dtypes import cast
from retrograd.autodiff.interception import call_function
from retrograd.autodiff.primitive import plain_array
from retrograd.autodiff.ufunc_methods import ACCUMULATIONS, delivered

if TYPE_CHECKING:
    from collections.abc import Callable


def _by_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of NumPy that does the same."""
    return lambda x, axis=0, **kwargs: call_function(function, (x, axis), kwargs)


def _running(ufunc: np.ufunc) -> Callable[..., Any]:
    """A running extremum: the elements that were it first and last; half of each where they tie."""

    def running(x: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        x = cast(x, dtype)
        plain = plain_array(x)
        extrema = ufunc.accumulate(plain, axis)
        first, last = _first(extrema, axis), _last(_same(plain, extrema), axis)
        result = np.take_along_axis(x, last, axis)
        if (first != last).any():
            result = 0.5 * result + 0.5 * np.take_along_axis(x, first, axis)
        return delivered(result, out)

    return running


def _first(extrema: Any, axis: int) -> Any:
    """Where, along the axis, each extremum was reached."""
    before = np.roll(extrema, 1, axis)
    new = ~_same(extrema, before)
    return _last(new, axis)


def _last(chosen: Any, axis: int) -> Any:
    """The last place along the axis, so far, that is chosen; 0 before there is one."""
    numbers = on_axis(np.arange(chosen.shape[axis]), chosen.ndim, axis)
    return np.maximum.accumulate(np.where(chosen, numbers, 0), axis)


def _same(a: Any, b: Any) -> Any:
    return (a == b) | (np.isnan(a) & np.isnan(b))


ACCUMULATIONS[np.add] = _by_function(np.cumsum)
ACCUMULATIONS[np.multiply] = _by_function(np.cumprod)
for _ufunc in (np.maximum, np.minimum, np.fmax, np.fmin):
    ACCUMULATIONS[_ufunc] = _running(_ufunc)
