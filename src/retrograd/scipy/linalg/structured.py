"""Matrices of a structure, made of vectors or of blocks; norms."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as sl

from retrograd.autodiff.dtypes import floats, in_double
from retrograd.autodiff.primitive import shape_of, stands_for
from retrograd.errors import MissingRuleError


def _differences(rows: int, columns: int) -> Any:
    """`j - i` at row i and column j."""
    return np.arange(columns) - np.arange(rows)[:, None]


def _sums(rows: int, columns: int) -> Any:
    """`i + j` at row i and column j."""
    return np.arange(columns) + np.arange(rows)[:, None]


@stands_for(sl.toeplitz)
def toeplitz(c: Any, r: Any = None) -> Any:
    """`scipy.linalg.toeplitz`."""
    c = floats(c)
    r = np.conj(c) if r is None else floats(r)
    rows, columns = shape_of(c)[-1], shape_of(r)[-1]
    values = np.concatenate([c[..., ::-1], r[..., 1:]], axis=-1)
    return values[..., _differences(rows, columns) + rows - 1]


@stands_for(sl.circulant)
def circulant(c: Any) -> Any:
    """`scipy.linalg.circulant`."""
    n = shape_of(c)[-1]
    return c[..., -_differences(n, n) % n]


@stands_for(sl.hankel)
def hankel(c: Any, r: Any = None) -> Any:
    """`scipy.linalg.hankel`."""
    c = floats(c)
    r = np.zeros(shape_of(c), c.dtype) if r is None else floats(r)
    values = np.concatenate([c, r[..., 1:]], axis=-1)
    return values[..., _sums(shape_of(c)[-1], shape_of(r)[-1])]


def _matrix(c_or_cr: Any) -> Any:
    """A Toeplitz matrix in double precision, in which SciPy calculates with them."""
    return in_double(toeplitz(*c_or_cr) if isinstance(c_or_cr, tuple) else toeplitz(c_or_cr))


@stands_for(sl.solve_toeplitz)
def solve_toeplitz(c_or_cr: Any, b: Any, check_finite: bool = True) -> Any:
    """`scipy.linalg.solve_toeplitz`, by a dense matrix."""
    return np.linalg.solve(_matrix(c_or_cr), b)


@stands_for(sl.matmul_toeplitz)
def matmul_toeplitz(c_or_cr: Any, x: Any, check_finite: bool = False, workers: Any = None) -> Any:
    """`scipy.linalg.matmul_toeplitz`, by a dense matrix."""
    return np.matmul(_matrix(c_or_cr), x)


@stands_for(sl.block_diag)
def block_diag(*arrs: Any) -> Any:
    """`scipy.linalg.block_diag`, of matrices (vectors are rows)."""
    if any(np.ndim(a) > 2 for a in arrs):
        raise MissingRuleError(
            "block_diag: no derivative rule covers stacks of matrices; join them one by one"
        )
    blocks = [floats(np.reshape(a, (1, -1)) if np.ndim(a) < 2 else a) for a in arrs]
    total, start, rows = sum(shape_of(a)[1] for a in blocks), 0, []
    for block in blocks:
        height, width = shape_of(block)
        left = np.zeros((height, start), block.dtype)
        start += width
        right = np.zeros((height, total - start), block.dtype)
        rows.append(np.concatenate([left, block, right], axis=1))
    return np.concatenate(rows)


@stands_for(sl.khatri_rao)
def khatri_rao(a: Any, b: Any) -> Any:
    """`scipy.linalg.khatri_rao`."""
    product = np.expand_dims(a, -2) * np.expand_dims(b, -3)
    return np.reshape(product, (*shape_of(product)[:-3], -1, shape_of(product)[-1]))


@stands_for(sl.norm)
def norm(
    a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, check_finite: bool = True
) -> Any:
    """`scipy.linalg.norm`."""
    return np.linalg.norm(a, ord, axis, keepdims)
