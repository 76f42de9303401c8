"""The gamma function, its relatives and its logarithmic derivatives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sc

from retrograd.autodiff.dtypes import is_complex
from retrograd.autodiff.primitive import constant, primitive_for, stands_for
from retrograd.errors import MissingRuleError
from retrograd.scipy.special.partials import by_place, plain, refused, special

__all__ = ["polygamma_of", "rgamma_slope", "zeta"]

# B(2k), k = 1 ... 12, of the asymptotic series of the polygamma functions.
_BERNOULLI = (
    1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798,
    -174611 / 330, 854513 / 138, -236364091 / 2730,
)  # fmt: skip
_FAR = 16.0  # where that series has double precision
_MOST_STEPS = 10_000


def _complex_polygamma(n: int, z: Any) -> Any:
    """The n-th derivative of psi, n >= 1, by recurrence and the asymptotic series."""
    steps = max(0, math.ceil(_FAR - float(np.min(z.real, initial=_FAR))))
    if steps > _MOST_STEPS:
        raise MissingRuleError(
            f"psi: no derivative rule covers complex arguments with a real part below "
            f"{_FAR - _MOST_STEPS:.0f}; use the reflection formula."
        )
    tail = sum((z + k) ** -(n + 1.0) for k in range(steps)) * math.factorial(n)
    w = z + steps
    series = math.factorial(n - 1) * w**-n + math.factorial(n) / 2 * w ** -(n + 1.0)
    for k, b in enumerate(_BERNOULLI, 1):
        rising = math.factorial(2 * k + n - 1) / math.factorial(2 * k)
        series = series + b * rising * w ** -(2.0 * k + n)
    return ((-1.0) ** (n + 1) * (tail + series)).astype(z.dtype)[()]


def _polygamma(n: int, x: Any) -> Any:
    """The n-th derivative of psi, in the precision of `x`."""
    if n == 0:
        return sc.psi(x)
    if is_complex(x):
        return _complex_polygamma(n, np.asarray(x))
    return (-1.0) ** (n + 1) * math.factorial(n) * sc.zeta(n + 1.0, x)


# For integer orders that are known when the rule is written; scipy.special.polygamma, which takes
# arrays of orders, goes to double precision.
polygamma_of = special(
    _polygamma, refused("polygamma", "n"), lambda ans, n, x: polygamma_of(n + 1, x)
)
special(sc.polygamma, refused("polygamma", "n"), lambda ans, n, x: polygamma(np.asarray(n) + 1, x))
polygamma = primitive_for(sc.polygamma)

_hurwitz = primitive_for(lambda x, q: sc.zeta(x, q))
_hurwitz.name = "zeta"
special(_hurwitz, refused("zeta", "x"), lambda ans, x, q: -x * _hurwitz(x + 1, q))


@stands_for(sc.zeta)
def zeta(x: Any, q: Any = None, out: Any = None) -> Any:
    """`scipy.special.zeta`, differentiable in `q`."""
    if q is None or out is not None:
        raise refused("zeta", "x" if q is None else "out")()
    return _hurwitz(x, q)


def _reflected_slope(x: Any) -> Any:
    """The derivative of 1/gamma(x) = sin(pi x) gamma(1 - x) / pi, regular at all its zeros."""
    turn = math.pi * x
    return sc.gamma(1 - x) * (np.cos(turn) - np.sin(turn) * sc.psi(1 - x) / math.pi)


def rgamma_slope(x: Any) -> Any:
    """The derivative of 1/gamma, also where gamma has poles."""
    return by_place(
        np.real(plain(x)) < 0.5, x, _reflected_slope,
        lambda x: -sc.psi(x) * sc.rgamma(x), at=(0.25, 1.0),
    )  # fmt: skip


def _is_pole(x: Any) -> Any:
    x = plain(x)
    return (x <= 0) & (x == np.floor(x))


def _rising(z: Any, m: Any) -> Any:
    """psi(z + m) - psi(z): reflected where both have poles that cancel."""
    both = _is_pole(z) & _is_pole(z + m)
    if not np.any(both):
        return sc.psi(z + m) - sc.psi(z)
    z, m = np.where(both, 1 - z - m, z), np.where(both, m, m)
    # psi(1 - z - m) - psi(1 - z) = psi(z') - psi(z' + m) with z' = 1 - z - m
    return np.where(both, -1.0, 1.0) * (sc.psi(z + m) - sc.psi(z))


def _product_slope(x: Any, y: Any) -> Any:
    """The derivative of gamma(x) / gamma(y) where both move alike, also at a pole of gamma(y)."""
    return sc.gamma(x) * (sc.psi(x) * sc.rgamma(y) + rgamma_slope(y))


def _poch_base(ans: Any, z: Any, m: Any) -> Any:
    """The derivative of gamma(z + m) / gamma(z) with respect to z."""
    zero = _is_pole(z) & ~_is_pole(z + m)
    if not np.any(zero):
        return ans * _rising(z, m)
    regular = ans * _rising(np.where(zero, 0.5, z), np.where(zero, 0.25, m))
    at_zero = _product_slope(np.where(zero, z + m, 1.0), np.where(zero, z, 1.0))
    return np.where(zero, at_zero, regular)


def _binomial_top(ans: Any, n: Any, k: Any) -> Any:
    """The derivative of the binomial coefficient with respect to n."""
    zero = _is_pole(n - k + 1)
    regular = ans * (sc.psi(np.where(zero, 1.0, n + 1)) - sc.psi(np.where(zero, 1.0, n - k + 1)))
    if not np.any(zero):
        return regular
    at_zero = _product_slope(np.where(zero, n + 1, 1.0), np.where(zero, n - k + 1, 1.0))
    return np.where(zero, at_zero * sc.rgamma(np.where(zero, k + 1, 1.0)), regular)


def _binomial_bottom(ans: Any, n: Any, k: Any) -> Any:
    """The derivative of the binomial coefficient with respect to k."""
    above, below = _is_pole(n - k + 1), _is_pole(k + 1)
    zero = above | below
    a = np.where(zero, 1.0, n - k + 1)
    b = np.where(zero, 1.0, k + 1)
    regular = ans * (sc.psi(a) - sc.psi(b))
    if not np.any(zero):
        return regular
    top, a, b = (np.where(zero, x, 1.0) for x in (n + 1, n - k + 1, k + 1))
    at_zero = rgamma_slope(b) * sc.rgamma(a) - sc.rgamma(b) * rgamma_slope(a)
    return np.where(zero, sc.gamma(top) * at_zero, regular)


special(sc.gamma, lambda ans, x: ans * sc.psi(x))
special(sc.gammaln, lambda ans, x: sc.psi(x))
special(sc.loggamma, lambda ans, x: sc.psi(x))
special(sc.rgamma, lambda ans, x: rgamma_slope(x))
special(sc.psi, lambda ans, x: polygamma_of(1, x))
special(
    sc.beta,
    lambda ans, a, b: ans * (sc.psi(a) - sc.psi(a + b)),
    lambda ans, a, b: ans * (sc.psi(b) - sc.psi(a + b)),
)
special(
    sc.betaln,
    lambda ans, a, b: sc.psi(a) - sc.psi(a + b),
    lambda ans, a, b: sc.psi(b) - sc.psi(a + b),
)
special(sc.poch, _poch_base, lambda ans, z, m: ans * sc.psi(z + m))
special(sc.binom, _binomial_top, _binomial_bottom)
constant(sc.gammasgn)


@stands_for(sc.multigammaln)  # type: ignore[attr-defined]
def multigammaln(a: Any, d: int) -> Any:
    """`scipy.special.multigammaln`, differentiable in `a`."""
    parts = (sc.gammaln(a - 0.5 * j) for j in range(d))
    return sum(parts) + 0.25 * d * (d - 1) * math.log(math.pi)
