"""Distribution functions of `scipy.special`: binomial, Poisson, chi-squared, F, Student's t.

All are incomplete gamma and beta functions of something; counts are refused, since the functions
are steps in them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sc

from retrograd.scipy.special.incomplete_beta import beta_density, beta_score
from retrograd.scipy.special.incomplete_gamma import gamma_density, gamma_score
from retrograd.scipy.special.partials import plain, refused, special

__all__ = ["t_density", "t_log_density"]


def _signed(function: Any, sign: int, *partials: Any) -> None:
    """A distribution function (sign 1) or its complement (-1), by the partials of the former.

    A string in the place of a partial names an argument that is refused.
    """

    def partial(given: Any) -> Any:
        if isinstance(given, str):
            return refused(function.__name__, given)
        return given if sign > 0 else lambda *args: -given(*args)

    special(function, *map(partial, partials))


for _f, _sign in ((sc.gdtr, 1), (sc.gdtrc, -1)):
    _signed(
        _f, _sign,
        lambda ans, a, b, x: x * gamma_density(b, a * x),
        lambda ans, a, b, x: gamma_score(1, b, a * x),
        lambda ans, a, b, x: a * gamma_density(b, a * x),
    )  # fmt: skip
for _f, _sign in ((sc.chdtr, 1), (sc.chdtrc, -1)):
    _signed(
        _f, _sign,
        lambda ans, v, x: 0.5 * gamma_score(1, 0.5 * v, 0.5 * x),
        lambda ans, v, x: 0.5 * gamma_density(0.5 * v, 0.5 * x),
    )  # fmt: skip
for _f, _sign in ((sc.pdtr, 1), (sc.pdtrc, -1)):
    _signed(_f, _sign, "k", lambda ans, k, m: -gamma_density(np.floor(plain(k)) + 1, m))
for _f, _sign in ((sc.bdtr, 1), (sc.bdtrc, -1)):
    _signed(_f, _sign, "k", "n", lambda ans, k, n, p: _binomial_slope(k, n, p))
for _f, _sign in ((sc.nbdtr, 1), (sc.nbdtrc, -1)):
    _signed(_f, _sign, "k", "n", lambda ans, k, n, p: beta_density(n, np.floor(plain(k)) + 1, p))
for _f, _sign in ((sc.fdtr, 1), (sc.fdtrc, -1)):
    _signed(
        _f, _sign,
        lambda ans, n, m, x: _f_slopes(n, m, x)[0],
        lambda ans, n, m, x: _f_slopes(n, m, x)[1],
        lambda ans, n, m, x: _f_slopes(n, m, x)[2],
    )  # fmt: skip


def _binomial_slope(k: Any, n: Any, p: Any) -> Any:
    """The derivative of P(X <= k) = I_(1-p)(n - k, k + 1) in p."""
    k = np.floor(plain(k))
    certain = k >= plain(n)
    ahead = np.where(certain, 1.0, n - k)
    return np.where(certain, 0, -beta_density(k + 1, ahead, p)) + 0 * p


def _f_slopes(n: Any, m: Any, x: Any) -> tuple[Any, Any, Any]:
    """Partials of I_z(n/2, m/2) with z = n x / (m + n x)."""
    a, b, rest = 0.5 * n, 0.5 * m, m + n * x
    z = n * x / rest
    slope = beta_density(a, b, z) * (m / rest) / rest
    return (
        0.5 * beta_score(1, 0, a, b, z) + slope * x,
        0.5 * beta_score(0, 1, a, b, z) - slope * n * x / m,
        slope * n,
    )


def t_log_density(df: Any, t: Any) -> Any:
    """The logarithm of the density of Student's t; at infinite degrees of freedom, the normal's."""
    normal = np.isinf(plain(df))
    if np.any(normal):
        limit = -0.5 * t * t - 0.5 * math.log(2 * math.pi)
        return np.where(normal, limit, t_log_density(np.where(normal, 1, df), t))
    spread = np.log(df) + 2 * sc.betaln(0.5 * df, 0.5)
    return -0.5 * ((df + 1) * np.log1p(t * t / df) + spread)


def t_density(df: Any, t: Any) -> Any:
    """The density of Student's t."""
    return np.exp(t_log_density(df, t))


# Up to this distance from its middle, a density of Student's t is integrated by so many nodes.
_NEAR = 0.5
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


def _t_freedom(df: Any, t: Any) -> Any:
    """The derivative of P(T <= t) in the degrees of freedom; its error grows as their number."""
    normal = np.isinf(plain(df))
    near = (np.abs(plain(t)) < _NEAR) & ~normal
    far = ~(near | normal)
    found: Any = np.where(near | far, 0, 0 * t)
    if np.any(near):
        found = np.where(near, _t_freedom_near(np.where(near, df, 1), np.where(near, t, 0)), found)
    if np.any(far):
        found = np.where(far, _t_freedom_far(np.where(far, df, 1), np.where(far, t, 1)), found)
    return found


def _t_freedom_near(df: Any, t: Any) -> Any:
    """By the integral of the density's derivative from 0 to t."""
    dtype = np.result_type(plain(df), plain(t))
    nodes, weights = (0.5 * (1 + _NODES)).astype(dtype), (0.5 * _WEIGHTS).astype(dtype)
    df, x = np.expand_dims(df, -1), np.expand_dims(t, -1) * nodes
    spread = 1 / df + sc.psi(0.5 * df) - sc.psi(0.5 * df + 0.5)
    fall = np.log1p(x * x / df) - (df + 1) * x * x / (df * (df + x * x))
    return t * np.sum(-0.5 * (fall + spread) * t_density(df, x) * weights, axis=-1)


def _t_freedom_far(df: Any, t: Any) -> Any:
    """By P(T > |t|) = I_z(df/2, 1/2) / 2 with z = df / (df + t^2)."""
    through_a = 0.25 * beta_score(1, 0, 0.5 * df, 0.5, df / (df + t * t))
    through_z = 0.5 * t_density(df, t) * np.abs(t) / df
    return -np.sign(t) * (through_a + through_z)


special(sc.stdtr, lambda ans, df, t: _t_freedom(df, t), lambda ans, df, t: t_density(df, t))
special(
    sc.stdtrit,
    lambda ans, df, p: -_t_freedom(df, ans) / t_density(df, ans),
    lambda ans, df, p: 1 / t_density(df, ans),
)
special(
    sc.chdtri,
    lambda ans, v, p: -gamma_score(1, 0.5 * v, 0.5 * ans) / gamma_density(0.5 * v, 0.5 * ans),
    lambda ans, v, p: -2 / gamma_density(0.5 * v, 0.5 * ans),
)
special(
    sc.fdtri,
    lambda ans, n, m, p: -_f_slopes(n, m, ans)[0] / _f_slopes(n, m, ans)[2],
    lambda ans, n, m, p: -_f_slopes(n, m, ans)[1] / _f_slopes(n, m, ans)[2],
    lambda ans, n, m, p: 1 / _f_slopes(n, m, ans)[2],
)
