"""Functions that pass over NaN: those elements have derivative zero."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from retrograd.autodiff.primitive import constant, rule, stands_for
from retrograd.autodiff.rules.reductions import (
    extremum_from,
    extremum_jvp,
    extremum_vjp,
    reduction,
)
from retrograd.autodiff.trace import value_of


def _present(a: Any, where: Any = True) -> Any:
    """Where there are numbers, and `where` lets them in."""
    return ~np.isnan(value_of(a)) & (True if where is np._NoValue else value_of(where))


def _skipping(nan_function: Any, function: Any) -> None:
    """A reduction that is another one with `where=` the elements that are numbers."""

    def skipping(a: Any, axis: Any = None, *args: Any, where: Any = True, **options: Any) -> Any:
        return function(a, axis, *args, where=_present(a, where), **options)

    skipping.__name__ = nan_function.__name__
    skipping.__doc__ = f"`numpy.{nan_function.__name__}`."
    stands_for(nan_function)(skipping)


for _nan_function, _function in {
    np.nansum: np.sum, np.nanprod: np.prod, np.nanmean: np.mean, np.nanvar: np.var,
    np.nanstd: np.std,
}.items():  # fmt: skip
    _skipping(_nan_function, _function)


@stands_for(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """`numpy.nancumsum`."""
    return np.cumsum(np.where(_present(a), a, 0), axis=axis, dtype=dtype, out=out)


@stands_for(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """`numpy.nancumprod`."""
    return np.cumprod(np.where(_present(a), a, 1), axis=axis, dtype=dtype, out=out)


for _extremum, _worst in ((np.nanmax, -math.inf), (np.nanmin, math.inf)):
    reduction(_extremum, initial=extremum_from(_extremum, _worst))
    rule(_extremum, [extremum_vjp], [extremum_jvp])
constant(np.nanargmax, np.nanargmin)
