"""Decompositions into factors, their use in equations, eigenvalues and singular values."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as sl

from retrograd.autodiff.dtypes import floats
from retrograd.autodiff.primitive import Primitive, rule, shape_of, stands_for
from retrograd.autodiff.rules.decompositions import qr_factors
from retrograd.autodiff.rules.matrix_parts import (
    adjoint,
    check_full_rank,
    diagonal_of,
    hermitian_part,
    identity,
    lower_part,
    read_as_hermitian,
    upper_part,
)
from retrograd.autodiff.rules.spectra import mixing, rotation, svd_jvp
from retrograd.autodiff.trace import value_of
from retrograd.errors import ArgumentError, MissingRuleError
from retrograd.scipy.linalg.equations import solve_triangular, sylvester

la = np.linalg


@stands_for(sl.cholesky)
def cholesky(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """`scipy.linalg.cholesky`; the gradient is Hermitian, as the matrix is."""
    return la.cholesky(a, upper=not lower)


# Before SciPy 1.18 the triangle beside the factor is that of the matrix; since then it is zero.
_KEEPS_OTHER_TRIANGLE = bool(sl.cho_factor(np.array([[2.0, 1.0], [1.0, 2.0]]))[0][1, 0])


@stands_for(sl.cho_factor)
def cho_factor(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Any, bool]:
    """`scipy.linalg.cho_factor`; the other triangle is what SciPy leaves there."""
    factor = la.cholesky(a, upper=not lower)
    if not _KEEPS_OTHER_TRIANGLE:
        return factor, lower
    return factor + (upper_part(a, 1) if lower else lower_part(a, -1)), lower


@stands_for(sl.cho_solve)
def cho_solve(
    c_and_lower: tuple[Any, bool], b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    """`scipy.linalg.cho_solve`."""
    c, lower = c_and_lower
    first, second = ("N", "C") if lower else ("C", "N")
    return solve_triangular(c, solve_triangular(c, b, first, lower), second, lower)


def _lu(a: Any) -> Any:
    return sl.lu(a, check_finite=False)[1:]


def _lu_jvp(d: Any, ans: Any, a: Any) -> Any:
    lower, upper = ans
    pivots = np.diagonal(value_of(upper), axis1=-2, axis2=-1)
    check_full_rank("lu", pivots, shape_of(a))
    inside = la.inv(lower) @ d @ la.inv(upper)
    return lower @ lower_part(inside, -1), upper_part(inside) @ upper


# Of square matrices whose rows stand in the order of the pivots.
_lu_square = rule(Primitive(_lu, outputs=True), jvps=[_lu_jvp])


def _lu_factors(a: Any) -> tuple[Any, Any]:
    """L and U of matrices whose rows stand in the order of the pivots."""
    rows, columns = shape_of(a)[-2:]
    k = min(rows, columns)
    lower, upper = _lu_square(a[..., :k, :k])
    if rows > k:
        lower = np.concatenate([lower, a[..., k:, :] @ la.inv(upper)], axis=-2)
    if columns > k:
        upper = np.concatenate([upper, la.inv(lower) @ a[..., k:]], axis=-1)
    return lower, upper


def _rows(a: Any, order: Any) -> Any:
    return a[order] if np.ndim(order) == 1 else np.take_along_axis(a, order[..., None], axis=-2)


@stands_for(sl.lu)
def lu(
    a: Any,
    permute_l: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
    p_indices: bool = False,
) -> Any:
    """`scipy.linalg.lu`; the permutation is constant."""
    plain = value_of(a)
    places = sl.lu(plain, p_indices=True)[0]
    lower, upper = _lu_factors(_rows(a, np.argsort(places, axis=-1)))
    if permute_l:
        return _rows(lower, places), upper
    return (places if p_indices else sl.lu(plain)[0]), lower, upper


def _order(pivots: Any) -> Any:
    """The order of the rows after all exchanges."""
    order = np.arange(len(pivots))
    for i, j in enumerate(pivots):
        order[i], order[j] = order[j], order[i]
    return order


@stands_for(sl.lu_factor)
def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Any, Any]:
    """`scipy.linalg.lu_factor`, of a square matrix; the pivots are constant."""
    if np.ndim(a) != 2 or shape_of(a)[0] != shape_of(a)[1]:
        raise MissingRuleError(
            f"lu_factor: no derivative rule covers a of shape {shape_of(a)}; give a square "
            "matrix, or use lu"
        )
    pivots = sl.lu_factor(value_of(a))[1]
    lower, upper = _lu_square(a[_order(pivots)])
    return lower_part(lower, -1) + upper, pivots


@stands_for(sl.lu_solve)
def lu_solve(
    lu_and_piv: tuple[Any, Any],
    b: Any,
    trans: int = 0,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """`scipy.linalg.lu_solve`."""
    factors, pivots = lu_and_piv
    factors, b = floats(factors), floats(b)
    order = _order(value_of(pivots))
    if trans == 0:
        first = solve_triangular(factors, b[order], lower=True, unit_diagonal=True)
        return solve_triangular(factors, first)
    first = solve_triangular(factors, b, trans)
    second = solve_triangular(factors, first, trans, lower=True, unit_diagonal=True)
    return second[np.argsort(order)]


@stands_for(sl.qr)
def qr(
    a: Any,
    overwrite_a: bool = False,
    lwork: Any = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> Any:
    """`scipy.linalg.qr`, of matrices of full rank; pivots are constant.

    Of a matrix with more rows than columns use `mode="economic"`: the last columns of a full Q
    are not determined, and have no derivative.
    """
    rows, columns = shape_of(a)[-2:]
    if mode not in ("full", "r", "economic") or (mode == "full" and rows > columns):
        raise MissingRuleError(
            f"qr: no derivative rule covers mode={mode!r} of a matrix of {rows} rows and "
            f"{columns} columns; use mode='economic'"
        )
    if np.ndim(a) > 2 and (pivoting or mode == "r"):
        raise MissingRuleError(
            "qr: no derivative rule covers pivoting=True or mode='r' of stacks of matrices; "
            "factor them one by one, or use retrograd.numpy.linalg.qr"
        )
    pivots: tuple[Any, ...] = ()
    if pivoting:
        pivots = sl.qr(value_of(a), mode="r", pivoting=True)[1:]
        a = a[:, pivots[0]]
    q, r = qr_factors(a)
    if mode != "r":
        return q, r, *pivots
    zeros = np.zeros((*shape_of(r)[:-2], max(rows - columns, 0), columns), r.dtype)
    return np.concatenate([r, zeros], axis=-2), *pivots


def _singular_vectors(a: Any, full_matrices: bool) -> Any:
    return sl.svd(a, full_matrices, check_finite=False)


_svd = rule(Primitive(_singular_vectors, outputs=True), jvps=[svd_jvp])


@stands_for(sl.svd)
def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """`scipy.linalg.svd`."""
    return _svd(a, full_matrices) if compute_uv else la.svdvals(a)


@stands_for(sl.svdvals)
def svdvals(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """`scipy.linalg.svdvals`."""
    return la.svdvals(a)


def _eigenvectors(a: Any, b: Any, lower: bool, driver: Any) -> Any:
    return sl.eigh(a, b, lower=lower, driver=driver, check_finite=False)


def _eigenvectors_jvp_a(d: Any, ans: Any, a: Any, b: Any, lower: bool, driver: Any) -> Any:
    w, v = ans
    s = adjoint(v) @ hermitian_part(d) @ v
    return np.real(diagonal_of(s)), v @ rotation(mixing(s, w, "eigh: eigenvalues that"), "eigh")


def _eigenvectors_jvp_b(d: Any, ans: Any, a: Any, b: Any, lower: bool, driver: Any) -> Any:
    w, v = ans
    s = adjoint(v) @ hermitian_part(d) @ v
    turned = mixing(s * np.expand_dims(w, -2), w, "eigh: eigenvalues that")
    scaled = turned + s * (identity(s) / 2)
    return -w * np.real(diagonal_of(s)), -(v @ rotation(scaled, "eigh"))


_eigh = rule(
    Primitive(_eigenvectors, outputs=True), jvps=[_eigenvectors_jvp_a, _eigenvectors_jvp_b]
)


def _eigenvalues(a: Any, b: Any, lower: bool, driver: Any) -> Any:
    return sl.eigvalsh(a, b, lower=lower, driver=driver, check_finite=False)


def _rayleigh(d: Any, v: Any) -> Any:
    return np.real(np.sum(np.conj(v) * (hermitian_part(d) @ v), axis=-2))


_eigvalsh = rule(
    Primitive(_eigenvalues),
    jvps=[
        lambda d, ans, a, b, lower, driver: _rayleigh(d, _eigh(a, b, lower, None)[1]),
        lambda d, ans, a, b, lower, driver: -ans * _rayleigh(d, _eigh(a, b, lower, None)[1]),
    ],
)


@stands_for(sl.eigh)
def eigh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    eigvals_only: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: Any = None,
) -> Any:
    """`scipy.linalg.eigh`, also of `A v = w B v`; gradients are Hermitian."""
    if subset_by_index is not None or subset_by_value is not None or (type != 1 and b is not None):
        raise MissingRuleError(
            "eigh: no derivative rule covers subset_by_index=, subset_by_value= and type= other "
            "than 1; take parts of the whole result"
        )
    a = read_as_hermitian(floats(a), lower)
    b = None if b is None else read_as_hermitian(floats(b), lower)
    return (_eigvalsh if eigvals_only else _eigh)(a, b, lower, driver)


@stands_for(sl.eigvalsh)
def eigvalsh(a: Any, b: Any = None, *, lower: bool = True, **options: Any) -> Any:
    """`scipy.linalg.eigvalsh`; gradients are Hermitian."""
    return eigh(a, b, lower=lower, eigvals_only=True, **options)


@stands_for(sl.eig)
def eig(
    a: Any,
    b: Any = None,
    left: bool = False,
    right: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    """`scipy.linalg.eig`, with right eigenvectors, of one matrix."""
    if b is not None or left or homogeneous_eigvals:
        raise MissingRuleError(
            "eig: no derivative rule covers b=, left= and homogeneous_eigvals=; use "
            "eig(solve(b, a)), or eig of the conjugate transpose"
        )
    if not right:
        return la.eigvals(a) + 0j
    values, vectors = la.eig(a)
    return values + 0j, vectors


@stands_for(sl.eigvals)
def eigvals(
    a: Any,
    b: Any = None,
    overwrite_a: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    """`scipy.linalg.eigvals`, of one matrix."""
    return eig(a, b, right=False, homogeneous_eigvals=homogeneous_eigvals)


def _polar_jvp(d: Any, ans: Any, a: Any) -> Any:
    """From A = U P: the generator W of the turn of U solves P W + W P = U^H dA - dA^H U."""
    u, p = ans
    check_full_rank("polar", la.svdvals(value_of(a)), shape_of(a))
    inside = adjoint(u) @ d
    turn = sylvester(p, p, inside - adjoint(inside))
    moved = u @ turn
    if shape_of(u)[-2] > shape_of(u)[-1]:  # the columns leave the space that they span
        moved = moved + (d - u @ inside) @ la.inv(p)
    return moved, hermitian_part(inside - turn @ p)


def _polar(a: Any) -> Any:
    return sl.polar(a)


# Of matrices that have at least as many rows as columns.
_polar_factors = rule(Primitive(_polar, outputs=True), jvps=[_polar_jvp])


@stands_for(sl.polar)
def polar(a: Any, side: str = "right") -> tuple[Any, Any]:
    """`scipy.linalg.polar`, of matrices whose rank is that of the positive factor's size."""
    if side not in ("left", "right"):
        raise ArgumentError(f"polar: side={side!r} was given; it is 'right' or 'left'")
    rows, columns = shape_of(a)[-2:] if side == "right" else shape_of(a)[:-3:-1]
    if rows < columns:
        raise MissingRuleError(
            f"polar: no derivative rule covers side={side!r} of a matrix of shape {shape_of(a)}, "
            "whose positive factor is singular; use the other side"
        )
    u, p = _polar_factors(adjoint(a) if side == "left" else a)
    return (adjoint(u), p) if side == "left" else (u, p)
