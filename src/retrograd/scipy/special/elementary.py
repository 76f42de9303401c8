"""Elementary functions of `scipy.special`: logarithms, powers, entropies, losses, degrees."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sc

from retrograd.autodiff.primitive import constant, stands_for
from retrograd.scipy.special.partials import by_place, plain, special

__all__: list[str] = []

_DEGREE = math.pi / 180

special(sc.expm1, lambda ans, x: ans + 1)
special(sc.log1p, lambda ans, x: 1 / (1 + x))
special(sc.exp2, lambda ans, x: ans * math.log(2))
special(sc.exp10, lambda ans, x: ans * math.log(10))
special(sc.cosm1, lambda ans, x: -np.sin(x))
special(sc.cbrt, lambda ans, x: 1 / (3 * ans * ans))
special(sc.exprel, lambda ans, x: 0.5 * sc.hyp1f1(2, 3, x))
special(sc.sindg, lambda ans, x: sc.cosdg(x) * _DEGREE)
special(sc.cosdg, lambda ans, x: -sc.sindg(x) * _DEGREE)
special(sc.tandg, lambda ans, x: (1 + ans * ans) * _DEGREE)
special(sc.cotdg, lambda ans, x: -(1 + ans * ans) * _DEGREE)
special(
    sc.radian,
    lambda ans, d, m, s: _DEGREE + 0 * ans,
    lambda ans, d, m, s: _DEGREE / 60 + 0 * ans,
    lambda ans, d, m, s: _DEGREE / 3600 + 0 * ans,
)
constant(sc.round)

special(sc.logit, lambda ans, p: 1 / (p * (1 - p)))
special(sc.expit, lambda ans, x: ans * sc.expit(-x))
special(sc.log_expit, lambda ans, x: sc.expit(-x))


def _quotient(x: Any, y: Any) -> Any:
    """x/y, and 0 for 0/0: what a term x log(y) that is absent changes with y."""
    absent = (plain(x) == 0) & (plain(y) == 0)
    return x / np.where(absent, 1, y) if np.any(absent) else x / y


def _log(y: Any) -> Any:
    """log(y), without a warning at 0; of a Python number another one, which promotes nothing."""
    return math.log(y) if isinstance(y, int | float) and y > 0 else sc.xlogy(1, y)


def _log1p(y: Any) -> Any:
    return math.log1p(y) if isinstance(y, int | float) and y > -1 else sc.xlog1py(1, y)


special(sc.xlogy, lambda ans, x, y: _log(y), lambda ans, x, y: _quotient(x, y))
special(sc.xlog1py, lambda ans, x, y: _log1p(y), lambda ans, x, y: _quotient(x, 1 + y))
special(
    sc.powm1,
    lambda ans, x, y: y * x ** (y - 1),
    lambda ans, x, y: (ans + 1) * sc.xlogy(1, np.where(plain(x) == 0, 1, x)),
)


def _where_finite(ans: Any, partial: Any) -> Any:
    """A partial derivative inside the domain; the function is a constant infinity outside."""
    outside = np.isinf(plain(ans))
    return np.where(outside, 0, partial) if np.any(outside) else partial


def _log_ratio(x: Any, y: Any) -> Any:
    """log(x/y), -inf at x = 0, and 0 for 0/0."""
    outside = (plain(x) < 0) | (plain(y) <= 0)
    return sc.xlogy(1, np.where(outside, 1, x) / np.where(outside, 1, y))


special(sc.entr, lambda ans, x: _where_finite(ans, -1 - sc.xlogy(1, np.where(plain(x) < 0, 1, x))))
special(
    sc.rel_entr,
    lambda ans, x, y: _where_finite(ans, _log_ratio(x, y) + 1),
    lambda ans, x, y: _where_finite(ans, -_quotient(x, y)),
)
special(
    sc.kl_div,
    lambda ans, x, y: _where_finite(ans, _log_ratio(x, y)),
    lambda ans, x, y: _where_finite(ans, 1 - _quotient(x, y)),
)

# The Huber losses for a negative delta are infinite.
special(
    sc.huber,
    lambda ans, delta, r: _where_finite(ans, np.maximum(np.abs(r) - delta, 0)),
    lambda ans, delta, r: _where_finite(ans, np.where(np.abs(plain(r)) <= plain(delta), r,
                                                      delta * np.sign(r))),
)  # fmt: skip


def _hypotenuse(delta: Any, r: Any) -> Any:
    d = np.hypot(delta, r)
    return np.where(plain(d) == 0, 1, d)


def _pseudo_huber_delta(ans: Any, delta: Any, r: Any) -> Any:
    """(d - delta)^2 / d with d = hypot(delta, r), without the difference."""
    d = _hypotenuse(delta, r)
    rise = r * r / (d + delta)
    return rise * rise / d


special(
    sc.pseudo_huber,
    lambda ans, delta, r: _where_finite(ans, _pseudo_huber_delta(ans, abs(delta), r)),
    lambda ans, delta, r: _where_finite(ans, delta * r / _hypotenuse(delta, r)),
)


def _second_exprel(u: Any) -> Any:
    """The derivative of (exp(u) - 1) / u."""
    return 0.5 * sc.hyp1f1(2, 3, u)


def _power_transform_slope(log: Any, power: Any) -> Any:
    """The derivative of (exp(power log) - 1) / power with respect to the power, also at 0.

    At log = -inf the transform is -1/power.
    """
    empty = np.isneginf(plain(log))
    if not np.any(empty):
        return log * log * _second_exprel(power * log)
    finite = np.where(empty, 0, log)
    at_empty = 1 / np.where(empty & (plain(power) != 0), power, 1) ** 2
    return np.where(empty, at_empty, finite * finite * _second_exprel(power * finite))


def _log_share(u: Any) -> Any:
    """(u/(1+u) - log(1+u)) / u^2, which tends to -1/2 at 0."""
    return by_place(np.abs(plain(u)) < 0.05, u, _log_share_near_0, _log_share_away, at=(0.0, 1.0))


def _log_share_near_0(u: Any) -> Any:
    total = 0 * u
    for n in range(14, 1, -1):
        total = (1 / n - 1) - u * total
    return total


def _log_share_away(u: Any) -> Any:
    return (u / (1 + u) - np.log1p(u)) / (u * u)


special(
    sc.boxcox,
    lambda ans, x, lmbda: x ** (lmbda - 1),
    lambda ans, x, lmbda: _power_transform_slope(sc.xlogy(1, x), lmbda),
)
special(
    sc.boxcox1p,
    lambda ans, x, lmbda: (1 + x) ** (lmbda - 1),
    lambda ans, x, lmbda: _power_transform_slope(sc.xlog1py(1, x), lmbda),
)
special(
    sc.inv_boxcox,
    lambda ans, y, lmbda: ans ** (1 - lmbda),
    lambda ans, y, lmbda: ans * y * y * _log_share(lmbda * y),
)
special(
    sc.inv_boxcox1p,
    lambda ans, y, lmbda: (1 + ans) ** (1 - lmbda),
    lambda ans, y, lmbda: (1 + ans) * y * y * _log_share(lmbda * y),
)

if hasattr(sc, "softplus"):  # SciPy 1.17

    @stands_for(sc.softplus)
    def softplus(x: Any) -> Any:
        """`scipy.special.softplus`."""
        return np.logaddexp(0, x)
