"""The error function, the normal distribution function, and what is built from them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sc

from retrograd.autodiff.dtypes import is_complex
from retrograd.scipy.special.partials import by_place, plain, special

__all__ = ["log_ndtr_slope"]

_ROOT_PI = math.sqrt(math.pi)
_ROOT_2PI = math.sqrt(2 * math.pi)
# From here on asymptotic series have double precision, and the closed forms lose it.
_FAR = 20.0
_TERMS = 9


def _falling_tail(u: Any) -> Any:
    """1 + 3u + 3*5 u^2 + 3*5*7 u^3 + ..., for |u| at most 1/800."""
    total = 1.0 + 0 * u
    for k in range(_TERMS, 0, -1):
        total = 1 + (2 * k + 1) * u * total
    return total


def _scaled_complement_slope(x: Any) -> Any:
    """The derivative of erfcx: 2 x erfcx(x) - 2/sqrt(pi), which cancels far out."""
    far = np.real(plain(x)) > _FAR
    return by_place(
        far, x,
        lambda x: -_falling_tail(-0.5 * (1 / x) ** 2) * (1 / x) ** 2 / _ROOT_PI,
        lambda x: 2 * x * sc.erfcx(x) - 2 / _ROOT_PI,
        at=(2 * _FAR, 0.0),
    )  # fmt: skip


def _dawson_slope(x: Any) -> Any:
    far = np.abs(np.real(plain(x))) > _FAR
    return by_place(
        far, x,
        lambda x: -0.5 * _falling_tail(0.5 / (x * x)) / (x * x),
        lambda x: 1 - 2 * x * sc.dawsn(x),
        at=(2 * _FAR, 0.0),
    )  # fmt: skip


def _faddeeva_slope(z: Any) -> Any:
    far = (np.abs(plain(z)) > _FAR) & (np.imag(plain(z)) >= 0)
    return by_place(
        far, z,
        lambda z: -1j / (_ROOT_PI * z * z) * _falling_tail(0.5 / (z * z)),
        lambda z: 2j / _ROOT_PI - 2 * z * sc.wofz(z),
        at=(2 * _FAR, 0.0),
    )  # fmt: skip


def _square(x: Any) -> Any:
    """x^2 for an exponent; real numbers beyond 200 as 200, where exp(-x^2/2) is zero already."""
    if not is_complex(x):
        x = np.minimum(np.maximum(x, -200), 200)
    return x * x


def log_ndtr_slope(x: Any) -> Any:
    """The density of the normal distribution over its distribution function, in either tail."""
    return by_place(
        np.real(plain(x)) < 0, x,
        lambda x: math.sqrt(2 / math.pi) / sc.erfcx(-math.sqrt(0.5) * x),
        lambda x: np.exp(-0.5 * _square(x)) / (_ROOT_2PI * sc.ndtr(x)),
        at=(-1.0, 1.0),
    )  # fmt: skip


special(sc.erf, lambda ans, x: 2 / _ROOT_PI * np.exp(-_square(x)))
special(sc.erfc, lambda ans, x: -2 / _ROOT_PI * np.exp(-_square(x)))
special(sc.erfi, lambda ans, x: 2 / _ROOT_PI * np.exp(x * x))
special(sc.erfcx, lambda ans, x: _scaled_complement_slope(x))
special(sc.dawsn, lambda ans, x: _dawson_slope(x))
special(sc.wofz, lambda ans, z: _faddeeva_slope(z))
special(sc.erfinv, lambda ans, y: _ROOT_PI / 2 * np.exp(ans * ans))
special(sc.erfcinv, lambda ans, y: -_ROOT_PI / 2 * np.exp(ans * ans))
special(sc.ndtr, lambda ans, x: np.exp(-0.5 * _square(x)) / _ROOT_2PI)
special(sc.ndtri, lambda ans, y: _ROOT_2PI * np.exp(0.5 * ans * ans))
special(sc.log_ndtr, lambda ans, x: log_ndtr_slope(x))
special(sc.ndtri_exp, lambda ans, y: 1 / log_ndtr_slope(ans))
special(
    sc.owens_t,
    lambda ans, h, a: -0.5 / _ROOT_2PI * np.exp(-0.5 * h * h) * sc.erf(math.sqrt(0.5) * a * h),
    lambda ans, h, a: np.exp(-0.5 * h * h * (1 + a * a)) / (2 * math.pi * (1 + a * a)),
)
