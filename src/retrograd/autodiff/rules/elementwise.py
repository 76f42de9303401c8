"""Functions that act on each element: their partial derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.box import as_type
from retrograd.autodiff.primitive import constant, elementwise, linear, match, rule


def _safe(x: Any) -> Any:
    """`x` with zeros replaced by ones: for quotients whose numerator vanishes there too."""
    return np.where(x == 0, 1, x)


def _sign(x: Any) -> Any:
    """x/|x|, and 0 at 0, for real and complex x."""
    return np.conj(x) / _safe(np.abs(x))


def _share(ans: Any, x: Any, y: Any) -> Any:
    """The part of a maximum or minimum that is due to `x`: ties are split evenly."""
    return np.where(x == ans, np.where(y == ans, 0.5, 1.0), 0.0)


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
    lambda ans, x, y: y * x ** np.where(y == 0, 1, y - 1),
    lambda ans, x, y: ans * np.log(np.where(x == 0, 1, x)),
)
elementwise(np.remainder, 1, lambda ans, x, y: -np.floor(x / y))
elementwise(
    np.arctan2, lambda ans, x, y: y / (x * x + y * y), lambda ans, x, y: -x / (x * x + y * y)
)
elementwise(
    np.hypot,
    lambda ans, x, y: x / _safe(ans),
    lambda ans, x, y: y / _safe(ans),
)
elementwise(np.logaddexp, lambda ans, x, y: np.exp(x - ans), lambda ans, x, y: np.exp(y - ans))
elementwise(np.maximum, lambda ans, x, y: _share(ans, x, y), lambda ans, x, y: _share(ans, y, x))
elementwise(np.minimum, lambda ans, x, y: _share(ans, x, y), lambda ans, x, y: _share(ans, y, x))

elementwise(np.negative, -1)
elementwise(np.positive, 1)
elementwise(np.exp, lambda ans, x: ans)
elementwise(np.exp2, lambda ans, x: ans * np.log(2.0))
elementwise(np.expm1, lambda ans, x: ans + 1)
elementwise(np.log, lambda ans, x: 1 / x)
elementwise(np.log2, lambda ans, x: 1 / (x * np.log(2.0)))
elementwise(np.log10, lambda ans, x: 1 / (x * np.log(10.0)))
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
REAL_PARTS = {
    np.conjugate: (lambda g, ans, x: np.conj(g), lambda d, ans, x: np.conj(d)),
    np.real: (lambda g, ans, x: match(g, x), lambda d, ans, x: np.real(d)),
    np.imag: (lambda g, ans, x: match(-1j * g, x), lambda d, ans, x: np.imag(d)),
}
for _function, (_vjp, _jvp) in REAL_PARTS.items():
    rule(_function, [_vjp], [_jvp])


def _where_vjp(g: Any, condition: Any, x: Any, take: bool) -> Any:
    kept = np.where(condition, g, 0) if take else np.where(condition, 0, g)
    return match(kept, x)


rule(
    np.where,
    vjps=[
        lambda g, ans, condition, x, y: None,
        lambda g, ans, condition, x, y: _where_vjp(g, condition, x, take=True),
        lambda g, ans, condition, x, y: _where_vjp(g, condition, y, take=False),
    ],
    jvps=[
        lambda d, ans, condition, x, y: None,
        lambda d, ans, condition, x, y: np.where(condition, d, 0),
        lambda d, ans, condition, x, y: np.where(condition, 0, d),
    ],
)


def _inside(ans: Any, x: Any, low: Any, high: Any) -> Any:
    inside = np.ones(np.shape(ans), bool)
    if low is not None:
        inside = inside & (x >= low)
    if high is not None:
        inside = inside & (x <= high)
    return inside


rule(
    np.clip,
    vjps=[lambda g, ans, x, low=None, high=None: match(g * _inside(ans, x, low, high), x)],
    jvps=[lambda d, ans, x, low=None, high=None: d * _inside(ans, x, low, high)],
)

linear(as_type.function, lambda g, ans, x, dtype: match(g, x))
linear(np.copy, lambda g, ans, x: g)

constant(
    np.floor, np.ceil, np.rint, np.trunc, np.round, np.sign, np.floor_divide, np.isnan, np.isinf,
    np.isfinite, np.isclose, np.allclose, np.array_equal, np.greater, np.greater_equal, np.less,
    np.less_equal, np.equal, np.not_equal, np.logical_and, np.logical_or, np.logical_not,
    np.signbit, np.zeros_like, np.ones_like, np.empty_like, np.full_like, np.result_type,
    np.iscomplexobj, np.isrealobj,
)  # fmt: skip
