"""Continuous families: each by its formulas in standard form, at location 0 and scale 1.

Of log and plain forms one is enough: `logcdf` follows from `cdf`, `sf` from `logsf`.
"""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.special as sc
import scipy.stats as st

from retrograd.autodiff.trace import value_of
from retrograd.scipy import special
from retrograd.scipy.special.cumulative import t_log_density
from retrograd.scipy.stats.distribution import register, where_regular

if TYPE_CHECKING:
    from collections.abc import Callable

    Formula = Callable[..., Any]

assert special  # registers the rules of the functions below

_ROOT_2 = math.sqrt(2)
_LOG_2PI = math.log(2 * math.pi)
_DENSITIES = ("pdf", "logpdf")
_QUANTILES = ("ppf", "isf")


def continuous(original: Any, interior: tuple[float, ...], **formulas: Formula) -> None:
    """Register the methods of a family.

    Args:
        original: SciPy's distribution.
        interior: a point inside the support, and valid shape parameters that go with it.
        formulas: by method, as functions of the standardised variable (or the probability) and
            of the shape parameters.
    """
    empty = inspect.Parameter.empty
    shapes = [name.strip() for name in original.shapes.split(",")] if original.shapes else []
    rest = [*((name, empty) for name in shapes), ("loc", 0), ("scale", 1)]
    for name, formula in _completed(formulas).items():
        first = "q" if name in _QUANTILES else "x"
        scaled = _scaled(name, formula)
        regular = _regular(original, name)
        point = (0.5, *interior[1:]) if name in _QUANTILES else interior

        def method(
            value: Any, *arguments: Any, f: Formula = scaled, regular: Formula = regular,
            interior: tuple[float, ...] = (*point, 0.0, 1.0),
        ) -> Any:  # fmt: skip
            plain = [value_of(x) for x in arguments]
            return where_regular(regular(value, *plain), value, f, arguments, interior)

        register(original, name, [(first, empty), *rest], method)


def _completed(formulas: dict[str, Formula]) -> dict[str, Formula]:
    """With the plain form of each logarithm, and the logarithm of each plain form."""
    found = dict(formulas)
    for log, plain in (("logpdf", "pdf"), ("logcdf", "cdf"), ("logsf", "sf")):
        if log in formulas and plain not in formulas:
            found[plain] = _after(np.exp, formulas[log])
        elif plain in formulas and log not in formulas:
            found[log] = _after(np.log, formulas[plain])
    return found


def _after(outer: Formula, inner: Formula) -> Formula:
    return lambda *args: outer(inner(*args))


def _scaled(name: str, f: Formula) -> Formula:
    """A formula in standard form, for any location and scale."""
    if name in _QUANTILES:
        return lambda q, *rest: rest[-2] + rest[-1] * f(q, *rest[:-2])
    if name == "logpdf":
        return lambda x, *rest: f((x - rest[-2]) / rest[-1], *rest[:-2]) - np.log(rest[-1])
    if name == "pdf":
        return lambda x, *rest: f((x - rest[-2]) / rest[-1], *rest[:-2]) / rest[-1]
    return lambda x, *rest: f((x - rest[-2]) / rest[-1], *rest[:-2])


def _regular(original: Any, name: str) -> Formula:
    """Where a method has its formula's value, by SciPy's value and plain arguments."""
    if name in _QUANTILES:
        return lambda value, q, *rest: np.isfinite(value) & (q > 0) & (q < 1)

    def inside(value: Any, x: Any, *rest: Any) -> Any:
        low, high = original.support(*rest)
        between = (x > low) & (x < high)
        if name in _DENSITIES:
            positive = value > 0 if name == "pdf" else True
            between = between | (((x == low) | (x == high)) & positive)
        return np.isfinite(value) & between

    return inside


def _f_log_density(y: Any, n: Any, m: Any) -> Any:
    known = 0.5 * n * np.log(n) + 0.5 * m * np.log(m) - sc.betaln(0.5 * n, 0.5 * m)
    return known + sc.xlogy(0.5 * n - 1, y) - 0.5 * (n + m) * np.log(m + n * y)


def _f_isf(q: Any, n: Any, m: Any) -> Any:
    z = sc.betaincinv(0.5 * m, 0.5 * n, q)
    return m * (1 - z) / (n * z)


