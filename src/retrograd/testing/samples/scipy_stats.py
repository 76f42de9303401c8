"""Samples of retrograd.scipy.stats: one call of every method of every family."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.stats as st

from retrograd.autodiff.primitive import REGISTRY
from retrograd.scipy import stats as _stats
from retrograd.testing.samples.sample import Sample, Samples, array

assert _stats  # registers the methods

_MOMENTS = ("mean", "var", "std", "entropy")
_PROBABILITIES = array(2, low=0.15, high=0.85)

# Where to call: the variable, then shape parameters. Location and scale are the same for all.
_CONTINUOUS: dict[Any, tuple[tuple[float, float], tuple[float, ...]]] = {
    st.norm: ((-1, 2), ()),
    st.uniform: ((0.3, 1.2), ()),
    st.expon: ((0.3, 2), ()),
    st.laplace: ((-1, 2), ()),
    st.logistic: ((-1, 2), ()),
    st.lognorm: ((0.4, 2), (0.8,)),
    st.cauchy: ((-1, 2), ()),
    st.halfnorm: ((0.3, 2), ()),
    st.halfcauchy: ((0.3, 2), ()),
    st.gamma: ((0.4, 3), (1.7,)),
    st.invgamma: ((0.4, 3), (4.3,)),
    st.chi2: ((0.4, 3), (2.6,)),
    st.beta: ((0.3, 1.1), (1.6, 2.3)),
    st.t: ((-1, 2), (4.3,)),
    st.f: ((0.4, 3), (3.2, 5.1)),
    st.weibull_min: ((0.4, 2), (1.4,)),
    st.pareto: ((1.8, 4), (4.2,)),
    st.gumbel_r: ((-1, 2), ()),
    st.gumbel_l: ((-1, 2), ()),
    st.rayleigh: ((0.4, 2), ()),
    st.triang: ((0.3, 1.1), (0.41,)),
    st.truncnorm: ((-0.5, 0.9), (-0.8, 1.3)),
    st.vonmises: ((-1, 2), (1.3,)),
    st.skewnorm: ((-1, 2), (0.7,)),
}
_LOCATION, _SCALE = 0.13, 1.21

# What cannot be differentiated comes first: the number, and counts; then the other parameters.
_DISCRETE: dict[Any, tuple[tuple[Any, ...], tuple[float, ...]]] = {
    st.bernoulli: ((np.array([0, 1]),), (0.3,)),
    st.binom: ((np.array([1, 4]), 6), (0.3,)),
    st.geom: ((np.array([1, 4]),), (0.3,)),
    st.nbinom: ((np.array([1, 4]),), (2.7, 0.3)),
    st.poisson: ((np.array([1, 4]),), (2.7,)),
    st.betabinom: ((np.array([1, 4]), 6), (1.7, 2.3)),
}


def _methods(original: Any) -> dict[str, Any]:
    """The methods of a distribution that have been registered, by name."""
    names = (name for name in dir(original) if not name.startswith("_"))
    found = ((name, getattr(original, name)) for name in names if name != "generic_moment")
    return {name: f for name, f in found if callable(f) and _is_registered(f)}


def _is_registered(f: Any) -> bool:
    try:
        return f in REGISTRY
    except TypeError:
        return False


def _order(original: Any, name: str) -> int:
    """Up to which order to check.

    Not to the second where it vanishes in some argument, so that only rounding errors could be
    compared; nor, since it takes its time, for quantiles and logarithms of distribution functions
    that are incomplete beta functions.
    """
    vanishes = {(st.uniform, "logcdf"), (st.pareto, "logpdf"), (st.pareto, "logsf")}
    vanishes |= {(st.triang, "logpdf"), (st.triang, "logcdf"), (st.triang, "logsf")}
    slow = original in (st.beta, st.f, st.t) and name not in ("logpdf", "cdf")
    return 1 if slow or (original, name) in vanishes or original is st.bernoulli else 2


def _continuous() -> Samples:
    found: Samples = {}
    for original, ((low, high), shapes) in _CONTINUOUS.items():
        for name, method in _methods(original).items():
            given = (*shapes, _LOCATION, _SCALE)
            x = array(2, low=low + _LOCATION, high=high + _LOCATION)
            first = () if name in _MOMENTS else (_PROBABILITIES if name in ("ppf", "isf") else x,)
            args = (*first, *given)
            found[method] = [
                Sample(args, {}, tuple(range(len(args))), False, _order(original, name))
            ]
    return found


def _discrete() -> Samples:
    found: Samples = {}
    for original, (plain, parameters) in _DISCRETE.items():
        for name, method in _methods(original).items():
            counts = (np.array([0, 0]), *plain[1:]) if _is_last(original, name) else plain
            args = (*counts, *parameters)
            traced = tuple(range(len(counts), len(args)))
            found[method] = [Sample(args, {}, traced, False, _order(original, name))]
    return found


def _is_last(original: Any, name: str) -> bool:
    """Whether a sum over a family with two outcomes reaches its end."""
    return original is st.bernoulli and name in ("cdf", "logcdf", "sf", "logsf")


_POINT, _POINTS = array(2), array(3, 2)
_MEAN, _CONCENTRATIONS = array(2) * 0.4, array(3, low=0.6, high=3)
_VARIANCES = array(2, low=0.5, high=2)
_SIMPLEX = np.array([0.2, 0.5])
_COUNTS = np.array([[2, 1, 3], [0, 4, 2]])

_VECTORS: Samples = {
    **{f: [
        Sample((_POINTS, _MEAN, _VARIANCES), {}, (0, 1, 2), False),
        Sample((_POINT, _MEAN), {"cov": 0.7}, (0, 1, "cov"), False),
        Sample((_POINT,), {}, (0,), False),
    ] for f in (st.multivariate_normal.logpdf, st.multivariate_normal.pdf)},
    st.multivariate_normal.entropy: [Sample((_MEAN, _VARIANCES), {}, (1,), False)],
    **{f: [
        Sample((_SIMPLEX, _CONCENTRATIONS), {}, (0, 1), False),
        Sample((np.full((3, 2), 1 / 3), _CONCENTRATIONS), {}, (1,), False),
    ] for f in (st.dirichlet.logpdf, st.dirichlet.pdf)},
    st.dirichlet.entropy: [Sample((_CONCENTRATIONS,), {}, (0,), False)],
    # Probabilities must add up to 1: see tests/scipy/test_stats.py for others than these.
    **{f: [Sample((_COUNTS, 6, np.zeros((0, 1, 3))), {}, (2,), False)]
       for f in (st.multinomial.logpmf, st.multinomial.pmf)},
}  # fmt: skip

SAMPLES: Samples = {**_continuous(), **_discrete(), **_VECTORS}
