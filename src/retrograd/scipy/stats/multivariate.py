"""Families of vectors: multivariate normal, Dirichlet, multinomial."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import scipy.special as sc
import scipy.stats as st

from retrograd.autodiff.trace import Traced, value_of
from retrograd.errors import MissingRuleError
from retrograd.scipy import special
from retrograd.scipy.stats.distribution import register

assert special  # registers the rules of the functions below

_EMPTY = inspect.Parameter.empty
_LOG_2PI = math.log(2 * math.pi)


def _covariance(cov: Any, dim: int, allow_singular: bool, like: Any) -> Any:
    """The covariance as a matrix, symmetrically in its two triangles.

    SciPy reads one triangle; the derivative is spread evenly over both.
    """
    if allow_singular or isinstance(cov, st.Covariance):
        raise MissingRuleError(
            "scipy.stats: multivariate_normal has no derivative for allow_singular=True or a "
            "Covariance object. Give a positive definite matrix."
        )
    if np.ndim(cov) < 2:
        return np.eye(dim, dtype=np.result_type(value_of(like), 0.0)) * cov
    return 0.5 * (cov + np.swapaxes(cov, -1, -2))


def _dimension(x: Any, mean: Any, cov: Any) -> int:
    if mean is not None and np.ndim(mean):
        return np.size(value_of(mean))
    if np.ndim(cov):
        return np.shape(cov)[-1]
    return 1


def _normal_log_density(value: Any, x: Any, mean: Any, cov: Any, allow_singular: Any) -> Any:
    dim = _dimension(x, mean, cov)
    matrix = _covariance(cov, dim, allow_singular, x)
    deviation = x if mean is None else x - mean
    deviation = np.reshape(deviation, (*np.shape(value), dim))
    inverse = np.linalg.inv(matrix)
    distance = np.sum(deviation * (deviation @ inverse), axis=-1)
    return -0.5 * (distance + np.linalg.slogdet(matrix)[1] + dim * _LOG_2PI)


def _normal_entropy(value: Any, mean: Any, cov: Any) -> Any:
    dim = _dimension(None, mean, cov)
    return 0.5 * (np.linalg.slogdet(_covariance(cov, dim, False, cov))[1] + dim * (_LOG_2PI + 1))


def _completed(x: Any, alpha: Any) -> Any:
    """All components of a point of the simplex, the last one from the others if it is missing."""
    if np.shape(x)[0] == np.shape(alpha)[0]:
        return x
    return np.concatenate([x, 1 - np.sum(x, axis=0, keepdims=True)])


def _dirichlet_log_density(value: Any, x: Any, alpha: Any) -> Any:
    x = _completed(x, alpha)
    column = np.reshape(alpha, (-1, *[1] * (np.ndim(x) - 1)))
    known = sc.gammaln(np.sum(alpha)) - np.sum(sc.gammaln(alpha))
    return known + np.sum(sc.xlogy(column - 1, x), axis=0)


def _dirichlet_entropy(value: Any, alpha: Any) -> Any:
    total, count = np.sum(alpha), np.shape(alpha)[0]
    known = np.sum(sc.gammaln(alpha)) - sc.gammaln(total)
    return known + (total - count) * sc.psi(total) - np.sum((alpha - 1) * sc.psi(alpha))


def _multinomial_log_mass(value: Any, x: Any, n: Any, p: Any) -> Any:
    """As in SciPy, the last probability is what the others leave."""
    for name, given in (("x", x), ("n", n)):
        if isinstance(given, Traced):
            raise MissingRuleError(
                f"scipy.stats: multinomial has no derivative with respect to {name}, which "
                "counts. Pass a plain value there (retrograd.value_of)."
            )
    first = p[..., :-1]
    p = np.concatenate([first, 1 - np.sum(first, axis=-1, keepdims=True)], axis=-1)
    terms = np.sum(sc.xlogy(x, p) - sc.gammaln(np.asarray(x) + 1.0), axis=-1)
    return sc.gammaln(np.asarray(n) + 1.0) + terms


def _possible_log_mass(value: Any, x: Any, n: Any, p: Any) -> Any:
    """The logarithm of the probability, and -inf where the counts do not add up."""
    found = _multinomial_log_mass(value, x, n, p)
    return np.where(np.isfinite(value), found, value)


def _possible_mass(value: Any, x: Any, n: Any, p: Any) -> Any:
    return np.where(value > 0, np.exp(_multinomial_log_mass(value, x, n, p)), value)


def _exp(log: Any) -> Any:
    return lambda *args: np.exp(log(*args))


_NORMAL = [("x", _EMPTY), ("mean", None), ("cov", 1), ("allow_singular", False)]
register(st.multivariate_normal, "logpdf", _NORMAL, _normal_log_density)
register(st.multivariate_normal, "pdf", _NORMAL, _exp(_normal_log_density))
register(st.multivariate_normal, "entropy", [("mean", None), ("cov", 1)], _normal_entropy)
_SIMPLEX = [("x", _EMPTY), ("alpha", _EMPTY)]
register(st.dirichlet, "logpdf", _SIMPLEX, _dirichlet_log_density)
register(st.dirichlet, "pdf", _SIMPLEX, _exp(_dirichlet_log_density))
register(st.dirichlet, "entropy", [("alpha", _EMPTY)], _dirichlet_entropy)
_COUNTS = [("x", _EMPTY), ("n", _EMPTY), ("p", _EMPTY)]
register(st.multinomial, "logpmf", _COUNTS, _possible_log_mass)
register(st.multinomial, "pmf", _COUNTS, _possible_mass)