continuous(
    st.norm, (0.0,),
    logpdf=lambda y: -0.5 * y * y - 0.5 * _LOG_2PI,
    cdf=lambda y: sc.ndtr(y),
    sf=lambda y: sc.ndtr(-y),
    logcdf=lambda y: sc.log_ndtr(y),
    logsf=lambda y: sc.log_ndtr(-y),
    ppf=lambda q: sc.ndtri(q),
    isf=lambda q: -sc.ndtri(q),
)  # fmt: skip
continuous(
    st.uniform, (0.5,),
    logpdf=lambda y: 0 * y,
    cdf=lambda y: y,
    sf=lambda y: 1 - y,
    ppf=lambda q: q,
    isf=lambda q: 1 - q,
)  # fmt: skip
continuous(
    st.expon, (1.0,),
    logpdf=lambda y: -y,
    cdf=lambda y: -np.expm1(-y),
    logsf=lambda y: -y,
    ppf=lambda q: -np.log1p(-q),
    isf=lambda q: -np.log(q),
)  # fmt: skip


def _laplace_log_cdf(y: Any) -> Any:
    below, above = np.minimum(y, 0), np.maximum(y, 0)
    return np.where(value_of(y) > 0, np.log1p(-0.5 * np.exp(-above)), below - math.log(2))


def _laplace_ppf(q: Any) -> Any:
    low = value_of(q) < 0.5
    below, above = np.where(low, q, 0.5), np.where(low, 0.5, q)
    return np.where(low, np.log(2 * below), -np.log(2 - 2 * above))


continuous(
    st.laplace, (0.5,),
    logpdf=lambda y: -np.abs(y) - math.log(2),
    logcdf=_laplace_log_cdf,
    logsf=lambda y: _laplace_log_cdf(-y),
    ppf=_laplace_ppf,
    isf=lambda q: -_laplace_ppf(q),
)  # fmt: skip
continuous(
    st.logistic, (0.0,),
    logpdf=lambda y: sc.log_expit(y) + sc.log_expit(-y),
    cdf=lambda y: sc.expit(y),
    sf=lambda y: sc.expit(-y),
    logcdf=lambda y: sc.log_expit(y),
    logsf=lambda y: sc.log_expit(-y),
    ppf=lambda q: sc.logit(q),
    isf=lambda q: -sc.logit(q),
)  # fmt: skip
continuous(
    st.lognorm, (1.0, 1.0),
    logpdf=lambda y, s: -0.5 * (np.log(y) / s) ** 2 - np.log(s * y) - 0.5 * _LOG_2PI,
    cdf=lambda y, s: sc.ndtr(np.log(y) / s),
    sf=lambda y, s: sc.ndtr(-np.log(y) / s),
    logcdf=lambda y, s: sc.log_ndtr(np.log(y) / s),
    logsf=lambda y, s: sc.log_ndtr(-np.log(y) / s),
    ppf=lambda q, s: np.exp(s * sc.ndtri(q)),
    isf=lambda q, s: np.exp(-s * sc.ndtri(q)),
)  # fmt: skip


def _cauchy_isf(q: Any) -> Any:
    """The cotangent of pi q, from the nearer end of the interval."""
    low = value_of(q) < 0.5
    near = math.pi * np.where(low, q, 1 - q)
    return np.where(low, 1, -1).astype(near.dtype) / np.tan(near)


