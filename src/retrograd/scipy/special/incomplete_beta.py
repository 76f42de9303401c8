"""The incomplete beta function and its inverse, also in the parameters.

The scores are log(t) - psi(a) + psi(a+b) and log(1-t) - psi(b) + psi(a+b).
"""

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

__all__ = ["beta_density", "beta_score"]


def _log_beta_weight(a: Any, b: Any, x: Any) -> Any:
    """log(x^a (1-x)^b / beta(a, b)), without cancellation for large a and b."""
    large = (plain(a) >= LARGE) & (plain(b) >= LARGE)
    if not np.any(large):
        return a * sc.xlogy(1, x) + b * sc.xlog1py(1, -x) - sc.betaln(a, b)
    big_a, big_b = np.where(large, a, LARGE), np.where(large, b, LARGE)
    total = big_a + big_b
    off = big_b * x - big_a * (1 - x)
    far = 0.5 * np.log(big_a * big_b / (2 * math.pi * total)) - (
        big_a * shortfall(off / big_a) + big_b * shortfall(-off / big_b)
        + stirling_correction(big_a) + stirling_correction(big_b) - stirling_correction(total)
    )  # fmt: skip
    if np.all(large):
        return far
    a, b = np.where(large, 1.0, a), np.where(large, 1.0, b)
    near = a * sc.xlogy(1, x) + b * sc.xlog1py(1, -x) - sc.betaln(a, b)
    return np.where(large, far, near)


def beta_density(a: Any, b: Any, x: Any) -> Any:
    """x^(a-1) (1-x)^(b-1) / beta(a, b): the derivative of betainc in x."""
    inside = (plain(x) > 0) & (plain(x) < 1)
    if np.all(inside):
        return np.exp(_log_beta_weight(a, b, x)) / (x * (1 - x))
    left = np.where(plain(x) == 0, edge_density(a, plain(b)), 0.0)
    edge = np.where(plain(x) == 1, edge_density(b, plain(a)), left)
    argument, x = x, np.where(inside, x, 0.5)
    density = np.exp(_log_beta_weight(a, b, x)) / (x * (1 - x))
    found = np.where(inside, density, edge.astype(plain(density).dtype))
    at = plain(argument)
    finite = ((at == 0) & (plain(a) >= 1)) | ((at == 1) & (plain(b) >= 1))
    if not np.any(finite):
        return found
    # At such an end the density is finite, and so may be its derivatives.
    a, b, x = np.where(finite, a, 1), np.where(finite, b, 1), np.where(finite, argument, 0.5)
    powers = x ** (a - 1) * (1 - x) ** (b - 1)
    return np.where(finite, powers * np.exp(-sc.betaln(a, b)), found)


def _psi_rise(x: Any, h: Any) -> Any:
    """psi(x + h) - psi(x), also for h far below x: a series around the middle."""
    small = plain(h) < 0.1 * plain(x)
    apart = sc.psi(x + h) - sc.psi(x)
    if not np.any(small):
        return apart
    near = np.where(small, h, 0.0)
    middle, term, total = x + 0.5 * near, near, 0.0
    for n in range(1, 11, 2):
        total = total + term * polygamma_of(n, middle)
        term = term * near * near * (0.25 / ((n + 1) * (n + 2)))
    return np.where(small, total, apart)


def _beta_cumulants(a: Any, b: Any, log_t: Any, log_rest: Any) -> Any:
    """Derivatives of the log density in a and b, at log(t) and log(1 - t)."""

    def cumulant(i: int, j: int) -> Any:
        order = i + j - 1
        if order == 0:
            return log_t + _psi_rise(a, b) if i else log_rest + _psi_rise(b, a)
        both = polygamma_of(order, a + b)
        return both if i and j else both - polygamma_of(order, a if i else b)

    return cumulant


def _beta_score(i: int, j: int, a: Any, b: Any, x: Any) -> Any:
    """The derivative of betainc(a, b, x), i times in a and j times in b, on plain values."""
    return in_blocks(lambda a, b, x: _beta_score_of(i, j, a, b, x), a, b, x)


