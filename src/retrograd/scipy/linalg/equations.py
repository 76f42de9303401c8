"""Linear equations, dense and triangular; inverses; Sylvester's and Lyapunov's equations."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as sl

from retrograd.autodiff.dtypes import floats, in_double, is_complex
from retrograd.autodiff.primitive import Primitive, match, rule, shape_of, stands_for
from retrograd.autodiff.rules.linalg import pinv_of
from retrograd.autodiff.rules.matrix_parts import (
    adjoint,
    lower_part,
    read_as_hermitian,
    transposed,
    upper_part,
)
from retrograd.autodiff.trace import value_of
from retrograd.errors import MissingRuleError

_GENERAL = (None, "gen", "general")
_HERMITIAN = ("her", "hermitian", "pos", "positive definite")
_SYMMETRIC = ("sym", "symmetric")
_TRIANGULAR = {"lower triangular": lower_part, "upper triangular": upper_part}


def _as_assumed(name: str, a: Any, assume_a: Any, lower: bool) -> Any:
    """The matrix that SciPy reads from `a`."""
    a = floats(a)
    if assume_a in _GENERAL:
        return a
    if assume_a in _HERMITIAN or (assume_a in _SYMMETRIC and not is_complex(a)):
        return read_as_hermitian(a, lower)
    if assume_a in _TRIANGULAR:
        return _TRIANGULAR[assume_a](a)
    raise MissingRuleError(
        f"{name}: no derivative rule covers assume_a={assume_a!r} of a {a.dtype} matrix; leave it "
        "out, or use 'general'"
    )


@stands_for(sl.inv)
def inv(
    a: Any,
    overwrite_a: bool = False,
    check_finite: bool = True,
    *,
    assume_a: Any = None,
    lower: bool = False,
) -> Any:
    """`scipy.linalg.inv`."""
    return np.linalg.inv(_as_assumed("inv", a, assume_a, lower))


@stands_for(sl.det)
def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """`scipy.linalg.det`, which SciPy calculates in double precision."""
    return np.linalg.det(in_double(a))


@stands_for(sl.pinv)
def pinv(
    a: Any,
    *,
    atol: Any = None,
    rtol: Any = None,
    return_rank: bool = False,
    check_finite: bool = True,
) -> Any:
    """`scipy.linalg.pinv`, whose rank is constant."""
    plain = value_of(a)
    largest = np.max(np.linalg.svdvals(plain), axis=-1, initial=0)
    if rtol is None:
        rtol = 0.0 if atol else max(plain.shape[-2:]) * np.finfo(plain.dtype).eps
    cutoff = (atol or 0.0) + rtol * largest
    relative = np.divide(cutoff, largest, out=np.zeros_like(largest), where=largest > 0)
    result = pinv_of(a, {"rcond": relative})
    if not return_rank:
        return result
    return result, sl.pinv(plain, atol=atol, rtol=rtol, return_rank=True)[1]


@stands_for(sl.lstsq)
def lstsq(
    a: Any,
    b: Any,
    cond: Any = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    lapack_driver: Any = None,
) -> Any:
    """`scipy.linalg.lstsq`; the rank is constant."""
    if lapack_driver == "gelsy":
        raise MissingRuleError(
            "lstsq: no derivative rule covers lapack_driver='gelsy'; leave it out"
        )
    a, b = floats(a), floats(b)
    if cond is None:
        cond = float(np.finfo(value_of(a).dtype).eps)
    x, residuals, rank, s = np.linalg.lstsq(a, b, cond)
    if not np.size(value_of(residuals)):
        residuals = np.zeros(0, x.dtype)
    elif np.ndim(b) == 1:
        residuals = np.reshape(residuals, ())
    return x, residuals, rank, s


@stands_for(sl.solve)
def solve(
    a: Any,
    b: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    assume_a: Any = None,
    transposed: bool = False,
) -> Any:
    """`scipy.linalg.solve`."""
    a = _as_assumed("solve", a, assume_a, lower)
    return np.linalg.solve(np.swapaxes(a, -1, -2) if transposed else a, b)


def _triangular(a: Any, b: Any, lower: bool, unit_diagonal: bool) -> Any:
    return sl.solve_triangular(a, b, lower=lower, unit_diagonal=unit_diagonal, check_finite=False)


def _read(a: Any, lower: bool, unit_diagonal: bool) -> Any:
    """The triangle of a matrix that is read, the diagonal only if it is."""
    k = 1 if unit_diagonal else 0
    return lower_part(a, -k) if lower else upper_part(a, k)


def _triangular_vjp_a(g: Any, ans: Any, a: Any, b: Any, lower: bool, unit: bool) -> Any:
    pulled = solve_triangles(transposed(a), g, not lower, unit)
    return match(-_read(pulled @ transposed(ans), lower, unit), a)


# With `b` a (stack of) matrices.
solve_triangles = rule(
    Primitive(_triangular),
    [
        _triangular_vjp_a,
        lambda g, ans, a, b, lower, unit: match(
            solve_triangles(transposed(a), g, not lower, unit), b
        ),
    ],
    [
        lambda d, ans, a, b, lower, unit: (
            -solve_triangles(a, _read(d, lower, unit) @ ans, lower, unit)
        ),
        lambda d, ans, a, b, lower, unit: solve_triangles(a, d, lower, unit),
    ],
)


@stands_for(sl.solve_triangular)
def solve_triangular(
    a: Any,
    b: Any,
    trans: Any = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """`scipy.linalg.solve_triangular`."""
    a, b = floats(a), floats(b)
    if trans not in (0, "N"):
        a = transposed(a) if trans in (1, "T") else adjoint(a)
        lower = not lower
    if np.ndim(b) == 1:
        return np.squeeze(solve_triangles(a, np.expand_dims(b, -1), lower, unit_diagonal), -1)
    return solve_triangles(a, b, lower, unit_diagonal)


def _solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    return sl.solve_sylvester(a, b, q)


def _sylvester_pulled(g: Any, a: Any, b: Any) -> Any:
    return sylvester(transposed(a), transposed(b), g)


sylvester = rule(
    Primitive(_solve_sylvester),
    vjps=[
        lambda g, ans, a, b, q: match(-(_sylvester_pulled(g, a, b) @ transposed(ans)), a),
        lambda g, ans, a, b, q: match(-(transposed(ans) @ _sylvester_pulled(g, a, b)), b),
        lambda g, ans, a, b, q: match(_sylvester_pulled(g, a, b), q),
    ],
)


@stands_for(sl.solve_sylvester)
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """`scipy.linalg.solve_sylvester`."""
    return sylvester(floats(a), floats(b), floats(q))


@stands_for(sl.solve_continuous_lyapunov, sl.solve_lyapunov)
def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """`scipy.linalg.solve_continuous_lyapunov`."""
    a = floats(a)
    return sylvester(a, adjoint(a), floats(q))


def _solve_discrete(a: Any, q: Any, method: Any) -> Any:
    return sl.solve_discrete_lyapunov(a, q, method)


def _discrete_vjp_a(g: Any, ans: Any, a: Any, q: Any, method: Any) -> Any:
    pulled = _discrete(transposed(a), g, method)
    left = pulled @ np.conj(a) @ transposed(ans)
    return match(left + np.conj(transposed(pulled) @ a @ ans), a)


_discrete = rule(
    Primitive(_solve_discrete),
    vjps=[
        _discrete_vjp_a,
        lambda g, ans, a, q, method: match(_discrete(transposed(a), g, method), q),
    ],
)


@stands_for(sl.solve_discrete_lyapunov)
def solve_discrete_lyapunov(a: Any, q: Any, method: Any = None) -> Any:
    """`scipy.linalg.solve_discrete_lyapunov`."""
    if method is None:
        method = "bilinear" if shape_of(a)[-1] >= 10 else "direct"
    return _discrete(floats(a), floats(q), method)