continuous(
    st.cauchy, (0.0,),
    logpdf=lambda y: -np.log1p(y * y) - math.log(math.pi),
    cdf=lambda y: np.arctan2(1, -y) / math.pi,
    sf=lambda y: np.arctan2(1, y) / math.pi,
    ppf=lambda q: -_cauchy_isf(q),
    isf=lambda q: _cauchy_isf(q),
)  # fmt: skip
continuous(
    st.halfnorm, (1.0,),
    logpdf=lambda y: -0.5 * y * y + 0.5 * math.log(2 / math.pi),
    cdf=lambda y: sc.erf(y / _ROOT_2),
    sf=lambda y: sc.erfc(y / _ROOT_2),
    logsf=lambda y: sc.log_ndtr(-y) + math.log(2),
    ppf=lambda q: sc.ndtri(0.5 + 0.5 * q),
    isf=lambda q: -sc.ndtri(0.5 * q),
)  # fmt: skip
continuous(
    st.halfcauchy, (1.0,),
    logpdf=lambda y: -np.log1p(y * y) + math.log(2 / math.pi),
    cdf=lambda y: 2 / math.pi * np.arctan(y),
    sf=lambda y: 2 / math.pi * np.arctan2(1, y),
    ppf=lambda q: np.tan(math.pi / 2 * q),
    isf=lambda q: 1 / np.tan(math.pi / 2 * q),
)  # fmt: skip
continuous(
    st.gamma, (1.0, 1.0),
    logpdf=lambda y, a: sc.xlogy(a - 1, y) - y - sc.gammaln(a),
    cdf=lambda y, a: sc.gammainc(a, y),
    sf=lambda y, a: sc.gammaincc(a, y),
    ppf=lambda q, a: sc.gammaincinv(a, q),
    isf=lambda q, a: sc.gammainccinv(a, q),
)  # fmt: skip
continuous(
    st.invgamma, (1.0, 1.0),
    logpdf=lambda y, a: -(a + 1) * np.log(y) - sc.gammaln(a) - 1 / y,
    cdf=lambda y, a: sc.gammaincc(a, 1 / y),
    sf=lambda y, a: sc.gammainc(a, 1 / y),
    ppf=lambda q, a: 1 / sc.gammainccinv(a, q),
    isf=lambda q, a: 1 / sc.gammaincinv(a, q),
)  # fmt: skip
continuous(
    st.chi2, (1.0, 2.0),
    logpdf=lambda y, df: (
        sc.xlogy(0.5 * df - 1, y) - 0.5 * y - sc.gammaln(0.5 * df) - 0.5 * math.log(2) * df
    ),
    cdf=lambda y, df: sc.gammainc(0.5 * df, 0.5 * y),
    sf=lambda y, df: sc.gammaincc(0.5 * df, 0.5 * y),
    ppf=lambda q, df: 2 * sc.gammaincinv(0.5 * df, q),
    isf=lambda q, df: 2 * sc.gammainccinv(0.5 * df, q),
)  # fmt: skip
continuous(
    st.beta, (0.5, 1.0, 1.0),
    logpdf=lambda y, a, b: sc.xlogy(a - 1, y) + sc.xlog1py(b - 1, -y) - sc.betaln(a, b),
    cdf=lambda y, a, b: sc.betainc(a, b, y),
    sf=lambda y, a, b: sc.betaincc(a, b, y),
    ppf=lambda q, a, b: sc.betaincinv(a, b, q),
    isf=lambda q, a, b: sc.betainccinv(a, b, q),
)  # fmt: skip
continuous(
    st.t, (1.0, 1.0),
    logpdf=lambda y, df: t_log_density(df, y),
    cdf=lambda y, df: sc.stdtr(df, y),
    sf=lambda y, df: sc.stdtr(df, -y),
    ppf=lambda q, df: sc.stdtrit(df, q),
    isf=lambda q, df: -sc.stdtrit(df, q),
)  # fmt: skip
continuous(
    st.f, (1.0, 1.0, 1.0),
    logpdf=_f_log_density,
    cdf=lambda y, n, m: sc.fdtr(n, m, y),
    sf=lambda y, n, m: sc.fdtrc(n, m, y),
    ppf=lambda q, n, m: sc.fdtri(n, m, q),
    isf=_f_isf,
)  # fmt: skip
continuous(
    st.weibull_min, (1.0, 1.0),
    logpdf=lambda y, c: np.log(c) + sc.xlogy(c - 1, y) - y**c,
    cdf=lambda y, c: -np.expm1(-(y**c)),
    logsf=lambda y, c: -(y**c),
    ppf=lambda q, c: (-np.log1p(-q)) ** (1 / c),
    isf=lambda q, c: (-np.log(q)) ** (1 / c),
)  # fmt: skip
continuous(
    st.pareto, (2.0, 1.0),
    logpdf=lambda y, b: np.log(b) - (b + 1) * np.log(y),
    cdf=lambda y, b: -np.expm1(-b * np.log(y)),
    logsf=lambda y, b: -b * np.log(y),
    ppf=lambda q, b: np.exp(-np.log1p(-q) / b),
    isf=lambda q, b: q ** (-1 / b),
)  # fmt: skip


def _gumbel_sf(y: Any) -> Any:
    """Beyond 80 it is zero, and so are its derivatives; exp(y) soon overflows there."""
    return np.exp(-np.exp(np.minimum(y, 80)))


