"""Sparse products and systems against dense ones; what SciPy cannot take is refused."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from retrograd import grad, jacobian
from retrograd.errors import ArgumentError, InterceptionError
from retrograd.scipy import sparse
from retrograd.testing import check_grads

DENSE = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0], [0.5, 0.0, 4.0], [0.0, 1.0, 0.0]])
KINDS = ["csr_array", "csc_array", "coo_array", "csr_matrix", "lil_matrix", "dia_array"]
ROWS, COLUMNS = np.array([0, 1, 2, 0, 2, 2]), np.array([0, 1, 2, 1, 0, 0])
DATA = np.array([2.0, 3.0, 4.0, 0.5, -0.3, 0.7])


def assembled(data):
    dense = np.zeros((3, 3))
    np.add.at(dense, (ROWS, COLUMNS), data)
    return dense


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(3,), (3, 2)])
def test_sparse_times_dense(kind: str, shape: tuple[int, ...]) -> None:
    matrix = getattr(scipy.sparse, kind)(DENSE)
    x = np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape)
    np.testing.assert_allclose(sparse.matmul(matrix, x), DENSE @ x)
    check_grads(lambda x: sparse.matmul(matrix, x), x)
    check_grads(lambda x: sparse.matmul(matrix, x), x * (1 + 0.5j))


@pytest.mark.parametrize("shape", [(4,), (2, 4)])
def test_dense_times_sparse(shape: tuple[int, ...]) -> None:
    matrix = scipy.sparse.csr_array(DENSE)
    x = np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape)
    np.testing.assert_allclose(sparse.matmul(x, matrix), x @ DENSE)
    np.testing.assert_allclose(
        jacobian(lambda x: sparse.matmul(x, matrix))(x), jacobian(lambda x: x @ DENSE)(x)
    )


def test_single_precision_stays() -> None:
    matrix = scipy.sparse.csr_array(DENSE.astype(np.float32))
    x = np.ones(3, np.float32)
    assert sparse.matmul(matrix, x).dtype == np.float32
    assert grad(lambda x: np.sum(sparse.matmul(matrix, x)))(x).dtype == np.float32


def test_elements_of_the_matrix_that_occur_twice_are_summed() -> None:
    x = np.array([[1.0, 0.2], [-0.3, 0.4], [0.6, 0.9]])
    product = sparse.coo_product(DATA, (ROWS, COLUMNS), (3, 3), x)
    np.testing.assert_allclose(product, assembled(DATA) @ x)
    check_grads(lambda d, x: sparse.coo_product(d, (ROWS, COLUMNS), (3, 3), x), DATA, x)


@pytest.mark.parametrize("shape", [(3,), (3, 2)])
def test_systems_in_elements_and_right_side(shape: tuple[int, ...]) -> None:
    b = np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape)
    solve = sparse.linalg.coo_solve
    found = solve(DATA, (ROWS, COLUMNS), (3, 3), b)
    np.testing.assert_allclose(found, np.linalg.solve(assembled(DATA), b))
    check_grads(lambda d, b: solve(d, (ROWS, COLUMNS), (3, 3), b), DATA, b)


def test_a_matrix_that_changes_later_does_not_change_the_gradient() -> None:
    def total(x):
        matrix = scipy.sparse.csr_array(DENSE)
        y = sparse.matmul(matrix, x)
        matrix.data[:] = 0.0
        return np.sum(y)

    np.testing.assert_allclose(grad(total)(np.ones(3)), DENSE.sum(axis=0))


def test_scipys_own_products_refuse_a_traced_value() -> None:
    matrix = scipy.sparse.csr_array(DENSE)
    for call in (lambda x: matrix @ x, lambda x: matrix.dot(x), lambda x: x @ matrix.T):
        with pytest.raises(InterceptionError):
            grad(lambda x, call=call: np.sum(call(x)))(np.ones(3))


def test_wrong_arguments_are_named() -> None:
    matrix = scipy.sparse.csr_array(DENSE)
    with pytest.raises(ArgumentError, match="exactly one of the two factors must be sparse"):
        sparse.matmul(DENSE, np.ones(3))
    with pytest.raises(ArgumentError, match=r"matmul: a sparse matrix of shape \(4, 3\)"):
        sparse.matmul(matrix, np.ones(4))
    with pytest.raises(ArgumentError, match="coo_product: data, rows and columns have shapes"):
        sparse.coo_product(DATA[1:], (ROWS, COLUMNS), (3, 3), np.ones(3))
    with pytest.raises(ArgumentError, match="coords reach beyond the shape"):
        sparse.coo_product(DATA, (ROWS + 1, COLUMNS), (3, 3), np.ones(3))
    with pytest.raises(ArgumentError, match="coo_solve: a matrix of shape"):
        sparse.linalg.coo_solve(DATA, (ROWS, COLUMNS), (3, 4), np.ones(3))
