"""Means, variances, standard deviations and entropies of the families, in closed form."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.special as sc
import scipy.stats as st

from retrograd.autodiff.trace import value_of
from retrograd.scipy import special
from retrograd.scipy.stats.distribution import register, where_regular

if TYPE_CHECKING:
    from collections.abc import Callable

    Formula = Callable[..., Any]

assert special  # registers the rules of the functions below

_EULER = float(np.euler_gamma)


def moments(original: Any, **formulas: Formula | float) -> None:
    """Register the mean, variance, standard deviation and entropy of a continuous family.

    Args:
        original: SciPy's distribution.
        formulas: of the shape parameters, at location 0 and scale 1: `mean`, `var`, `entropy`.
    """
    empty = inspect.Parameter.empty
    shapes = [name.strip() for name in original.shapes.split(",")] if original.shapes else []
    parameters = [*((name, empty) for name in shapes), ("loc", 0), ("scale", 1)]
    if "var" in formulas:
        formulas["std"] = formulas["var"]
    for name, formula in formulas.items():
        scaled = _SCALED[name]
        f = formula if callable(formula) else lambda *_, constant=formula: constant

        def method(value: Any, *args: Any, f: Formula = f, scaled: Formula = scaled) -> Any:
            def whole(*args: Any) -> Any:
                return scaled(f(*args[:-2]), args[-2], args[-1])

            plain = [value_of(x) for x in args]
            regular = np.broadcast_to(
                np.isfinite(value), np.broadcast_shapes(*map(np.shape, plain))
            )
            # Parameters of 5 have all moments, whatever the family.
            return where_regular(regular, value, whole, args, (*[5.0] * len(shapes), 0.0, 1.0))

        register(original, name, parameters, method)


_SCALED: dict[str, Formula] = {
    "mean": lambda m, loc, scale: loc + scale * m,
    "var": lambda v, loc, scale: 0 * loc + scale * scale * v,
    "std": lambda v, loc, scale: 0 * loc + scale * np.sqrt(v),
    "entropy": lambda h, loc, scale: 0 * loc + np.log(scale) + h,
}


def _beta_entropy(a: Any, b: Any) -> Any:
    both = (a + b - 2) * sc.psi(a + b)
    return sc.betaln(a, b) - (a - 1) * sc.psi(a) - (b - 1) * sc.psi(b) + both


def _gamma_entropy(a: Any) -> Any:
    return a + sc.gammaln(a) + (1 - a) * sc.psi(a)


def _t_entropy(df: Any) -> Any:
    half, more = 0.5 * df, 0.5 * df + 0.5
    return more * (sc.psi(more) - sc.psi(half)) + 0.5 * np.log(df) + sc.betaln(half, 0.5)


moments(st.norm, mean=0.0, var=1.0, entropy=0.5 * math.log(2 * math.pi * math.e))
moments(st.uniform, mean=0.5, var=1 / 12, entropy=0.0)
moments(st.expon, mean=1.0, var=1.0, entropy=1.0)
moments(st.laplace, mean=0.0, var=2.0, entropy=1 + math.log(2))
moments(st.logistic, mean=0.0, var=math.pi**2 / 3, entropy=2.0)
moments(
    st.halfnorm, mean=math.sqrt(2 / math.pi), var=1 - 2 / math.pi,
    entropy=0.5 * math.log(math.pi / 2) + 0.5,
)  # fmt: skip
moments(
    st.rayleigh, mean=math.sqrt(math.pi / 2), var=2 - math.pi / 2,
    entropy=1 + 0.5 * _EULER - 0.5 * math.log(2),
)  # fmt: skip
moments(st.gumbel_r, mean=_EULER, var=math.pi**2 / 6, entropy=1 + _EULER)
moments(st.gumbel_l, mean=-_EULER, var=math.pi**2 / 6, entropy=1 + _EULER)
moments(st.gamma, mean=lambda a: a, var=lambda a: a, entropy=_gamma_entropy)
moments(
    st.chi2, mean=lambda df: df, var=lambda df: 2 * df,
    entropy=lambda df: _gamma_entropy(0.5 * df) + math.log(2),
)  # fmt: skip
moments(
    st.beta,
    mean=lambda a, b: a / (a + b),
    var=lambda a, b: a * b / ((a + b) ** 2 * (a + b + 1)),
    entropy=_beta_entropy,
)
moments(
    st.lognorm,
    mean=lambda s: np.exp(0.5 * s * s),
    var=lambda s: np.exp(s * s) * np.expm1(s * s),
    entropy=lambda s: 0.5 * math.log(2 * math.pi * math.e) + np.log(s),
)
moments(st.t, mean=lambda df: 0 * df, var=lambda df: df / (df - 2), entropy=_t_entropy)
moments(
    st.weibull_min,
    mean=lambda c: sc.gamma(1 + 1 / c),
    var=lambda c: sc.gamma(1 + 2 / c) - sc.gamma(1 + 1 / c) ** 2,
    entropy=lambda c: _EULER * (1 - 1 / c) - np.log(c) + 1,
)
moments(
    st.pareto,
    mean=lambda b: b / (b - 1),
    var=lambda b: b / ((b - 1) ** 2 * (b - 2)),
    entropy=lambda b: 1 + 1 / b - np.log(b),
)
