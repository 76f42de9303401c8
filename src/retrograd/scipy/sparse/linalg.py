"""A drop-in for `scipy.sparse.linalg`: solutions of sparse systems."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from retrograd.autodiff.dropin import drop_in
from retrograd.autodiff.primitive import stands_for
from retrograd.autodiff.rules.joining import as_array
from retrograd.errors import ArgumentError
from retrograd.scipy.sparse.products import Pattern, as_rows, pattern_of, solved

__getattr__, __dir__ = drop_in(scipy.sparse.linalg)


@stands_for(scipy.sparse.linalg.spsolve)
def spsolve(A: Any, b: Any, permc_spec: Any = None, use_umfpack: bool = True) -> Any:
    """`scipy.sparse.linalg.spsolve` with a plain sparse matrix and a dense, traced right side.

    The elements of the matrix are differentiated by `coo_solve`.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.scipy import sparse
        >>> A = sparse.csc_array(np.array([[2.0, 1.0], [0.0, 4.0]]))
        >>> rg.grad(lambda b: np.sum(sparse.linalg.spsolve(A, b)))(np.ones(2))
        array([0.5  , 0.125])
    """
    matrix = as_rows(A)
    b = as_array(b)
    b = b if b.dtype.kind in "fc" else b.astype(float)
    data = matrix.data if matrix.dtype.kind in "fc" else matrix.data.astype(float)
    column = np.ndim(b) == 2 and np.shape(b)[1] == 1  # SciPy makes a vector of it
    return solved(np.array(data), np.ravel(b) if column else b, pattern_of(matrix), False)


def coo_solve(data: Any, coords: Any, shape: tuple[int, int], b: Any) -> Any:
    """Solve A x = b for a sparse matrix A, given by its elements.

    Args:
        data: the elements, a vector; may be traced.
        coords: `(rows, columns)` of the elements; those at the same place are summed.
        shape: of the matrix, which is square.
        b: a vector, or a matrix of columns; may be traced.

    Returns:
        x, a dense array, differentiable in `data` and in `b`.

    Raises:
        ArgumentError: the coordinates do not fit to the elements or the shape.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.scipy.sparse.linalg import coo_solve
        >>> place = (np.array([0, 1]), np.array([0, 1]))
        >>> f = lambda data: np.sum(coo_solve(data, place, (2, 2), np.ones(2)))
        >>> rg.grad(f)(np.array([1.0, 2.0]))
        array([-1.  , -0.25])
    """
    data, b = as_array(data), as_array(b)
    order, pattern = sorted_pattern("coo_solve", data, coords, shape)
    if shape[0] != shape[1] or np.ndim(b) not in (1, 2) or np.shape(b)[0] != shape[0]:
        raise ArgumentError(
            f"coo_solve: a matrix of shape {shape} and b of shape {np.shape(b)} were given; give a "
            "square matrix, and as many rows of b"
        )
    return solved(data[order], b, pattern, False)


def sorted_pattern(
    name: str, data: Any, coords: Any, shape: tuple[int, int]
) -> tuple[Any, Pattern]:
    """The order of elements by rows, and the pattern that they then have."""
    rows, columns = (np.asarray(c) for c in coords)
    if np.ndim(data) != 1 or not np.shape(data) == rows.shape == columns.shape:
        raise ArgumentError(
            f"{name}: data, rows and columns have shapes {np.shape(data)}, {rows.shape} and "
            f"{columns.shape}; give three vectors of the same length"
        )
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    if not np.all(inside):
        raise ArgumentError(f"{name}: coords reach beyond the shape {shape} of the matrix")
    order = np.lexsort((columns, rows))
    pointers = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))])
    return order, Pattern(columns[order], pointers, shape)
