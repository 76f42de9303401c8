"""Polynomials: NumPy's functions of coefficients (highest power first), and its series.

The series of `numpy.polynomial` cannot be intercepted by NumPy itself: call them through
`retrograd.numpy`, or find them in the registry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.primitive import primitive_for, rule, stands_for
from retrograd.autodiff.rules.joining import as_array, as_float
from retrograd.autodiff.trace import value_of
from retrograd.errors import ArgumentError, DifferentiationError, MissingRuleError

if TYPE_CHECKING:
    from collections.abc import Callable


def _vector(p: Any) -> Any:
    """Coefficients as a vector; a polynomial object is taken by its coefficients."""
    p = as_array(p.coeffs if isinstance(p, np.poly1d) else p)
    return np.reshape(p, (-1,)) if np.ndim(p) == 0 else p


@stands_for(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """`numpy.polyval`, by Horner's rule."""
    if isinstance(x, np.poly1d):
        raise MissingRuleError(
            "polyval: x is a poly1d, which cannot hold a derivative; compose the polynomials "
            "with polymul and polyadd"
        )
    p, x = _vector(p), as_array(x)
    y = np.zeros_like(value_of(x))
    for coefficient in p:
        y = y * x + coefficient
    return y


def _aligned(a1: Any, a2: Any) -> tuple[Any, Any]:
    """Two vectors of coefficients, the shorter one filled up with zeros in front."""
    a1, a2 = _vector(a1), _vector(a2)
    length = max(len(a1), len(a2))
    return _filled(a1, length), _filled(a2, length)


def _filled(a: Any, length: int) -> Any:
    missing = length - len(a)
    return np.concatenate([np.zeros(missing, a.dtype), a]) if missing else a


