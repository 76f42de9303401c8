"""Discrete families, at location 0: differentiable in the parameters that are no counts."""

from __future__ import annotations

import inspect
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


def discrete(
    original: Any, interior: tuple[float, ...], *, counts: tuple[str, ...] = (),
    logpmf: Formula, cdf: Formula | None = None, sf: Formula | None = None,
) -> None:  # fmt: skip
    """Register the methods of a family.

    Args:
        original: SciPy's distribution.
        interior: a number with positive probability, and the parameters that go with it.
        counts: names of the parameters without derivatives.
        logpmf: the logarithm of the probability of k.
        cdf: the probability of k or less.
        sf: the probability of more than k.
    """
    empty = inspect.Parameter.empty
    shapes = [name.strip() for name in original.shapes.split(",")]
    parameters = [("k", empty), *((name, empty) for name in shapes), ("loc", 0)]
    formulas = {"logpmf": logpmf, "pmf": lambda *args: np.exp(logpmf(*args))}
    if cdf is not None and sf is not None:
        formulas |= {"cdf": cdf, "logcdf": lambda *args: np.log(cdf(*args))}
        formulas |= {"sf": sf, "logsf": lambda *args: np.log(sf(*args))}
    for name, formula in formulas.items():

        def method(
            value: Any, *arguments: Any, f: Formula = formula, mass: bool = name.endswith("pmf")
        ) -> Any:
            k, *given, loc = arguments
            steps = np.floor(np.asarray(k) - loc)
            low, high = original.support(*map(value_of, given), loc)
            inside = (k >= low) & ((k <= high) & (k == np.floor(k)) if mass else k < high)
            regular = np.isfinite(value) & inside
            return where_regular(regular, value, f, (steps, *given), interior)

        register(original, name, parameters, method, counts=("k", *counts, "loc"))


def _log_choose(n: Any, k: Any) -> Any:
    """The logarithm of the binomial coefficient."""
    return sc.gammaln(n + 1) - sc.gammaln(k + 1) - sc.gammaln(n - k + 1)


discrete(
    st.bernoulli, (0.0, 0.5),
    logpmf=lambda k, p: sc.xlogy(k, p) + sc.xlog1py(1 - k, -p),
    cdf=lambda k, p: 1 - p + 0 * k,
    sf=lambda k, p: p + 0 * k,
)  # fmt: skip
discrete(
    st.binom, (0.0, 1.0, 0.5), counts=("n",),
    logpmf=lambda k, n, p: _log_choose(n, k) + sc.xlogy(k, p) + sc.xlog1py(n - k, -p),
    cdf=lambda k, n, p: sc.betaincc(k + 1, n - k, p),
    sf=lambda k, n, p: sc.betainc(k + 1, n - k, p),
)  # fmt: skip
discrete(
    st.geom, (1.0, 0.5),
    logpmf=lambda k, p: sc.xlog1py(k - 1, -p) + np.log(p),
    cdf=lambda k, p: -np.expm1(k * np.log1p(-p)),
    sf=lambda k, p: np.exp(k * np.log1p(-p)),
)  # fmt: skip
discrete(
    st.nbinom, (1.0, 1.0, 0.5),
    logpmf=lambda k, n, p: (
        _log_choose(n + k - 1, k) + n * np.log(p) + sc.xlog1py(k, -p)
    ),
    cdf=lambda k, n, p: sc.betainc(n, k + 1, p),
    sf=lambda k, n, p: sc.betaincc(n, k + 1, p),
)  # fmt: skip
discrete(
    st.poisson, (1.0, 1.0),
    logpmf=lambda k, mu: sc.xlogy(k, mu) - sc.gammaln(k + 1) - mu,
    cdf=lambda k, mu: sc.gammaincc(k + 1, mu),
    sf=lambda k, mu: sc.gammainc(k + 1, mu),
)  # fmt: skip
discrete(
    st.betabinom, (0.0, 1.0, 1.0, 1.0), counts=("n",),
    logpmf=lambda k, n, a, b: (
        _log_choose(n, k) + sc.betaln(k + a, n - k + b) - sc.betaln(a, b)
    ),
)  # fmt: skip
