"""The rational n/d that stands for a factor in [0, 1): the best one with a small denominator.

The lattice multiplies by rationals only. `rational` finds the closest n/d with d up to a limit, by
continued fractions, and agrees exactly with `fractions.Fraction.limit_denominator`.

Euclid's algorithm on (1, x) is exact in float64: every remainder is a multiple of the last place
of x and smaller than x, and after the first division the quotients are those of integers below
2**53. The one algorithm stands here twice, on Python's floats for a few factors and on vectors.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrograd.errors import ArgumentError

__all__ = ["LIMIT", "rational"]

LIMIT = 2**16
"""The largest denominator that the information buffer can take."""

# Up to here the loop over Python's floats is faster than NumPy's cost per call.
_FEW = 64

Floats = NDArray[np.float64]
Rational = tuple[NDArray[np.int64], NDArray[np.int64]]


def rational(factor: ArrayLike, limit: int = LIMIT) -> Rational:
    """The best rational approximation n/d of each factor with d <= limit, and n < d.

    Best means closest to the float's exact value, as in
    ``fractions.Fraction(x).limit_denominator(limit)``. Recent factors are remembered, so that
    asking again in the reverse run, or for a constant factor at every step, costs a look-up. A
    factor of 0 gives 0/1; no other factor does.

    Args:
        factor: floats in [0, 1), of any shape.
        limit: the largest denominator, 2 to 65,536.

    Returns:
        Numerators and denominators, int64, of the factor's shape.

    Raises:
        ArgumentError: a factor is not a number in [0, 1), or so close to 0 or 1 that the nearest
            rational is 0 or 1 itself; or the limit is out of range.

    Example:
        >>> rational([0.9, 0.999, 0.5])
        (array([  9, 999,   1]), array([  10, 1000,    2]))

    References:
        Hardy and Wright, An Introduction to the Theory of Numbers, chapter 10.
    """
    if not 2 <= limit <= LIMIT:
        raise ArgumentError(f"limit is {limit}; give a largest denominator from 2 to {LIMIT}")
    factors = _floats(factor)
    if factors.size <= _FEW:
        return _of_few(factors, limit)
    numerator, denominator = _of_many(factors.reshape(-1), limit)
    return numerator.reshape(factors.shape), denominator.reshape(factors.shape)


def _floats(factor: ArrayLike) -> Floats:
    factors = np.asarray(factor)
    if factors.dtype.kind not in "fiu":
        raise ArgumentError(f"factor has dtype {factors.dtype}; give real numbers between 0 and 1")
    return factors.astype(np.float64, copy=False)


def _of_few(factors: Floats, limit: int) -> Rational:
    pairs = [_nearest(x, limit) for x in factors.reshape(-1).tolist()]
    both = np.array(pairs, np.int64).reshape(-1, 2).T.reshape(2, *factors.shape)
    return both[0, ...], both[1, ...]


@lru_cache(maxsize=8192)
def _nearest(x: float, limit: int) -> tuple[int, int]:
    if x == 0.0:
        return 0, 1
    if not 0.25 / limit < x < 1.0:
        raise _unusable(x, limit)
    denominator = _denominator(x, limit)
    if denominator == 1:
        raise _unusable(x, limit)
    # The best n for this d is the integer nearest to d*x. Beside 1/(2d) and 1 - 1/(2d) the product
    # may round to a tie, and there n is the one that is not an end.
    return min(max(round(denominator * x), 1), denominator - 1), denominator


def _denominator(x: float, limit: int) -> int:
    """The denominator of the best approximation.

    In the loop ``whole`` and ``remainder`` are the last two of Euclid's remainders, ``before`` and
    ``last`` the denominators of the last two convergents.
    """
    most = float(limit)
    rest = 1.0 % x
    whole, remainder, before, last = 1.0, x, 0.0, 1.0
    following = float(round((1.0 - rest) / x))  # only here 1 - rest may be inexact
    while following <= most:
        before, last = last, following
        whole, remainder = remainder, rest
        if not remainder:
            return int(last)
        rest = whole % remainder
        following = before + (whole - rest) / remainder * last
    between = before + (most - before) // last * last
    return int(between if _beats(remainder, between) else last)


def _beats(remainder: float, between: float) -> bool:
    """Whether the last semiconvergent is closer than the last convergent: 2*r*b > 1, exactly."""
    doubled = 2.0 * remainder * between
    if doubled != 1.0:  # rounding is monotone, so it cannot pass over 1
        return doubled > 1.0
    numerator, denominator = remainder.as_integer_ratio()
    return 2 * numerator * int(between) > denominator


def _of_many(factors: Floats, limit: int) -> Rational:
    zero = factors == 0.0
    if zero.any():
        numerator, denominator = _of_many(np.where(zero, 0.5, factors), limit)
        return np.where(zero, 0, numerator), np.where(zero, 1, denominator)
    _check_many((factors > 0.25 / limit) & (factors < 1.0), factors, limit)
    denominator = _denominators(factors, limit)
    _check_many(denominator > 1, factors, limit)
    numerator = np.clip(np.rint(denominator * factors), 1, denominator - 1)
    return numerator.astype(np.int64), denominator.astype(np.int64)


def _check_many(usable: NDArray[np.bool_], factors: Floats, limit: int) -> None:
    if not usable.all():
        raise _unusable(float(factors[np.argmin(usable)]), limit)


def _denominators(x: Floats, limit: int) -> Floats:
    """`_denominator` for a vector; elements that have stopped are left out of the loop."""
    remainder, before, last = x.copy(), np.zeros_like(x), np.ones_like(x)
    active, whole, rest = np.arange(x.size), np.ones_like(x), np.fmod(1.0, x)
    following = np.rint((1.0 - rest) / x)
    while True:
        fits = following <= limit
        active, whole, rest = active[fits], remainder[active[fits]], rest[fits]
        before[active], last[active], remainder[active] = last[active], following[fits], rest
        goes_on = rest > 0.0
        active, whole, divisor = active[goes_on], whole[goes_on], rest[goes_on]
        if not active.size:
            return _closer(remainder, before, last, limit)
        quotient = np.floor(whole / divisor)
        rest = whole - quotient * divisor
        following = before[active] + quotient * last[active]


def _closer(remainder: Floats, before: Floats, last: Floats, limit: int) -> Floats:
    between = before + (limit - before) // last * last
    doubled = 2.0 * remainder * between
    semiconvergent = doubled > 1.0
    for index in np.flatnonzero(doubled == 1.0):
        semiconvergent[index] = _beats(float(remainder[index]), float(between[index]))
    return np.where(semiconvergent, between, last)


def _unusable(x: float, limit: int) -> ArgumentError:
    if not 0.0 < x < 1.0:
        return ArgumentError(
            f"factor is {x!r}; a slot decays by a number from 0 up to, but not including, 1. "
            "Leave the decay out for a factor of 1"
        )
    margin = 0.5 / limit
    end, bound = (0, f"above {margin:.3g}") if x < 0.5 else (1, f"below 1 - {margin:.3g}")
    return ArgumentError(
        f"factor is {x!r}, which rounds to {end} among the rationals with denominators up to "
        f"{limit}; keep factors {bound}"
    )
