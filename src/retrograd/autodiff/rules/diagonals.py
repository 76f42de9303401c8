"""Matrices made of vectors, and parts of matrices: diagonals, traces, triangles, Vandermonde."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.primitive import linear, match, stands_for
from retrograd.autodiff.rules.indexing import put
from retrograd.autodiff.rules.joining import as_array
from retrograd.errors import ArgumentError


def _on_diagonal(v: Any, k: int) -> Any:
    """The square matrix with `v` on its diagonal number `k`, and zeros elsewhere."""
    places, n = np.arange(np.size(v)), np.size(v) + abs(k)
    return put(v, (places - min(k, 0), places + max(k, 0)), (n, n))


@stands_for(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    """`numpy.diag`: of a vector the matrix, of a matrix the vector."""
    v = as_array(v)
    if np.ndim(v) not in (1, 2):
        raise ArgumentError(f"diag: v has {np.ndim(v)} axes; give a vector or a matrix")
    return _on_diagonal(v, int(k)) if np.ndim(v) == 1 else np.diagonal(v, k)


@stands_for(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """`numpy.diagflat`."""
    return _on_diagonal(np.ravel(as_array(v)), int(k))


def _trace_vjp(g: Any, ans: Any, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1,
               dtype: Any = None) -> Any:  # fmt: skip
    """`g` in each place of the diagonal."""
    lengths = np.shape(a)
    on_it = np.eye(lengths[axis1], lengths[axis2], offset, dtype=bool)
    if len(lengths) == 2:
        return match(np.where(on_it if axis1 % 2 == 0 else on_it.T, g, 0), a)
    spread = np.where(on_it, np.expand_dims(g, (-2, -1)), 0)
    return match(np.moveaxis(spread, (-2, -1), (axis1, axis2)), a)


linear(np.trace, _trace_vjp)

# Of a vector NumPy makes a triangle that has it in each row.
linear(np.tril, lambda g, ans, m, k=0: match(np.tril(g, k), m))
linear(np.triu, lambda g, ans, m, k=0: match(np.triu(g, k), m))


@stands_for(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:  # NumPy's
    """`numpy.vander`: the powers of the elements, a row for each of them."""
    x = as_array(x)
    if np.ndim(x) != 1:
        raise ArgumentError(f"vander: x has {np.ndim(x)} axes; give a vector")
    exponents = np.arange(len(x) if N is None else N)
    powers = np.power(np.expand_dims(x, 1), exponents)
    return powers if increasing else np.flip(powers, 1)
