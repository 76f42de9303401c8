"""Functions of square matrices: exponential, logarithm, powers, trigonometric functions.

The derivative of an analytic function stands in a block of its value at a larger matrix:

    f([[A, E], [0, A]]) = [[f(A), L(A, E)], [0, f(A)]]

References:
    Mathias, "A chain rule for matrix functions and applications" (1996).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg as sl

from retrograd.autodiff.dtypes import in_double
from retrograd.autodiff.primitive import Primitive, match, rule, shape_of, stands_for
from retrograd.autodiff.rules.matrix_parts import check_full_rank, transposed
from retrograd.autodiff.trace import value_of
from retrograd.scipy.linalg.equations import sylvester


def _frechet(function: Callable[..., Any], a: Any, e: Any, *args: Any) -> Any:
    """The derivative of a matrix function at `a` along `e`."""
    n = shape_of(a)[-1]
    scale = _scale(a, e)
    upper = np.concatenate([a, e / scale], axis=-1)
    lower = np.concatenate([np.zeros(shape_of(a), a.dtype), a], axis=-1)
    whole = function(np.concatenate([upper, lower], axis=-2), *args)
    return whole[..., :n, n:] * scale


def _scale(a: Any, e: Any) -> float:
    """How many times larger a direction is than the matrix: a large one costs accuracy."""
    a, e = value_of(a), value_of(e)
    if not isinstance(e, np.ndarray):
        return 1.0
    largest = float(np.max(np.abs(e), initial=0))
    return largest / (float(np.max(np.abs(a), initial=0)) or 1.0) if largest else 1.0


def _analytic(function: Callable[..., Any]) -> Primitive:
    """A primitive for an analytic function of a square matrix, and of plain arguments."""
    primitive = Primitive(function)

    def pull(g: Any, ans: Any, a: Any, *args: Any) -> Any:
        return match(_frechet(primitive, transposed(a), g, *args), a)

    def push(d: Any, ans: Any, a: Any, *args: Any) -> Any:
        return match(_frechet(primitive, a, d, *args), ans)

    return rule(primitive, [pull], [push])


_expm = _analytic(lambda a: sl.expm(a))
_power = _analytic(lambda a, t: sl.fractional_matrix_power(a, t))


@stands_for(sl.expm)
def expm(A: Any) -> Any:
    """`scipy.linalg.expm`."""
    return _expm(A)


@stands_for(sl.expm_frechet)
def expm_frechet(
    A: Any, E: Any, method: Any = None, compute_expm: bool = True, check_finite: bool = True
) -> Any:
    """`scipy.linalg.expm_frechet`, which SciPy calculates in double precision."""
    A, E = in_double(A), in_double(E)
    derivative = _frechet(_expm, A, E)
    return (_expm(A), derivative) if compute_expm else derivative


@stands_for(sl.fractional_matrix_power)
def fractional_matrix_power(A: Any, t: Any) -> Any:
    """`scipy.linalg.fractional_matrix_power`, with a plain exponent."""
    return _power(A, t)


def _square_root(a: Any) -> Any:
    return sl.sqrtm(a)


def _over_sums(root: Any, x: Any) -> Any:
    """The solution of R Y + Y R = X: the derivative of a square root R."""
    check_full_rank("sqrtm", np.linalg.eigvals(value_of(root)) ** 2, shape_of(root))
    return sylvester(root, root, x)


_sqrtm = rule(
    Primitive(_square_root),
    [lambda g, ans, a: match(_over_sums(transposed(ans), g), a)],
    [lambda d, ans, a: match(_over_sums(ans, d), ans)],
)


@stands_for(sl.sqrtm)
def sqrtm(A: Any) -> Any:
    """`scipy.linalg.sqrtm`, of a regular matrix."""
    return _sqrtm(A)


def _registered(original: Callable[..., Any]) -> None:
    """Rules for a function of SciPy of one matrix."""
    primitive = _analytic(lambda a: original(a))

    def function(A: Any) -> Any:
        return primitive(A)

    function.__name__ = original.__name__
    stands_for(original)(function)


for _function in (
    sl.logm, sl.signm, sl.cosm, sl.sinm, sl.tanm, sl.coshm, sl.sinhm, sl.tanhm
):  # fmt: skip
    _registered(_function)