def _gumbel_cdf(y: Any) -> Any:
    return -np.expm1(-np.exp(np.minimum(y, 80)))


def _gumbel_pdf(y: Any) -> Any:
    y = np.minimum(y, 80)
    return np.exp(y - np.exp(y))


continuous(
    st.gumbel_r, (0.0,),
    pdf=lambda y: _gumbel_pdf(-y),
    logpdf=lambda y: -y - np.exp(-y),
    cdf=lambda y: _gumbel_sf(-y),
    logcdf=lambda y: -np.exp(-y),
    sf=lambda y: _gumbel_cdf(-y),
    ppf=lambda q: -np.log(-np.log(q)),
    isf=lambda q: -np.log(-np.log1p(-q)),
)  # fmt: skip
continuous(
    st.gumbel_l, (0.0,),
    pdf=_gumbel_pdf,
    logpdf=lambda y: y - np.exp(y),
    cdf=_gumbel_cdf,
    sf=_gumbel_sf,
    logsf=lambda y: -np.exp(y),
    ppf=lambda q: np.log(-np.log1p(-q)),
    isf=lambda q: np.log(-np.log(q)),
)  # fmt: skip
continuous(
    st.rayleigh, (1.0,),
    logpdf=lambda y: np.log(y) - 0.5 * y * y,
    cdf=lambda y: -np.expm1(-0.5 * y * y),
    logsf=lambda y: -0.5 * y * y,
    ppf=lambda q: np.sqrt(-2 * np.log1p(-q)),
    isf=lambda q: np.sqrt(-2 * np.log(q)),
)  # fmt: skip
continuous(
    st.vonmises, (0.0, 1.0),
    logpdf=lambda y, kappa: kappa * sc.cosm1(y) - np.log(sc.i0e(kappa)) - _LOG_2PI,
)  # fmt: skip
continuous(
    st.skewnorm, (0.0, 1.0),
    logpdf=lambda y, a: math.log(2) - 0.5 * y * y - 0.5 * _LOG_2PI + sc.log_ndtr(a * y),
)  # fmt: skip


def _triangle(low: Formula, high: Formula) -> Formula:
    """One formula up to the mode c and another one beyond."""

    def formula(y: Any, c: Any) -> Any:
        below = (value_of(y) < value_of(c)) | (value_of(c) == 1)
        # Neither formula is asked in the places of the other: at c = 0 and c = 1 there is but one.
        near, far = np.where(below, c, 0.5), np.where(below, 0.5, c)
        return np.where(below, low(y, near), high(1 - y, 1 - far))

    return formula


def _triangle_ppf(q: Any, c: Any) -> Any:
    below = value_of(q) < value_of(c)
    near, far = np.where(below, q * c, 1), np.where(below, 1, (1 - q) * (1 - c))
    return np.where(below, np.sqrt(near), 1 - np.sqrt(far))


continuous(
    st.triang, (0.3, 0.5),
    pdf=_triangle(lambda y, c: 2 * y / c, lambda y, c: 2 * y / c),
    cdf=_triangle(lambda y, c: y * y / c, lambda y, c: 1 - y * y / c),
    sf=_triangle(lambda y, c: 1 - y * y / c, lambda y, c: y * y / c),
    ppf=_triangle_ppf,
    isf=lambda q, c: _triangle_ppf(1 - q, c),
)  # fmt: skip


def _log_normal_mass(a: Any, b: Any) -> Any:
    """log P(a < Z < b) of a standard normal Z, from the tail that is nearer."""
    flipped = value_of(a) > 0
    low, high = np.where(flipped, -b, a), np.where(flipped, -a, b)
    bounded, log_high = value_of(low) > -np.inf, sc.log_ndtr(high)
    share = sc.log_ndtr(np.where(bounded, low, 0)) - log_high
    return log_high + np.log(-np.expm1(np.where(bounded, share, -np.inf)))


continuous(
    st.truncnorm, (0.0, -1.0, 1.0),
    logpdf=lambda y, a, b: -0.5 * y * y - 0.5 * _LOG_2PI - _log_normal_mass(a, b),
    logcdf=lambda y, a, b: _log_normal_mass(a, y) - _log_normal_mass(a, b),
    logsf=lambda y, a, b: _log_normal_mass(y, b) - _log_normal_mass(a, b),
)  # fmt: skip
