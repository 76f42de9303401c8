"""Bessel functions and their kin: derivatives in the argument, by the recurrences of the order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.special as sc

from retrograd.autodiff.primitive import primitive_for, stands_for
from retrograd.scipy.special.partials import plain, real_only, refused, special, with_outputs

if TYPE_CHECKING:
    from collections.abc import Callable

    Rule = Callable[..., Any]

__all__ = ["spherical_in", "spherical_jn", "spherical_kn", "spherical_yn"]


def _half_difference(f: Rule, v: Any, z: Any) -> Any:
    return 0.5 * (f(v - 1, z) - f(v + 1, z))


def _half_sum(f: Rule, v: Any, z: Any) -> Any:
    return 0.5 * (f(v - 1, z) + f(v + 1, z))


def _of_order(function: Any, slope: Rule) -> None:
    """A function of an order and an argument, by its derivative in the argument."""
    special(function, refused(function.__name__, "the order"), slope)


special(sc.j0, lambda ans, x: -sc.j1(x))
special(sc.j1, lambda ans, x: 0.5 * (sc.j0(x) - sc.jv(2, x)))
special(sc.y0, lambda ans, x: -sc.y1(x))
special(sc.y1, lambda ans, x: sc.y0(x) - ans / x)
special(sc.i0, lambda ans, x: sc.i1(x))
special(sc.i1, lambda ans, x: 0.5 * (sc.i0(x) + sc.iv(2, x)))
special(sc.k0, lambda ans, x: -sc.k1(x))
special(sc.k1, lambda ans, x: -sc.k0(x) - ans / x)
special(sc.i0e, lambda ans, x: sc.i1e(x) - np.sign(x) * ans)
special(sc.i1e, lambda ans, x: 0.5 * (sc.i0e(x) + sc.ive(2, x)) - np.sign(x) * ans)
special(sc.k0e, lambda ans, x: ans - sc.k1e(x))
special(sc.k1e, lambda ans, x: ans - sc.k0e(x) - ans / x)

for _f in (sc.jv, sc.yv, sc.hankel1, sc.hankel2):
    _of_order(_f, lambda ans, v, z, f=_f: _half_difference(f, v, z))
_of_order(sc.iv, lambda ans, v, z: _half_sum(sc.iv, v, z))
_of_order(sc.kv, lambda ans, v, z: -_half_sum(sc.kv, v, z))
_of_order(sc.kve, lambda ans, v, z: ans - _half_sum(sc.kve, v, z))
_of_order(sc.hankel1e, lambda ans, v, z: _half_difference(sc.hankel1e, v, z) - 1j * ans)
_of_order(sc.hankel2e, lambda ans, v, z: _half_difference(sc.hankel2e, v, z) + 1j * ans)
# yn and kn take whole orders only; the orders beside them are real in what follows.
_of_order(sc.yn, lambda ans, n, x: _half_difference(sc.yv, n, x))
_of_order(sc.kn, lambda ans, n, x: -_half_sum(sc.kv, n, x))


def _scaled(function: Any, slope: Rule) -> None:
    """A function scaled by exp of an absolute value, which is not holomorphic."""

    def checked(ans: Any, v: Any, z: Any) -> Any:
        real_only(function.__name__, z)
        return slope(ans, v, z)

    _of_order(function, checked)


_scaled(sc.jve, lambda ans, v, x: _half_difference(sc.jve, v, x))
_scaled(sc.yve, lambda ans, v, x: _half_difference(sc.yve, v, x))
_scaled(sc.ive, lambda ans, v, x: _half_sum(sc.ive, v, x) - np.sign(x) * ans)


def _struve_extra(v: Any, x: Any) -> Any:
    return (0.5 * x) ** v * (sc.rgamma(v + 1.5) / math.sqrt(math.pi))


_of_order(sc.struve, lambda ans, v, x: _half_difference(sc.struve, v, x) + _struve_extra(v, x) / 2)
_of_order(sc.modstruve, lambda ans, v, x: _half_sum(sc.modstruve, v, x) + _struve_extra(v, x) / 2)


def _airy_root(x: Any) -> Any:
    """sqrt(x), the logarithmic derivative of the scale; that of Bi is 1 for negative x."""
    real_only("airye", x)
    positive = np.where(plain(x) > 0, x, 1)
    return np.where(plain(x) > 0, np.sqrt(positive), 0 * x)


with_outputs(
    sc.airy,
    lambda ans, z: ans[1],
    lambda ans, z: z * ans[0],
    lambda ans, z: ans[3],
    lambda ans, z: z * ans[2],
)
with_outputs(
    sc.airye,
    lambda ans, x: ans[1] + _airy_root(x) * ans[0],
    lambda ans, x: x * ans[0] + _airy_root(x) * ans[1],
    lambda ans, x: ans[3] - _airy_root(x) * ans[2],
    lambda ans, x: x * ans[2] - _airy_root(x) * ans[3],
)


def _spherical(function: Any, below: float, above: float) -> Rule:
    """A spherical Bessel function f(n, z) by the orders beside n.

    Its derivative is (below n f(n-1) + above (n+1) f(n+1)) / (2n + 1).
    """
    value = primitive_for(lambda n, z: function(n, z))
    value.name = function.__name__

    def slope(n: Any, z: Any) -> Any:
        n = np.asarray(n) if isinstance(n, list) else n
        lower = np.maximum(n, 1) - 1
        return (below * n * value(lower, z) + above * (n + 1) * value(n + 1, z)) / (2.0 * n + 1)

    special(value, refused(function.__name__, "n"), lambda ans, n, z: slope(n, z))

    def spherical(n: Any, z: Any, derivative: bool = False) -> Any:
        return slope(n, z) if derivative else value(n, z)

    spherical.__name__ = function.__name__
    return stands_for(function)(spherical)


spherical_jn = _spherical(sc.spherical_jn, 1, -1)
spherical_yn = _spherical(sc.spherical_yn, 1, -1)
spherical_in = _spherical(sc.spherical_in, 1, 1)
spherical_kn = _spherical(sc.spherical_kn, -1, -1)
