"""Derivatives of a distribution function in its parameters, by integrals of scores.

With a density f(t; a), the n-th derivative of the integral of f up to x in `a` is the integral of f
times a polynomial in the derivatives of log(f), of which the first is the *score*. Over the whole
line that integral vanishes, so it may be taken over either tail: over the one in which the score
keeps its sign, where nothing cancels. First derivatives in parameters then have a relative error
below 1e-9 for parameters from 1e-3 to 1e4 (tests/scipy/test_incomplete.py), higher ones an error of
that size relative to their largest value.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sc

from retrograd.scipy.special.partials import plain

__all__ = ["LARGE", "bell", "edge_density", "shortfall", "stirling_correction"]

# Where logarithms of densities are taken from Stirling's formula, lest large terms cancel.
LARGE = 100.0
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)


def stirling_correction(a: Any) -> Any:
    """gammaln(a) less Stirling's formula, for large a."""
    w = 1 / (a * a)
    total = 0 * a
    for c in reversed(_STIRLING):
        total = c + w * total
    return total / a


def shortfall(u: Any) -> Any:
    """u - log(1 + u), which is u^2 / 2 for small u."""
    return u - sc.xlog1py(1, u)


def bell(orders: tuple[int, int], cumulant: Any) -> Any:
    """The derivative of exp(f), over exp(f), from the derivatives `cumulant(i, j)` of f(a, b)."""
    i, j = orders
    if i == j == 0:
        return 1.0
    # One derivative is set aside; the others fall on f or on what exp(f) has become.
    step = (1, 0) if i else (0, 1)
    rest = (i - step[0], j - step[1])
    return sum(
        math.comb(rest[0], k) * math.comb(rest[1], m)
        * bell((rest[0] - k, rest[1] - m), cumulant) * cumulant(k + step[0], m + step[1])
        for k in range(rest[0] + 1) for m in range(rest[1] + 1)
    )  # fmt: skip


def edge_density(a: Any, at_one: Any) -> Any:
    """The constant that t^(a-1) times something is at t = 0."""
    a = plain(a)
    return np.where(a < 1, np.inf, np.where(a == 1, at_one, 0.0))
