"""Functions that choose between elements: `where`, `clip`, `nan_to_num`."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.dtypes import is_complex
from retrograd.autodiff.outputs import written
from retrograd.autodiff.primitive import (
    REGISTRY,
    match,
    plain_array,
    primitive_for,
    rule,
    stands_for,
)
from retrograd.autodiff.trace import Traced, value_of
from retrograd.autodiff.ufunc_methods import delivered


def _choose(condition: Any, x: Any, y: Any) -> Any:
    return np.where(condition, x, y)


choose = primitive_for(_choose)


def where(condition: Any, *choices: Any) -> Any:
    """`numpy.where`."""
    condition = value_of(condition)
    if len(choices) != 2:
        return np.where(condition, *map(value_of, choices))
    return choose(condition, *[REGISTRY[np.array](c) if type(c) is list else c for c in choices])


REGISTRY[np.where] = where


# Argument 0, the condition, is always a plain value.
rule(
    _choose,
    vjps=[
        lambda g, ans, condition, x, y: None,
        lambda g, ans, condition, x, y: match(np.where(condition, g, 0), x),
        lambda g, ans, condition, x, y: match(np.where(condition, 0, g), y),
    ],
    jvps=[
        lambda d, ans, condition, x, y: None,
        lambda d, ans, condition, x, y: np.where(condition, d, 0),
        lambda d, ans, condition, x, y: np.where(condition, 0, d),
    ],
)


def _clip(x: Any, low: Any, high: Any) -> Any:
    return np.clip(x, low, high)


def _from_x(t: Any, x: Any, low: Any, high: Any) -> Any:
    """`t` where `x` lies between the bounds or on one of them, zero elsewhere."""
    inside = True if low is None else x >= low
    return np.where(inside if high is None else inside & (x <= high), t, 0)


def _from_low(t: Any, x: Any, low: Any, high: Any) -> Any:
    """`t` where the result is the lower bound; the upper one wins where they cross."""
    below = x < low
    return np.where(below if high is None else below & (low <= high), t, 0)


def _from_high(t: Any, x: Any, low: Any, high: Any) -> Any:
    """`t` where the result is the upper bound."""
    above = x > high
    return np.where(above if low is None else above | (low > high), t, 0)


bounded = rule(
    _clip,
    vjps=[
        lambda g, ans, x, low, high: match(_from_x(g, x, low, high), x),
        lambda g, ans, x, low, high: match(_from_low(g, x, low, high), low),
        lambda g, ans, x, low, high: match(_from_high(g, x, low, high), high),
    ],
    jvps=[
        lambda d, ans, x, low, high: _from_x(d, x, low, high),
        lambda d, ans, x, low, high: _from_low(d, x, low, high),
        lambda d, ans, x, low, high: _from_high(d, x, low, high),
    ],
)


@stands_for(np.clip)
def clip(
    a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, *, min: Any = None,
    max: Any = None,
) -> Any:  # fmt: skip
    """`numpy.clip`; what lies on a bound counts as between them, and moves with `a` alone."""
    low, high = (
        new if old is None or old is np._NoValue else old
        for old, new in ((a_min, min), (a_max, max))
    )
    result = bounded(a, low, high)
    return delivered(result, out)


@stands_for(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """`numpy.nan_to_num`: what is replaced has no influence any more."""
    if is_complex(x):
        parts = [_finite(part, nan, posinf, neginf) for part in (np.real(x), np.imag(x))]
        result = parts[0] + 1j * parts[1]
    else:
        result = _finite(x, nan, posinf, neginf)
    return result if copy else written(x, result)


def _finite(x: Any, nan: Any, posinf: Any, neginf: Any) -> Any:
    plain = plain_array(x)
    limits = np.finfo(plain.dtype)
    replacements = (
        (plain == np.inf, limits.max if posinf is None else posinf),
        (plain == -np.inf, limits.min if neginf is None else neginf),
        (np.isnan(plain), nan),
    )
    for chosen, value in replacements:
        if not isinstance(value, Traced):
            value = np.asarray(value).astype(plain.dtype)
        x = choose(chosen, value, x)
    return x