@stands_for(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    """`numpy.polyadd`."""
    a1, a2 = _aligned(a1, a2)
    return a1 + a2


@stands_for(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    """`numpy.polysub`."""
    a1, a2 = _aligned(a1, a2)
    return a1 - a2


@stands_for(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """`numpy.polymul`; leading zeros are dropped, as NumPy does."""
    return np.convolve(_without_leading_zeros(a1), _without_leading_zeros(a2))


def _without_leading_zeros(a: Any) -> Any:
    a = _vector(a)
    present = np.flatnonzero(value_of(a))
    return a[present[0] :] if len(present) else a[-1:]


@stands_for(np.polydiv)
def polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    """`numpy.polydiv`: quotient and remainder."""
    u, v = _vector(u) + 0.0, _vector(v) + 0.0
    rest = u.astype(np.result_type(u.dtype, v.dtype))
    quotient: list[Any] = []
    for k in range(len(u) - len(v) + 1):
        factor = rest[k] / v[0]
        quotient.append(factor)
        taken = [np.zeros(k), factor * v, np.zeros(len(u) - len(v) - k)]
        rest = rest - np.concatenate([part.astype(rest.dtype) for part in taken])
    first = 0
    while first < len(rest) - 1 and np.allclose(value_of(rest[first]), 0, rtol=1e-14):
        first += 1
    return np.stack(quotient) if quotient else np.zeros(1, rest.dtype), rest[first:]


@stands_for(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    """`numpy.polyder`."""
    if int(m) < 0:
        raise ArgumentError(f"polyder: the order must not be negative, got m={m}; see polyint")
    p = _vector(p)
    for _ in range(int(m)):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


@stands_for(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """`numpy.polyint`; the constants of integration `k` may be traced."""
    m = int(m)
    if m < 0:
        raise ArgumentError(f"polyint: the order must not be negative, got m={m}; see polyder")
    p, k = _vector(p), _vector(np.zeros(max(m, 1)) if k is None else k)
    if len(k) == 1:
        k = np.broadcast_to(k, (m,))
    if len(k) < m:
        raise ArgumentError(f"polyint: k has {len(k)} constants; give one, or {m}")
    for i in range(m):
        p = np.concatenate([p / np.arange(len(p), 0, -1), k[i : i + 1]])
    return p


@stands_for(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """`numpy.poly`: the coefficients of the polynomial with these zeros."""
    zeros = _vector(seq_of_zeros)
    if np.ndim(zeros) == 2:
        zeros = np.linalg.eigvals(zeros)
    result = np.ones(1, zeros.dtype)
    for zero in zeros:
        result = np.concatenate([result, result[:1] * 0]) - zero * np.concatenate(
            [result[:1] * 0, result]
        )
    plain = value_of(zeros)
    if plain.dtype.kind == "c" and np.all(np.sort(plain) == np.sort(plain.conj())):
        return np.real(result)
    return result


def _slopes_at_roots(roots: Any, p: Any) -> Any:
    """The derivative of a polynomial at its roots, which must be simple."""
    powers = np.arange(len(p) - 1, 0, -1).astype(p.dtype)
    slopes = polyval(p[:-1] * powers, roots)
    if not np.all(value_of(slopes)):
        raise DifferentiationError(
            "roots: a multiple root is not a differentiable function of the coefficients p; "
            "differentiate a symmetric function of the roots through the coefficients instead"
        )
    return slopes


def _roots_jvp(d: Any, ans: Any, p: Any) -> Any:
    """By the implicit function theorem: p(r) = 0."""
    if not np.size(ans):
        return np.zeros_like(ans)
    return -polyval(d, ans) / _slopes_at_roots(ans, p)


rule(primitive_for(np.roots), jvps=[_roots_jvp])


@stands_for(np.polyfit)
def polyfit(
    x: Any, y: Any, deg: int, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False
) -> Any:
    """`numpy.polyfit`: least squares through `lstsq`; `x`, `y` and the weights may be traced."""
    if full or cov:
        raise MissingRuleError(
            "polyfit: no derivative rule covers full=True and cov=True; take the coefficients "
            "alone, or use retrograd.numpy.linalg.lstsq and inv"
        )
    x, y = as_array(x) + 0.0, as_array(y) + 0.0
    if np.ndim(x) != 1 or np.ndim(y) not in (1, 2) or len(x) != len(y) or not len(x):
        raise TypeError(
            f"polyfit: x and y have shapes {np.shape(x)} and {np.shape(y)}; give a vector, and a "
            "vector or columns of the same length"
        )
    powers = _powers(x.astype(np.promote_types(x.dtype, int)), int(deg))  # as vander has it
    if w is not None:
        w = as_array(w) + 0.0
        powers = powers * w[:, None]
        y = y * (w[:, None] if np.ndim(y) == 2 else w)
    # The scale improves the condition; it has no influence on the result.
    scale = np.sqrt(np.sum(np.square(value_of(powers)), axis=0))
    rcond = len(x) * np.finfo(x.dtype).eps if rcond is None else rcond
    solution, _, rank, _ = np.linalg.lstsq(powers / scale, y, rcond)
    if value_of(rank) < int(deg) + 1:
        raise DifferentiationError(
            f"polyfit: the points determine only {value_of(rank)} of {int(deg) + 1} coefficients, "
            "so that these have no derivative; give a lower deg, or more points"
        )
    return solution / (scale[:, None] if np.ndim(y) == 2 else scale)


def _powers(x: Any, deg: int) -> Any:
    """x^deg, ..., x, 1 in columns."""
    columns = [np.ones_like(x)]
    for _ in range(deg):
        columns.append(columns[-1] * x)
    return np.stack(columns[::-1], axis=1)


# How the next member follows: a, b, c of p_{n+1} = (a x + b) p_n - c p_{n-1}.
_FAMILIES: dict[str, tuple[Any, Callable[[int], tuple[float, float, float]]]] = {
    "poly": (np.polynomial.polynomial, lambda n: (1.0, 0.0, 0.0)),
    "cheb": (np.polynomial.chebyshev, lambda n: (2.0 if n else 1.0, 0.0, 1.0)),
    "leg": (np.polynomial.legendre, lambda n: ((2 * n + 1) / (n + 1), 0.0, n / (n + 1))),
    "herm": (np.polynomial.hermite, lambda n: (2.0, 0.0, 2.0 * n)),
    "herme": (np.polynomial.hermite_e, lambda n: (1.0, 0.0, float(n))),
    "lag": (np.polynomial.laguerre, lambda n: (-1 / (n + 1), (2 * n + 1) / (n + 1), n / (n + 1))),
}


def _series(name: str, x: Any, c: Any, tensor: bool) -> Any:
    """The sum of c[n] p_n(x), by the recurrence of the family."""
    c, x = as_array(c), as_array(x)
    c = as_float(c, np.result_type(value_of(c), 1.0)) if np.ndim(c) else np.reshape(c, (1,))
    if tensor:
        c = np.reshape(c, (*np.shape(c), *[1] * np.ndim(x)))
    recurrence = _FAMILIES[name][1]
    before, member = np.zeros_like(x), np.ones_like(x)
    total = c[0] * member
    for n in range(np.shape(c)[0] - 1):
        slope, shift, weight = recurrence(n)
        before, member = member, (slope * x + shift) * member - weight * before
        total = total + c[n + 1] * member
    return total


def _register(name: str) -> None:
    module = _FAMILIES[name][0]

    @stands_for(getattr(module, f"{name}val"))
    def in_one_variable(x: Any, c: Any, tensor: bool = True) -> Any:
        return _series(name, x, c, tensor)

    @stands_for(getattr(module, f"{name}val2d"))
    def in_two_variables(x: Any, y: Any, c: Any) -> Any:
        return _series(name, y, _series(name, x, c, True), False)

    @stands_for(getattr(module, f"{name}grid2d"))
    def on_grid(x: Any, y: Any, c: Any) -> Any:
        return _series(name, y, _series(name, x, c, True), True)

    for function, kind in (
        (in_one_variable, "val"),
        (in_two_variables, "val2d"),
        (on_grid, "grid2d"),
    ):
        function.__name__ = f"{name}{kind}"


for _name in _FAMILIES:
    _register(_name)
