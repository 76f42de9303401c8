"""Elliptic integrals, Jacobi's functions, and the arithmetic-geometric mean.

The closed forms of the derivatives in the parameter m cancel near m = 0: there they are summed,
or integrated, directly.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sc

from retrograd.scipy.special.partials import by_place, plain, special, with_outputs

__all__: list[str] = []

_NEAR = 0.25
_NODES, _WEIGHTS = (x.tolist() for x in np.polynomial.legendre.leggauss(24))


def _first_kind_slope(m: Any) -> Any:
    return by_place(
        np.abs(plain(m)) < _NEAR, m,
        lambda m: math.pi / 8 * sc.hyp2f1(1.5, 1.5, 2.0, m),
        lambda m: (sc.ellipe(m) / (1 - m) - sc.ellipk(m)) / (2 * m),
        at=(0.0, 0.5),
    )  # fmt: skip


def _second_kind_slope(m: Any) -> Any:
    return by_place(
        np.abs(plain(m)) < _NEAR, m,
        lambda m: -math.pi / 8 * sc.hyp2f1(0.5, 1.5, 2.0, m),
        lambda m: (sc.ellipe(m) - sc.ellipk(m)) / (2 * m),
        at=(0.0, 0.5),
    )  # fmt: skip


def _complementary_slope(p: Any) -> Any:
    """The derivative of K(1 - p) with respect to p, exact also for tiny p."""
    return by_place(
        np.abs(plain(p) - 1) < _NEAR, p,
        lambda p: -math.pi / 8 * sc.hyp2f1(1.5, 1.5, 2.0, 1 - p),
        lambda p: -(sc.ellipe(1 - p) / p - sc.ellipkm1(p)) / (2 * (1 - p)),
        at=(1.0, 0.5),
    )  # fmt: skip


def _integral(f: Any, phi: Any, m: Any) -> Any:
    """The integral of f(sin(theta)^2, m) over theta from 0 to phi, by whole half turns."""
    turns = np.round(plain(phi) / math.pi)
    rest = _over(f, phi - (turns * math.pi).astype(plain(phi).dtype), m)
    if not np.any(turns):
        return rest
    return rest + 2 * turns.astype(plain(phi).dtype) * _over(f, math.pi / 2, m)


def _over(f: Any, phi: Any, m: Any) -> Any:
    half = 0.5 * phi
    parts = (
        weight * f(np.sin(half * (1 + node)) ** 2, m)
        for node, weight in zip(_NODES, _WEIGHTS, strict=True)
    )
    return half * sum(parts)


def _incomplete_slope(phi: Any, m: Any, integrand: Any, closed: Any) -> Any:
    """The derivative of an incomplete integral in m: its integrand's near m = 0."""
    near = np.abs(plain(m)) < _NEAR
    if np.all(near):
        return _integral(integrand, phi, m)
    if not np.any(near):
        return closed(phi, m)
    inner = _integral(integrand, phi, np.where(near, m, 0.0))
    return np.where(near, inner, closed(phi, np.where(near, 0.5, m)))


def _first_closed(phi: Any, m: Any) -> Any:
    s, c = np.sin(phi), np.cos(phi)
    extra = m * s * c / np.sqrt(1 - m * s * s)
    return ((sc.ellipeinc(phi, m) - extra) / (1 - m) - sc.ellipkinc(phi, m)) / (2 * m)


def _second_closed(phi: Any, m: Any) -> Any:
    return (sc.ellipeinc(phi, m) - sc.ellipkinc(phi, m)) / (2 * m)


special(sc.ellipk, lambda ans, m: _first_kind_slope(m))
special(sc.ellipe, lambda ans, m: _second_kind_slope(m))
special(sc.ellipkm1, lambda ans, p: _complementary_slope(p))
special(
    sc.ellipkinc,
    lambda ans, phi, m: 1 / np.sqrt(1 - m * np.sin(phi) ** 2),
    lambda ans, phi, m: _incomplete_slope(
        phi, m, lambda s2, m: 0.5 * s2 * (1 - m * s2) ** -1.5, _first_closed
    ),
)
special(
    sc.ellipeinc,
    lambda ans, phi, m: np.sqrt(1 - m * np.sin(phi) ** 2),
    lambda ans, phi, m: _incomplete_slope(
        phi, m, lambda s2, m: -0.5 * s2 * (1 - m * s2) ** -0.5, _second_closed
    ),
)


def _mean_slope(ans: Any, a: Any, b: Any) -> Any:
    """The derivative of agm(a, b) = pi/2 a / K(1 - (b/a)^2) with respect to b."""
    ratio = b / a
    p = ratio * ratio
    return -ans * _complementary_slope(p) / sc.ellipkm1(p) * 2 * ratio / a


special(sc.agm, lambda ans, a, b: _mean_slope(ans, b, a), lambda ans, a, b: _mean_slope(ans, a, b))

# sn, cn, dn and the amplitude; not in m.
with_outputs(
    sc.ellipj,
    lambda ans, u, m: ans[1] * ans[2],
    lambda ans, u, m: -ans[0] * ans[2],
    lambda ans, u, m: -m * ans[0] * ans[1],
    lambda ans, u, m: ans[2],
)
