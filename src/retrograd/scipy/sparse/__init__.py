"""A drop-in for `scipy.sparse`, and products with traced arrays.

SciPy's own `S @ x` cannot take a traced `x`, and a sparse matrix cannot hold traced elements:
`matmul` is the product with a plain matrix, `coo_product` the one with a matrix whose elements are
traced. Systems are solved by `retrograd.scipy.sparse.linalg`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from retrograd.autodiff.dropin import drop_in
from retrograd.autodiff.rules.joining import as_array
from retrograd.errors import ArgumentError
from retrograd.scipy.sparse import linalg as linalg
from retrograd.scipy.sparse.products import as_rows, pattern_of, product

__getattr__, __dir__ = drop_in(scipy.sparse)


def matmul(a: Any, b: Any) -> Any:
    """The product of a plain sparse matrix and a dense array, in either order: `S @ x`, `x @ S`.

    Args:
        a: a sparse matrix or array, or a dense vector or matrix.
        b: the same; one of the two is sparse.

    Returns:
        A dense array, traced if the dense factor is.

    Raises:
        ArgumentError: not exactly one of the two is sparse, or the shapes do not fit.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.scipy import sparse
        >>> S = sparse.csr_array(np.array([[1.0, 2.0], [0.0, 3.0]]))
        >>> rg.grad(lambda x: np.sum(sparse.matmul(S, x)))(np.ones(2))
        array([1., 5.])
    """
    if scipy.sparse.issparse(a) == scipy.sparse.issparse(b):
        raise ArgumentError(
            "matmul: exactly one of the two factors must be sparse; use @ for two sparse or two "
            "dense ones"
        )
    if scipy.sparse.issparse(a):
        matrix, x = as_rows(a), as_array(b)
        _check(matrix.shape[1], x, 0, matrix.shape)
        return product(np.array(matrix.data), x, pattern_of(matrix), False)
    matrix, x = as_rows(b), as_array(a)
    _check(matrix.shape[0], x, -1, matrix.shape)
    return np.transpose(product(np.array(matrix.data), np.transpose(x), pattern_of(matrix), True))


def _check(size: int, x: Any, axis: int, shape: tuple[int, ...]) -> None:
    if np.ndim(x) not in (1, 2) or np.shape(x)[axis] != size:
        raise ArgumentError(
            f"matmul: a sparse matrix of shape {shape} and an array of shape {np.shape(x)} were "
            f"given; the array must be a vector or a matrix with {size} elements along axis {axis}"
        )


def coo_product(data: Any, coords: Any, shape: tuple[int, int], x: Any) -> Any:
    """The product of a sparse matrix, given by its elements, with a dense vector or matrix.

    Args:
        data: the elements, a vector; may be traced.
        coords: `(rows, columns)` of the elements; those at the same place are summed.
        shape: of the matrix.
        x: a vector, or a matrix of columns; may be traced.

    Returns:
        A dense array, differentiable in `data` and in `x`.

    Raises:
        ArgumentError: the coordinates do not fit to the elements or the shape.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.scipy import sparse
        >>> place = (np.array([0, 1]), np.array([1, 1]))
        >>> f = lambda data: np.sum(sparse.coo_product(data, place, (2, 2), np.array([3.0, 4.0])))
        >>> rg.grad(f)(np.array([1.0, 2.0]))
        array([4., 4.])
    """
    data, x = as_array(data), as_array(x)
    order, pattern = linalg.sorted_pattern("coo_product", data, coords, shape)
    _check(shape[1], x, 0, shape)
    return product(data[order], x, pattern, False)
