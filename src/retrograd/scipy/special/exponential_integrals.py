"""Exponential, trigonometric and hyperbolic integrals, Fresnel's and Spence's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sc

from retrograd.scipy.special.bessel_functions import spherical_in, spherical_jn
from retrograd.scipy.special.partials import by_place, plain, refused, special, with_outputs

__all__: list[str] = []


def _next_order(ans: Any, n: Any, x: Any) -> Any:
    """The derivative of E_n: -E_(n-1); of E_0 = exp(-x)/x by itself."""
    order = plain(n)
    if np.any((order < 1) & (order != 0)):
        raise refused("expn", "x for an order below 1 that is not 0")()
    if not np.any(order == 0):
        return -sc.expn(n - 1, x)
    lowest = -ans * (1 + 1 / x)
    if np.all(order == 0):
        return lowest
    return np.where(order == 0, lowest, -sc.expn(np.where(order == 0, 1, n) - 1, x))


def _over_itself(y: Any, z: Any) -> Any:
    """y/z, infinite at 0 as the integral itself is."""
    with np.errstate(divide="ignore"):
        return y / z


def _spence_slope(z: Any) -> Any:
    """log(z) / (1 - z), which tends to -1 at 1."""
    near = np.abs(plain(z) - 1) < 0.05
    return by_place(near, z, _log_quotient_near_1, lambda z: np.log(z) / (1 - z), at=(1.0, 2.0))


def _log_quotient_near_1(z: Any) -> Any:
    u = z - 1
    total = 0 * u
    for n in range(14, 0, -1):
        total = -1 / n - u * total
    return total


special(sc.exp1, lambda ans, z: -np.exp(-z) / z)
special(sc.expi, lambda ans, z: np.exp(z) / z)
special(sc.expn, refused("expn", "n"), _next_order)
special(sc.spence, lambda ans, z: _spence_slope(z))
# sin(z)/z and sinh(z)/z, with all their derivatives at 0.
with_outputs(sc.sici, lambda ans, z: spherical_jn(0, z), lambda ans, z: _over_itself(np.cos(z), z))
with_outputs(
    sc.shichi, lambda ans, z: spherical_in(0, z), lambda ans, z: _over_itself(np.cosh(z), z)
)
with_outputs(
    sc.fresnel,
    lambda ans, z: np.sin(0.5 * math.pi * z * z),
    lambda ans, z: np.cos(0.5 * math.pi * z * z),
)
