"""Triangular and orthogonal factors: Cholesky and QR."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.dtypes import is_complex
from retrograd.autodiff.primitive import Primitive, rule, shape_of, stands_for
from retrograd.autodiff.rules.matrix_parts import (
    adjoint,
    check_full_rank,
    hermitian_part,
    identity,
    lower_part,
    read_as_hermitian,
    transposed,
)
from retrograd.autodiff.trace import value_of
from retrograd.errors import MissingRuleError

la = np.linalg


def _lower_half(a: Any) -> Any:
    """The lower triangle, with half of the diagonal."""
    return lower_part(a) - a * (identity(a) / 2)


def _cholesky_vjp(g: Any, ans: Any, a: Any) -> Any:
    inverse = la.inv(ans)
    inner = _lower_half(transposed(ans) @ g)
    pulled = transposed(inverse) @ inner @ (np.conj(inverse) if is_complex(a) else inverse)
    return hermitian_part(pulled)


def _cholesky_jvp(d: Any, ans: Any, a: Any) -> Any:
    inverse = la.inv(ans)
    return ans @ _lower_half(inverse @ hermitian_part(d) @ adjoint(inverse))


cholesky_factor = rule(Primitive(la.cholesky), [_cholesky_vjp], [_cholesky_jvp])


@stands_for(la.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """`numpy.linalg.cholesky`.

    The gradient is Hermitian, as the matrix is: it pairs with Hermitian perturbations. NumPy
    reads one triangle only; of a matrix that is not Hermitian, the gradient is that of the
    elements read.
    """
    a = read_as_hermitian(a, lower=not upper)
    return adjoint(cholesky_factor(adjoint(a))) if upper else cholesky_factor(a)


def _qr_jvp(d: Any, ans: Any, a: Any) -> Any:
    """Of matrices that have at least as many rows as columns; the diagonal of R stays real."""
    q, r = ans
    check_full_rank("qr", np.diagonal(value_of(r), axis1=-2, axis2=-1), shape_of(a))
    moved = d @ la.inv(r)
    inside = adjoint(q) @ moved
    below = lower_part(inside, -1)
    turn = below - adjoint(below)
    if is_complex(a):
        turn = turn + 1j * np.imag(inside) * identity(np.real(inside))
    return moved - q @ (inside - turn), (inside - turn) @ r


_qr = rule(Primitive(la.qr, outputs=True), jvps=[_qr_jvp])
_QRResult: Any = type(la.qr(np.eye(1)))


def qr_factors(a: Any) -> tuple[Any, Any]:
    """The reduced factors; of a wide matrix Q comes from its first columns."""
    rows, columns = shape_of(a)[-2:]
    if rows >= columns:
        return _qr(a)
    q, r = _qr(a[..., :rows])
    return q, np.concatenate([r, adjoint(q) @ a[..., rows:]], axis=-1)


@stands_for(la.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """`numpy.linalg.qr`, of matrices of full rank.

    Of a matrix with more rows than columns, `mode="complete"` completes Q by columns that are
    not determined: they have no derivative.
    """
    if np.ndim(a) < 2:
        la.qr(value_of(a))  # for NumPy's error
    rows, columns = shape_of(a)[-2:]
    if mode == "r":
        return qr_factors(a)[1]
    if mode == "reduced" or (mode == "complete" and rows <= columns):
        return _QRResult(*qr_factors(a))
    raise MissingRuleError(
        f"qr: no derivative rule covers mode={mode!r} of a matrix of {rows} rows and {columns} "
        "columns; use mode='reduced' or 'r'"
    )


__all__ = ["cholesky_factor", "qr_factors"]
