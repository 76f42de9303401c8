"""Partial derivatives that are quotients, and what comes back where one divides by zero."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from retrograd.autodiff.dtypes import is_complex
from retrograd.autodiff.primitive import Primitive, match, rule
from retrograd.autodiff.reads import Reads, reads_of
from retrograd.autodiff.trace import Traced, value_of

# Elements up to which counting them costs least.
_FEW = 1000


def has_zero(x: Any) -> bool:
    """Whether an array or number holds a zero, or may hold one because it is not known yet."""
    x = value_of(x)
    if type(x) is np.ndarray:
        size = x.size
        return bool(np.count_nonzero(x) < size if size < _FEW else (x == 0).any())
    return isinstance(x, Traced) or bool(x == 0)


def not_all_positive(x: Any) -> bool:
    """Whether an array or number holds a zero, a negative number or NaN; a complex one a zero."""
    x = value_of(x)
    if type(x) is np.ndarray and x.dtype.kind == "f":
        size = x.size
        return bool(np.count_nonzero(x > 0) < size if size < _FEW else not np.min(x) > 0)
    return has_zero(x) if is_complex(x) or isinstance(x, Traced) else not x > 0


def ratio(x: Any, y: Any) -> Any:
    """x/y, and 0 where y is 0: for an x that vanishes there too."""
    if not has_zero(y):
        return x / y
    nil = y == 0
    return np.where(nil, 0, x / np.where(nil, 1, y))


def _quotient(t: Any, numerator: Any, denominator: Any) -> Any:
    """t numerator/denominator, and 0 where t is 0, also where the quotient is not finite.

    So nothing comes back, rather than 0 times infinity or NaN, from where a function is not used,
    as in `np.where(x > 0, np.sqrt(x), 0)`.
    """
    if type(denominator) in (int, float) and abs(denominator) > 0:  # most divisors are numbers
        return _divided(t, numerator, denominator)
    if _is_regular(t, denominator):
        return _divided(t, numerator, denominator)
    known = value_of(denominator)
    unused = (t == 0) & ~(np.abs(known) > 0)
    # Also where there is NaN, so that it does not spread in the derivative of this quotient.
    odd = unused if isinstance(known, Traced) else unused | np.isnan(known)
    if type(numerator) not in (int, float):
        numerator = np.where(odd, 0, numerator)
    found = _divided(t, numerator, np.where(odd, 1, denominator))
    if odd is unused or not (undefined := odd & ~unused).any():
        return found
    return np.where(undefined, math.nan, found)[()]


def _is_regular(t: Any, denominator: Any) -> bool:
    """Whether nothing is divided by zero or NaN, or nothing that would have to be 0.

    A traced quotient is differentiated again, where other things may have to be.
    """
    if not (isinstance(t, Traced) or isinstance(denominator, Traced) or has_zero(t)):
        return True
    known = value_of(denominator)
    return not isinstance(known, Traced) and bool(np.all(np.abs(known) > 0))


def _divided(t: Any, numerator: Any, denominator: Any) -> Any:
    if isinstance(numerator, int):
        return t / (denominator if numerator == 1 else -denominator)
    product = t * numerator
    if type(product) is np.ndarray and _is_like(product, denominator):
        return np.true_divide(product, denominator, out=product)  # in memory that is at hand
    return product / denominator


def _is_like(a: Any, b: Any) -> bool:
    return type(b) is np.ndarray and a.shape == b.shape and a.dtype == b.dtype


def quotient(function: Any, *terms: tuple[Any, ...]) -> Primitive:
    """A function whose partials are quotients (numerator, denominator), which may be infinite.

    Each is a function of `ans` and the arguments; a numerator may also be a number.
    """
    return rule(
        function,
        [_quotient_vjp(i, *term) for i, term in enumerate(terms)],
        [_quotient_jvp(*term) for term in terms],
        reads=[_read_by(*term) for term in terms],
    )


def _read_by(*parts: Any) -> Reads:
    found: frozenset[int] = frozenset()
    for part in filter(callable, parts):
        some = reads_of(part)
        if some is None:
            return None
        found |= some
    return found


def _quotient_vjp(argnum: int, numerator: Any, denominator: Any) -> Any:
    if not callable(numerator):
        return lambda g, ans, *args: match(
            _quotient(g, numerator, denominator(ans, *args)), args[argnum]
        )
    return lambda g, ans, *args: match(
        _quotient(g, numerator(ans, *args), denominator(ans, *args)), args[argnum]
    )


def _quotient_jvp(numerator: Any, denominator: Any) -> Any:
    if not callable(numerator):
        return lambda d, ans, *args: _quotient(d, numerator, denominator(ans, *args))
    return lambda d, ans, *args: _quotient(d, numerator(ans, *args), denominator(ans, *args))
