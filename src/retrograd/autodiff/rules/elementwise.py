"""Functions that act on each element: their partial derivatives."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from retrograd.autodiff.box import Box, as_type, view
from retrograd.autodiff.dtypes import is_complex
from retrograd.autodiff.primitive import (
    REGISTRY,
    Primitive,
    constant,
    elementwise,
    line_sums,
    linear,
    match,
    multilinear,
    primitive_for,
    rule,
    shape_of,
    stands_for,
)
from retrograd.autodiff.reads import ANS
from retrograd.autodiff.rules.quotients import has_zero, not_all_positive, quotient, ratio
from retrograd.autodiff.stacked import Stacking
from retrograd.autodiff.trace import Traced, value_of


def _sign(x: Any) -> Any:
    """conj(x)/|x|, and 0 at 0, for real and complex x."""
    return ratio(np.conj(x), np.abs(x)) if is_complex(x) else np.sign(x)


def _share(ans: Any, x: Any, y: Any) -> Any:
    """The part of a maximum or minimum that is due to `x`: ties are split evenly."""
    share = np.where(x == ans, np.where(y == ans, 0.5, 1.0), 0.0)
    return share.astype(ans.dtype, copy=False)


def _along_base(t: Any, x: Any, y: Any, power: Any = operator.pow) -> Any:
    """t y x^(y-1); 0 where y is 0, also at x = 0, and where t is 0."""
    if isinstance(y, int | float) and y == 0:
        return 0 * x * t
    if _power_is_singular(x, y):
        with np.errstate(all="ignore"):
            odd = (x == 0) | np.isnan(np.float_power(value_of(x), value_of(y)))
        x = np.where(((y == 0) & (x == 0)) | ((t == 0) & odd), 1, x)
    return t * (y * power(x, y - 1))


def _power_is_singular(x: Any, y: Any) -> bool:
    """Whether x^(y-1) may be something other than a finite number."""
    if isinstance(y, int | float):
        whole = y == int(y) if math.isfinite(y) else False
        return not (whole and y >= 1) and (has_zero if whole else not_all_positive)(x)
    whole = getattr(y, "dtype", np.dtype(float)).kind in "iu"
    return (has_zero if whole else not_all_positive)(x)


def _along_exponent(t: Any, ans: Any, x: Any) -> Any:
    """t log(x) x^y; 0 where t is 0, also for an x that has no logarithm."""
    if isinstance(x, int | float):
        return 0 * t if x < 0 and not np.any(value_of(t)) else t * (ans * _log_base(x))
    if not_all_positive(x):
        plain = value_of(x)
        unused = (t == 0) & ~((np.abs(plain) if is_complex(plain) else plain) > 0)
        x, ans = np.where(unused, 1, x), np.where(unused, 0, ans)
    return t * (ans * _log_base(x))


def _log_base(x: Any) -> Any:
    """log x, and 0 at 0, where 0^y does not change with y > 0."""
    if isinstance(x, int | float) and x >= 0:
        return math.log(x or 1)
    return np.log(np.where(x == 0, 1, x))


def log_weight(ans: Any, x: Any, exp: Any = np.exp) -> Any:
    """exp(x - ans) for ans = log(exp(x) + ...), also where ans is infinite."""
    known = value_of(ans)
    if not isinstance(known, Traced) and np.isfinite(known).all():
        return exp(x - ans)
    shifted = x - np.where(np.isinf(ans), 0, ans)
    at_top = np.where(x == np.inf, 0.0, -np.inf)
    return exp(np.where(ans == np.inf, at_top.astype(ans.dtype, copy=False), shifted))


def _tanh_slope(y: Any) -> Any:
    """1 - y*y in one pass over fresh memory: the hot spot of every tanh network."""
    y = np.multiply(y, y)
    return np.subtract(1, y, out=y) if isinstance(y, np.ndarray) else 1 - y


tanh_slope = elementwise(_tanh_slope, lambda ans, y: -2 * y)


def _tanh_vjp(g: Any, ans: Any, x: Any) -> Any:
    if type(g) is np.ndarray and type(ans) is np.ndarray and g.dtype is ans.dtype:
        slope = _tanh_slope(ans)
        # In place in one layout only: in another, products of the result have other last bits than
        # they have where it is traced.
        return np.multiply(slope, g, out=slope) if slope.strides == g.strides else g * slope
    return match(g * tanh_slope(ans), x)


def _sinc_slope(ans: Any, x: Any) -> Any:
    """The derivative of sin(pi x)/(pi x); by its Taylor series where the quotient cancels."""
    small = np.abs(value_of(x)) < _SMALL_FOR_SINC
    if not np.any(small):
        return (np.cos(math.pi * x) - ans) / x
    t = math.pi * np.where(small, x, 0)
    square, series = t * t, 0.0
    for k in range(11, 0, -1):
        series = (-1) ** k * 2 * k / math.factorial(2 * k + 1) + square * series
    away = np.where(small, 1, x)
    return np.where(small, math.pi * t * series, (np.cos(math.pi * x) - ans) / away)


_SMALL_FOR_SINC = 0.25


def _arccosh_divisor(x: Any) -> Any:
    """The square root of x^2 - 1, of one product where some factors have no square root."""
    if is_complex(x) or not not_all_positive(x - 1):
        return np.sqrt(x - 1) * np.sqrt(x + 1)
    return np.sqrt((x - 1) * (x + 1))


def _bessel_i1(x: Any) -> Any:
    """The modified Bessel function I1, by quadrature of its integral representation.

    I1(x) = (2/pi) int_0^(pi/2) cos(u) sinh(x cos(u)) du; the trapezoidal rule converges faster
    than any power here, and so do its derivatives.
    """
    largest = float(np.max(np.abs(value_of(x)), initial=0.0))
    intervals = 8 + math.ceil(math.sqrt(80 * min(largest, 1e5)) / 4)
    cosines = np.cos(np.linspace(0, np.pi / 2, intervals + 1))
    weights = np.where(np.arange(intervals + 1) == 0, 0.5, 1.0) * cosines / intervals
    dtype = getattr(x, "dtype", np.dtype(float))
    angles = np.sinh(np.expand_dims(x, -1) * cosines.astype(dtype))
    return np.sum(angles * weights.astype(dtype), axis=-1)


def _rows_of(g: Any, x: Any) -> tuple[Any] | None:
    """The cotangent of a sum of matrices and rows, if `x` is a row and they are few."""
    shape, given = shape_of(x), shape_of(g)
    if len(shape) == 1 and len(given) == 2 and given[0] <= _FEW and shape[0] == given[1] > 1:
        return (g,) if x.dtype is g.dtype else None
    return None


# Rows up to which it is worth while to add them up together with others.
_FEW = 32


def _sum_of_rows(rows: Any) -> Any:
    return line_sums(rows, 0)


elementwise(np.add, 1, 1).stackings = (
    Stacking(lambda g, ans, x, y: _rows_of(g, x), _sum_of_rows),
    Stacking(lambda g, ans, x, y: _rows_of(g, y), _sum_of_rows),
)
elementwise(np.subtract, 1, -1)
multilinear(np.multiply, lambda g, ans, x, y: match(g * y, x), lambda g, ans, x, y: match(g * x, y))
quotient(np.true_divide, (1, lambda ans, x, y: y), (lambda ans, x, y: -ans, lambda ans, x, y: y))
rule(
    np.power,
    [
        lambda g, ans, x, y: match(_along_base(g, x, y), x),
        lambda g, ans, x, y: match(_along_exponent(g, ans, x), y),
    ],
    [
        lambda d, ans, x, y: _along_base(d, x, y),
        lambda d, ans, x, y: _along_exponent(d, ans, x),
    ],
)
rule(
    np.float_power,
    [
        lambda g, ans, x, y: match(_along_base(g, x, y, np.float_power), x),
        lambda g, ans, x, y: match(_along_exponent(g, ans, x), y),
    ],
    [
        lambda d, ans, x, y: _along_base(d, x, y, np.float_power),
        lambda d, ans, x, y: _along_exponent(d, ans, x),
    ],
)
elementwise(np.remainder, 1, lambda ans, x, y: -np.floor_divide(x, y))
elementwise(np.fmod, 1, lambda ans, x, y: -np.rint((x - ans) / y))
quotient(
    np.arctan2,
    (lambda ans, x, y: ratio(y, np.hypot(x, y)), lambda ans, x, y: np.hypot(x, y)),
    (lambda ans, x, y: -ratio(x, np.hypot(x, y)), lambda ans, x, y: np.hypot(x, y)),
)
elementwise(np.hypot, lambda ans, x, y: ratio(x, ans), lambda ans, x, y: ratio(y, ans))
elementwise(
    np.logaddexp, lambda ans, x, y: log_weight(ans, x), lambda ans, x, y: log_weight(ans, y)
)
elementwise(
    np.logaddexp2,
    lambda ans, x, y: log_weight(ans, x, np.exp2),
    lambda ans, x, y: log_weight(ans, y, np.exp2),
)
for _extremum in (np.maximum, np.minimum, np.fmax, np.fmin):
    elementwise(_extremum, lambda ans, x, y: _share(ans, x, y), lambda ans, x, y: _share(ans, y, x))

elementwise(np.negative, -1)
elementwise(np.positive, 1)
elementwise(np.exp, lambda ans, x: ans)
elementwise(np.exp2, lambda ans, x: ans * math.log(2.0))
elementwise(np.expm1, lambda ans, x: np.exp(x))
quotient(np.log, (1, lambda ans, x: x))
quotient(np.log2, (1, lambda ans, x: x * math.log(2.0)))
quotient(np.log10, (1, lambda ans, x: x * math.log(10.0)))
quotient(np.log1p, (1, lambda ans, x: 1 + x))
quotient(np.sqrt, (0.5, lambda ans, x: ans))
quotient(np.cbrt, (1, lambda ans, x: 3 * ans * ans))
elementwise(np.square, lambda ans, x: 2 * x)
quotient(np.reciprocal, (-1, lambda ans, x: x * x))
elementwise(np.sin, lambda ans, x: np.cos(x))
elementwise(np.cos, lambda ans, x: -np.sin(x))
elementwise(np.tan, lambda ans, x: 1 + ans * ans)
elementwise(np.sinc, lambda ans, x: _sinc_slope(ans, x))
elementwise(np.sinh, lambda ans, x: np.cosh(x))
elementwise(np.cosh, lambda ans, x: np.sinh(x))
rule(
    np.tanh,
    vjps=[_tanh_vjp],
    jvps=[lambda d, ans, x: d * tanh_slope(ans)],
    reads=[frozenset({ANS})],
)
quotient(np.arcsin, (1, lambda ans, x: np.sqrt((1 - x) * (1 + x))))
quotient(np.arccos, (-1, lambda ans, x: np.sqrt((1 - x) * (1 + x))))
quotient(np.arctan, (1, lambda ans, x: 1 + x * x))
elementwise(np.arcsinh, lambda ans, x: 1 / (np.cosh(ans) if is_complex(x) else np.hypot(1, x)))
quotient(np.arccosh, (1, lambda ans, x: _arccosh_divisor(x)))
quotient(np.arctanh, (1, lambda ans, x: (1 - x) * (1 + x)))
elementwise(np.i0, lambda ans, x: _bessel_i1(x))
for _scaling in (np.deg2rad, np.radians, np.rad2deg, np.degrees):
    linear(_scaling, lambda g, ans, x, scaling=_scaling: match(scaling(g), x))


def _flipped(ans: Any, x: Any, y: Any) -> Any:
    """The sign that `copysign` multiplies with."""
    sign = np.where(np.signbit(x) == np.signbit(y), 1.0, -1.0)
    return sign.astype(ans.dtype, copy=False)


def _nothing(ans: Any, *args: Any) -> Any:
    """The partial with respect to an argument that decides, and does not enter."""
    return np.zeros(shape_of(ans), ans.dtype)


elementwise(np.fabs, lambda ans, x: np.sign(x))
elementwise(np.copysign, _flipped, _nothing)
elementwise(np.nextafter, 1, _nothing)
elementwise(np.heaviside, _nothing, lambda ans, x, y: np.equal(x, 0).astype(ans.dtype, copy=False))
rule(
    np.ldexp,
    [lambda g, ans, x, exponent: match(np.ldexp(g, exponent), x)],
    [lambda d, ans, x, exponent: np.ldexp(d, exponent)],
)


def _fraction(x: Any) -> Any:
    return np.modf(x)[0]


fraction = elementwise(_fraction, 1)


@stands_for(np.modf)
def modf(x: Any) -> Any:
    """`numpy.modf`; the whole part is a plain value."""
    return fraction(x), np.modf(value_of(x))[1]


@stands_for(np.frexp)
def frexp(x: Any) -> Any:
    """`numpy.frexp`; the exponent is a plain value."""
    exponent = np.frexp(value_of(x))[1]
    return np.ldexp(x, -exponent), exponent


@stands_for(np.divmod)
def divmod_(x: Any, y: Any) -> Any:
    """`numpy.divmod`; the quotient is a plain value."""
    return np.floor_divide(x, y), np.remainder(x, y)


@stands_for(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """`numpy.angle`: constant for real numbers."""
    if not is_complex(z):
        return np.angle(value_of(z), deg)
    radians = np.arctan2(np.imag(z), np.real(z))
    return radians * (180 / math.pi) if deg else radians


@stands_for(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """`numpy.real_if_close`."""
    is_real = is_complex(a) and not is_complex(np.real_if_close(value_of(a), tol))
    return np.real(a) if is_real else a


# The derivative of |x| is not complex-linear: it is stated mode by mode.
rule(
    np.absolute,
    vjps=[lambda g, ans, x: match(g * _sign(x), x)],
    jvps=[lambda d, ans, x: np.real(d * _sign(x))],
)
linear(np.conjugate, lambda g, ans, x: np.conj(g))
# Parts of a complex array are views of it.
view(np.real, write=lambda base, new: new + 1j * np.imag(base) if is_complex(base) else new)
view(np.imag, write=lambda base, new: np.real(base) + 1j * new)
linear(np.real, lambda g, ans, x: match(g, x))
rule(np.imag, [lambda g, ans, x: match(-1j * g, x)], [lambda d, ans, x: _imag_part(d, ans)])


def _imag_part(d: Any, ans: Any) -> Any:
    return np.imag(d) if is_complex(d) else np.zeros_like(ans)


def sign(x: Any, **kwargs: Any) -> Any:
    """`numpy.sign`: constant for real numbers, x/|x| for complex ones."""
    if isinstance(x, Box) and is_complex(x):
        return _complex_sign(x, **kwargs)
    return _real_sign(x, **kwargs)


def _sign_vjp(g: Any, ans: Any, x: Any) -> Any:
    return match(ratio(g - np.conj(ans) * np.real(g * ans), np.abs(x)), x)


def _sign_jvp(d: Any, ans: Any, x: Any) -> Any:
    return ratio(d - ans * np.real(np.conj(ans) * d), np.abs(x))


_complex_sign = rule(Primitive(np.sign), [_sign_vjp], [_sign_jvp])


_real_sign = primitive_for(np.sign)
_real_sign.differentiable = False
REGISTRY[np.sign] = sign

linear(as_type.function, lambda g, ans, x, dtype: match(g, x))
linear(np.copy, lambda g, ans, x, order="K", subok=False: g)

constant(
    np.floor, np.ceil, np.rint, np.trunc, np.fix, np.round, np.around, np.floor_divide, np.isnan,
    np.isinf, np.isfinite, np.isclose, np.allclose, np.array_equal, np.array_equiv, np.greater,
    np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal, np.logical_and,
    np.logical_or, np.logical_not, np.logical_xor, np.signbit, np.spacing, np.result_type,
    np.iscomplexobj, np.isrealobj, np.iscomplex, np.isreal, np.isposinf, np.isneginf,
)  # fmt: skip
