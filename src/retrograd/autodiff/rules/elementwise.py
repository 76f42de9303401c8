"""Functions that act on each element: their partial derivatives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from retrograd.autodiff.box import Box, as_type, view
from retrograd.autodiff.primitive import (
    REGISTRY,
    constant,
    elementwise,
    linear,
    match,
    primitive_for,
    rule,
    written,
)
from retrograd.autodiff.trace import Traced, value_of
from retrograd.errors import MissingRuleError


def _safe(x: Any) -> Any:
    """`x` with zeros replaced by ones: for quotients whose numerator vanishes there too."""
    return np.where(x == 0, 1, x)


def _sign(x: Any) -> Any:
    """x/|x|, and 0 at 0, for real and complex x."""
    return np.conj(x) / _safe(np.abs(x)) if is_complex(x) else np.sign(x)


def is_complex(x: Any) -> bool:
    """Whether an array or number is complex."""
    dtype = getattr(x, "dtype", None)
    return isinstance(x, complex) if dtype is None else dtype.kind == "c"


def _share(ans: Any, x: Any, y: Any) -> Any:
    """The part of a maximum or minimum that is due to `x`: ties are split evenly."""
    share = np.where(x == ans, np.where(y == ans, 0.5, 1.0), 0.0)
    return share.astype(ans.dtype, copy=False)


def _power_base(ans: Any, x: Any, y: Any) -> Any:
    """y x^(y-1), and 0 where y is 0, also at x = 0."""
    if isinstance(y, int | float):
        return y * x ** (y - 1) if y != 0 else 0 * x
    return y * np.where((x == 0) & (y == 0), 1, x) ** (y - 1)


def _log_base(x: Any) -> Any:
    """log x, and 0 at 0, where 0^y does not change with y > 0."""
    if isinstance(x, int | float) and x >= 0:
        return math.log(x or 1)
    return np.log(np.where(x == 0, 1, x))


def _log_weight(ans: Any, x: Any) -> Any:
    """exp(x - ans) for ans = log(exp(x) + ...), also where ans is infinite."""
    if np.isfinite(value_of(ans)).all():
        return np.exp(x - ans)
    shifted = x - np.where(np.isinf(ans), 0, ans)
    at_top = np.where(x == np.inf, 0.0, -np.inf)
    return np.exp(np.where(ans == np.inf, at_top.astype(ans.dtype, copy=False), shifted))


def _tanh_slope(y: Any) -> Any:
    """1 - y*y in one pass over fresh memory: the hot spot of every tanh network."""
    y = np.multiply(y, y)
    return np.subtract(1, y, out=y) if isinstance(y, np.ndarray) else 1 - y


tanh_slope = elementwise(_tanh_slope, lambda ans, y: -2 * y)

elementwise(np.add, 1, 1)
elementwise(np.subtract, 1, -1)
elementwise(np.multiply, lambda ans, x, y: y, lambda ans, x, y: x)
elementwise(np.true_divide, lambda ans, x, y: 1 / y, lambda ans, x, y: -ans / y)
elementwise(
    np.power,
    _power_base,
    lambda ans, x, y: ans * _log_base(x),
)
elementwise(np.remainder, 1, lambda ans, x, y: -np.floor_divide(x, y))
elementwise(
    np.arctan2, lambda ans, x, y: y / (x * x + y * y), lambda ans, x, y: -x / (x * x + y * y)
)
elementwise(
    np.hypot,
    lambda ans, x, y: x / _safe(ans),
    lambda ans, x, y: y / _safe(ans),
)
elementwise(
    np.logaddexp, lambda ans, x, y: _log_weight(ans, x), lambda ans, x, y: _log_weight(ans, y)
)
elementwise(np.maximum, lambda ans, x, y: _share(ans, x, y), lambda ans, x, y: _share(ans, y, x))
elementwise(np.minimum, lambda ans, x, y: _share(ans, x, y), lambda ans, x, y: _share(ans, y, x))

elementwise(np.negative, -1)
elementwise(np.positive, 1)
elementwise(np.exp, lambda ans, x: ans)
elementwise(np.exp2, lambda ans, x: ans * math.log(2.0))
elementwise(np.expm1, lambda ans, x: ans + 1)
elementwise(np.log, lambda ans, x: 1 / x)
elementwise(np.log2, lambda ans, x: 1 / (x * math.log(2.0)))
elementwise(np.log10, lambda ans, x: 1 / (x * math.log(10.0)))
elementwise(np.log1p, lambda ans, x: 1 / (1 + x))
elementwise(np.sqrt, lambda ans, x: 0.5 / ans)
elementwise(np.square, lambda ans, x: 2 * x)
elementwise(np.reciprocal, lambda ans, x: -ans * ans)
elementwise(np.sin, lambda ans, x: np.cos(x))
elementwise(np.cos, lambda ans, x: -np.sin(x))
elementwise(np.tan, lambda ans, x: 1 + ans * ans)
elementwise(np.sinh, lambda ans, x: np.cosh(x))
elementwise(np.cosh, lambda ans, x: np.sinh(x))
elementwise(np.tanh, lambda ans, x: tanh_slope(ans))
elementwise(np.arcsin, lambda ans, x: 1 / np.sqrt(1 - x * x))
elementwise(np.arccos, lambda ans, x: -1 / np.sqrt(1 - x * x))
elementwise(np.arctan, lambda ans, x: 1 / (1 + x * x))

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


def _choose(condition: Any, x: Any, y: Any) -> Any:
    return np.where(condition, x, y)


choose = primitive_for(_choose)


def where(condition: Any, *choices: Any) -> Any:
    """`numpy.where`."""
    condition = value_of(condition)
    if len(choices) != 2:
        return np.where(condition, *map(value_of, choices))
    return choose(condition, *choices)


REGISTRY[np.where] = where


# Argument 0, the condition, is always a plain value.
rule(
    _choose,
    vjps=[
        lambda g, ans, condition, x, y: None,
        lambda g, ans, condition, x, y: match(np.where(condition, g, 0), x),
        lambda g, ans, condition, x, y: match(np.where(condition, 0, g), y),
    ],
    jvps=[
        lambda d, ans, condition, x, y: None,
        lambda d, ans, condition, x, y: np.where(condition, d, 0),
        lambda d, ans, condition, x, y: np.where(condition, 0, d),
    ],
)


def _clipped(d: Any, ans: Any, x: Any, *bounds: Any) -> Any:
    """`d` where `x` lies between the bounds or on one of them, zero elsewhere."""
    low, high = bounds
    inside = np.ones(np.shape(ans), bool)
    if low is not None:
        inside = inside & (x >= low)
    if high is not None:
        inside = inside & (x <= high)
    return np.where(inside, d, 0)


def _clip(x: Any, low: Any, high: Any) -> Any:
    return np.clip(x, low, high)


_bounded = rule(
    _clip,
    vjps=[lambda g, ans, x, low, high: match(_clipped(g, ans, x, low, high), x)],
    jvps=[lambda d, ans, x, low, high: _clipped(d, ans, x, low, high)],
)


def clip(a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, **bounds: Any) -> Any:
    """`numpy.clip`; the derivative is 1 between the bounds and on them."""
    low, high = bounds.pop("min", a_min), bounds.pop("max", a_max)
    if bounds:
        raise MissingRuleError(f"clip: no derivative rule covers the keywords {sorted(bounds)}")
    result = _bounded(a, low, high)
    return result if out is None else written(out, result)


REGISTRY[np.clip] = clip


def sign(x: Any, **kwargs: Any) -> Any:
    """`numpy.sign`: constant for real numbers, x/|x| for complex ones."""
    if isinstance(x, Box) and is_complex(x):
        return x / _safe(REGISTRY[np.absolute](x))
    return _real_sign(x, **kwargs)


_real_sign = primitive_for(np.sign)
_real_sign.differentiable = False
REGISTRY[np.sign] = sign


def full_like(a: Any, fill_value: Any, dtype: Any = None, **kwargs: Any) -> Any:
    """`numpy.full_like`; the derivative is that of the value."""
    plain = np.full_like(value_of(a), value_of(fill_value), dtype, **kwargs)
    if not isinstance(fill_value, Traced) or plain.dtype.kind not in "fc":
        return plain
    return np.copy(np.broadcast_to(as_type(fill_value, plain.dtype), plain.shape))


REGISTRY[np.full_like] = full_like

linear(as_type.function, lambda g, ans, x, dtype: match(g, x))
linear(np.copy, lambda g, ans, x, order="K", subok=False: g)

constant(
    np.floor, np.ceil, np.rint, np.trunc, np.round, np.floor_divide, np.isnan, np.isinf,
    np.isfinite, np.isclose, np.allclose, np.array_equal, np.greater, np.greater_equal, np.less,
    np.less_equal, np.equal, np.not_equal, np.logical_and, np.logical_or, np.logical_not,
    np.logical_xor, np.signbit, np.zeros_like, np.ones_like, np.empty_like, np.result_type,
    np.iscomplexobj, np.isrealobj,
)  # fmt: skip