def _beta_score_of(i: int, j: int, a: Any, b: Any, x: Any) -> Any:
    valid = (a > 0) & (b > 0) & (x >= 0) & (x <= 1)
    inside = valid & (a < np.inf) & (b < np.inf) & (x > 0) & (x < 1)
    a, b, x = (np.where(inside, y, z) for y, z in ((a, 1.0), (b, 1.0), (x, 0.5)))
    y = 1 - x
    lower = np.log(x) < -_psi_rise(a, b) if i else np.log1p(-x) > -_psi_rise(b, a)
    # The upper tail is the lower one of 1 - t, with a and b exchanged.
    swapped = [np.where(lower, p, q) for p, q in ((a, b), (b, a), (x, y), (y, x))]
    here, there = _beta_tail(i, j, *swapped), _beta_tail(j, i, *swapped)
    found = np.exp(_log_beta_weight(a, b, x)) * np.where(lower, here, -there)
    return np.where(inside, found, np.where(valid, 0.0, np.nan))


def _beta_tail(i: int, j: int, a: Any, b: Any, x: Any, y: Any) -> Any:
    """The integral of the score below x = 1 - y, relative to the weight at x.

    Over v with logit(t) = logit(x) - v; a first panel ends at t = 1/2, if that is below x.
    """
    log_x, log_y = (
        np.where(p < 0.5, np.log(p), np.log1p(-np.minimum(q, 0.5))) for p, q in ((x, y), (y, x))
    )
    logit = log_x - log_y

    def log_scale(v: Any, x: Any, y: Any) -> Any:
        """log(y + x exp(-v))."""
        near = np.log1p(x * np.expm1(-np.minimum(v, 0.5)))
        return np.where(v < 0.5, near, np.log(y + x * np.exp(-v)))

    def fall(v: Any) -> Any:
        return a * v + (a + b) * log_scale(v, x, y)

    def slope(v: Any) -> Any:
        return a - (a + b) * x * np.exp(-v) / (y + x * np.exp(-v))

    length = reach(fall, slope, logit + (50 - a * log_x - b * log_y) / a)
    wide = [z[..., None] for z in (a, b, x, y, log_x, log_y)]

    def integrand(v: Any) -> Any:
        a, b, x, y, log_x, log_y = wide
        scale = log_scale(v, x, y)
        cumulants = _beta_cumulants(a, b, log_x - v - scale, log_y - scale)
        return np.exp(-(a * v + (a + b) * scale)) * bell((i, j), cumulants)

    first = np.clip(logit, 0, length)
    return integral(integrand, 0 * length, first) + integral(integrand, first, length - first)


beta_score = primitive_for(_beta_score)


def _beta_score_slope(i: int, j: int, a: Any, b: Any, x: Any) -> Any:
    """The derivative of a score in x: that of the density; infinite at an end up to 1."""
    first, last = plain(x) == 0, plain(x) == 1
    ends = np.any(first | last)
    log_x = np.log(np.where(first, 1, x) if ends else x)
    log_rest = np.log1p(-(np.where(last, 0, x) if ends else x))
    found = beta_density(a, b, x) * bell((i, j), _beta_cumulants(a, b, log_x, log_rest))
    if not ends:
        return found
    infinite = (first & (plain(a) <= 1) & (i > 0)) | (last & (plain(b) <= 1) & (j > 0))
    return np.where(infinite, np.where(first, (-1) ** i, (-1) ** j) * np.inf, found)


special(
    beta_score,
    refused("betainc", "i"),
    refused("betainc", "j"),
    lambda ans, i, j, a, b, x: beta_score(i + 1, j, a, b, x),
    lambda ans, i, j, a, b, x: beta_score(i, j + 1, a, b, x),
    lambda ans, i, j, a, b, x: _beta_score_slope(i, j, a, b, x),
)
special(
    sc.betainc,
    lambda ans, a, b, x: beta_score(1, 0, a, b, x),
    lambda ans, a, b, x: beta_score(0, 1, a, b, x),
    lambda ans, a, b, x: beta_density(a, b, x),
)
special(
    sc.betaincc,
    lambda ans, a, b, x: -beta_score(1, 0, a, b, x),
    lambda ans, a, b, x: -beta_score(0, 1, a, b, x),
    lambda ans, a, b, x: -beta_density(a, b, x),
)
for _inverse, _sign in ((sc.betaincinv, 1), (sc.betainccinv, -1)):
    special(
        _inverse,
        lambda ans, a, b, p: -beta_score(1, 0, a, b, ans) / beta_density(a, b, ans),
        lambda ans, a, b, p: -beta_score(0, 1, a, b, ans) / beta_density(a, b, ans),
        lambda ans, a, b, p, sign=_sign: sign / beta_density(a, b, ans),
    )
