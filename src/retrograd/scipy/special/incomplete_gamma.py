"""The incomplete gamma function and its inverse, also in the parameter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sc

from retrograd.autodiff.primitive import primitive_for
from retrograd.scipy.special.gamma_functions import polygamma_of
from retrograd.scipy.special.partials import plain, refused, special
from retrograd.scipy.special.quadrature import in_blocks, integral, reach
from retrograd.scipy.special.scores import (
    LARGE,
    bell,
    edge_density,
    shortfall,
    stirling_correction,
)

__all__ = ["gamma_density", "gamma_score"]


def _log_gamma_weight(a: Any, x: Any) -> Any:
    """log(x^a exp(-x) / gamma(a)), without cancellation for large a near x."""
    small = plain(a) < LARGE
    if np.all(small):
        return a * sc.xlogy(1, x) - x - sc.gammaln(a)
    large = np.where(small, LARGE, a)
    far = 0.5 * np.log(large / (2 * math.pi)) - stirling_correction(large)
    far = far - large * shortfall(x / large - 1)
    if not np.any(small):
        return far
    near = np.where(small, a, 1.0)
    return np.where(small, near * sc.xlogy(1, x) - x - sc.gammaln(near), far)


def gamma_density(a: Any, x: Any) -> Any:
    """x^(a-1) exp(-x) / gamma(a): the derivative of gammainc in x."""
    inside = (plain(x) > 0) & np.isfinite(plain(x))
    if np.all(inside):
        return np.exp(_log_gamma_weight(a, x)) / x
    edge, argument = np.where(plain(x) == 0, edge_density(a, 1.0), 0.0), x
    x = np.where(inside, x, 1.0)
    density = np.exp(_log_gamma_weight(a, x)) / x
    found = np.where(inside, density, edge.astype(plain(density).dtype))
    start = (plain(argument) == 0) & (plain(a) >= 1)
    if not np.any(start):
        return found
    # There the density is finite, and so may be its derivatives.
    a, x = np.where(start, a, 1), np.where(start, argument, 1)
    return np.where(start, x ** (a - 1) * np.exp(-x - sc.gammaln(a)), found)


def _gamma_cumulants(a: Any, log_t: Any) -> Any:
    return lambda i, _: log_t - sc.psi(a) if i == 1 else -polygamma_of(i - 1, a)


def _gamma_score(n: int, a: Any, x: Any) -> Any:
    """The n-th derivative of gammainc(a, x) in a, n >= 1, on plain values."""
    return in_blocks(lambda a, x: _gamma_score_of(n, a, x), a, x)


def _gamma_score_of(n: int, a: Any, x: Any) -> Any:
    valid = (a > 0) & (x >= 0)
    inside = valid & (a < np.inf) & (x > 0) & (x < np.inf)
    a, x = np.where(inside, a, 1.0), np.where(inside, x, 1.0)
    log_x = np.log(x)
    lower = log_x < sc.psi(a)
    tail = np.where(lower, _gamma_tail(n, a, x, log_x, -1), -_gamma_tail(n, a, x, log_x, 1))
    found = np.exp(_log_gamma_weight(a, x)) * tail
    return np.where(inside, found, np.where(valid, 0.0, np.nan))


def _gamma_tail(n: int, a: Any, x: Any, log_x: Any, side: int) -> Any:
    """The integral of the score over a tail, relative to the weight at x; t = x exp(side v)."""
    wrong = (side < 0) == (log_x >= sc.psi(a))  # computed too, but not used: keep it harmless
    a, x, log_x = (np.where(wrong, y, z) for y, z in ((1.0, a), (0.7, x), (-0.35, log_x)))

    def fall(v: Any) -> Any:
        return x * np.expm1(side * v) - side * a * v

    def slope(v: Any) -> Any:
        return side * (x * np.exp(side * v) - a)

    far = (50 + x) / a if side < 0 else np.log1p((50 + a * np.log1p((50 + 9 * a) / x)) / x)
    length = reach(fall, slope, far)
    a, x, log_x = a[..., None], x[..., None], log_x[..., None]
    return integral(
        lambda v: np.exp(-fall(v)) * bell((n, 0), _gamma_cumulants(a, log_x + side * v)),
        np.zeros_like(length), length,
    )  # fmt: skip


def _gamma_score_slope(n: int, a: Any, x: Any) -> Any:
    """The derivative of the n-th score in x: that of the density; infinite at 0 up to a = 1."""
    zero = plain(x) == 0
    log_x = np.log(np.where(zero, 1, x)) if np.any(zero) else np.log(x)
    found = gamma_density(a, x) * bell((n, 0), _gamma_cumulants(a, log_x))
    if not np.any(zero):
        return found
    return np.where(zero & (plain(a) <= 1), (-1) ** n * np.inf, found)


gamma_score = primitive_for(_gamma_score)
special(
    gamma_score,
    refused("gammainc", "n"),
    lambda ans, n, a, x: gamma_score(n + 1, a, x),
    lambda ans, n, a, x: _gamma_score_slope(n, a, x),
)
special(sc.gammainc, lambda ans, a, x: gamma_score(1, a, x), lambda ans, a, x: gamma_density(a, x))
special(
    sc.gammaincc, lambda ans, a, x: -gamma_score(1, a, x), lambda ans, a, x: -gamma_density(a, x)
)
special(
    sc.gammaincinv,
    lambda ans, a, p: -gamma_score(1, a, ans) / gamma_density(a, ans),
    lambda ans, a, p: 1 / gamma_density(a, ans),
)
special(
    sc.gammainccinv,
    lambda ans, a, p: -gamma_score(1, a, ans) / gamma_density(a, ans),
    lambda ans, a, p: -1 / gamma_density(a, ans),
)
