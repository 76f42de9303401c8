"""Products with sparse matrices, and solutions of sparse systems, by the stored elements.

A sparse matrix is its stored elements (`data`) and a pattern that says where they are. Products
and solutions are functions of `data` and of a dense array, both of which may be traced.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from retrograd.autodiff.primitive import Primitive, match, multilinear, rule
from retrograd.errors import ArgumentError


class Pattern:
    """Where the elements of a matrix are: compressed rows."""

    def __init__(self, indices: Any, pointers: Any, shape: tuple[int, int]) -> None:
        self.columns = np.array(indices)
        self.pointers = np.array(pointers)
        self.shape = shape
        self.rows = np.repeat(np.arange(shape[0]), np.diff(self.pointers))

    def matrix(self, data: Any, *, transposed: bool) -> Any:
        """The matrix, or its transpose, with these elements."""
        parts = (data, self.columns.copy(), self.pointers.copy())
        if transposed:
            return scipy.sparse.csc_array(parts, shape=self.shape[::-1])
        return scipy.sparse.csr_array(parts, shape=self.shape)

    def places(self, *, transposed: bool) -> tuple[Any, Any]:
        """Row and column of each element."""
        return (self.columns, self.rows) if transposed else (self.rows, self.columns)


def as_rows(matrix: Any) -> Any:
    """A sparse matrix in compressed rows, with two axes."""
    rows = scipy.sparse.csr_array(matrix)
    if rows.ndim != 2:
        raise ArgumentError(f"a sparse array of {rows.ndim} dimensions was given; give a matrix")
    return rows


def pattern_of(matrix: Any) -> Pattern:
    """The pattern of a matrix in compressed rows."""
    return Pattern(matrix.indices, matrix.indptr, matrix.shape)


def _product(data: Any, x: Any, pattern: Pattern, transposed: bool) -> Any:
    return pattern.matrix(data, transposed=transposed) @ x


def _at_elements(g: Any, x: Any, pattern: Pattern, transposed: bool) -> Any:
    """The elements of the outer product g x^T that the pattern has."""
    rows, columns = pattern.places(transposed=transposed)
    terms = g[rows] * x[columns]
    return np.sum(terms, axis=1) if np.ndim(terms) > 1 else terms


# The matrix (or its transpose) times a vector or some columns.
product = multilinear(
    Primitive(_product),
    lambda g, ans, data, x, pattern, transposed: match(
        _at_elements(g, x, pattern, transposed), data
    ),
    lambda g, ans, data, x, pattern, transposed: match(
        product(data, g, pattern, not transposed), x
    ),
)


def _solved(data: Any, b: Any, pattern: Pattern, transposed: bool) -> Any:
    matrix = scipy.sparse.csc_array(pattern.matrix(np.array(data), transposed=transposed))
    return scipy.sparse.linalg.spsolve(matrix, b)


solved = Primitive(_solved)
rule(
    solved,
    vjps=[
        lambda g, ans, data, b, pattern, transposed: match(
            -_at_elements(solved(data, g, pattern, not transposed), ans, pattern, transposed), data
        ),
        lambda g, ans, data, b, pattern, transposed: match(
            solved(data, g, pattern, not transposed), b
        ),
    ],
    jvps=[
        lambda d, ans, data, b, pattern, transposed: (
            -solved(data, product(d, ans, pattern, transposed), pattern, transposed)
        ),
        lambda d, ans, data, b, pattern, transposed: solved(data, d, pattern, transposed),
    ],
)
