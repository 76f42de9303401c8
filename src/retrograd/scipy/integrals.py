"""Integrals over one variable as one operation, differentiated by Leibniz' rule.

In a limit the derivative is the integrand there; in a parameter it is the integral of the
integrand's derivative, which is found with the same subdivision and accuracy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.integrate

from retrograd.autodiff.operators import jvp, vjp
from retrograd.autodiff.primitive import Everywhere, Primitive, match, rule
from retrograd.autodiff.trace import value_of
from retrograd.errors import DifferentiationError
from retrograd.scipy.callbacks import replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from retrograd.scipy.callbacks import Callback


class Integrand:
    """A function to integrate over its first argument, f(x, *leaves), and how to do it."""

    def __init__(self, f: Callable[..., Any], callback: Callback, options: dict[str, Any]) -> None:
        self.f = f
        self.callback = callback
        self.options = options

    def derived(self, f: Callable[..., Any]) -> Integrand:
        """Another integrand with the same subdivision and accuracy."""
        names = ("epsabs", "epsrel", "limit", "points")
        return Integrand(f, self.callback, {k: self.options[k] for k in names if k in self.options})


def _integral(integrand: Integrand, low: Any, high: Any, *leaves: Any) -> Any:
    """The integral of a number or an array, between plain limits."""

    def f(x: float) -> Any:
        return integrand.callback.checked(integrand.f(x, *leaves))

    if np.ndim(f(_inside(low, high))) == 0:
        return scipy.integrate.quad(lambda x: float(f(x)), low, high, **integrand.options)[0]
    return _of_array(f, low, high, integrand.options)


def _inside(low: float, high: float) -> float:
    """A point between the limits, to ask for the shape of an integrand and its errors."""
    if np.isinf(low):
        return 0.0 if np.isinf(high) else high - 1.0
    return low + 1.0 if np.isinf(high) else low + 0.3819660112501051 * (high - low)


def _of_array(f: Callable[[float], Any], low: Any, high: Any, options: dict[str, Any]) -> Any:
    points = options.get("points")
    found = scipy.integrate.quad_vec(
        lambda x: np.asarray(f(x)).ravel(),
        low,
        high,
        epsabs=options.get("epsabs", 1.49e-8) * 1e-2,
        epsrel=options.get("epsrel", 1.49e-8) * 1e-2,
        limit=max(options.get("limit", 50), 10000),
        points=None if points is None or np.isinf([low, high]).any() else points,
    )[0]
    return np.reshape(found, np.shape(f(_inside(low, high))))


# Arguments: integrand, lower and upper limit, leaves of the parameters.
integral = Primitive(_integral)


def _integral_jvp(
    argnum: int, d: Any, ans: Any, integrand: Integrand, low: Any, high: Any, *leaves: Any
) -> Any:
    """By Leibniz: the integrand at a limit, and the integral of its derivative."""
    if argnum < 3:
        return _at_limit(integrand, (low, high)[argnum - 1], 2 * argnum - 3, leaves) * d

    def slope(x: Any, *more: Any) -> Any:
        *leaves, direction = more
        moved = argnum - 3
        return jvp(
            lambda leaf: integrand.f(x, *replaced(leaves, [moved], [leaf])),
            (leaves[moved],),
            (direction,),
        )[1]

    return integral(integrand.derived(slope), low, high, *leaves, d)


def _at_limit(integrand: Integrand, x: Any, sign: int, leaves: Any) -> Any:
    if np.isinf(value_of(x)):
        raise DifferentiationError(
            f"quad: an integral has no derivative with respect to a limit at {value_of(x)}; pass "
            "the limit as a plain number"
        )
    return sign * integrand.f(x, *leaves)


def _integral_pullback(
    argnums: Sequence[int], g: Any, ans: Any, integrand: Integrand, low: Any, high: Any,
    *leaves: Any,
) -> list[Any]:  # fmt: skip
    """The cotangents of all arguments; those of the parameters are one integral of a vector."""
    moved = [argnum - 3 for argnum in argnums if argnum > 2]
    result: list[Any] = [
        match(np.sum(g * _at_limit(integrand, (low, high)[n - 1], 2 * n - 3, leaves)), low)
        for n in argnums
        if n < 3
    ]
    if not moved:
        return result

    def slope(x: Any, *more: Any) -> Any:
        *leaves, g = more
        _, pullback = vjp(
            lambda *some: integrand.f(x, *replaced(leaves, moved, some)),
            *[leaves[i] for i in moved],
        )
        return np.concatenate([np.reshape(c, (-1,)) for c in pullback(g)])

    found = integral(integrand.derived(slope), low, high, *leaves, g)
    ends = np.cumsum([0, *[int(np.size(leaves[i])) for i in moved]])
    return result + [
        match(np.reshape(found[a:b], np.shape(leaves[i])), leaves[i])
        for a, b, i in zip(ends[:-1], ends[1:], moved, strict=True)
    ]


rule(integral, jvps=Everywhere(_integral_jvp))
integral.pullback = _integral_pullback
