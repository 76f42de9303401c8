"""Diagonals and triangles: rectangles, offsets, special points."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.errors import ArgumentError
from retrograd.testing import check_grads


@pytest.mark.parametrize("shape", [(2, 4), (4, 2), (3, 3), (0, 3)])
@pytest.mark.parametrize("k", [-5, -1, 0, 2])
def test_diag_of_a_rectangle(shape, k):
    weights = np.arange(1.0, 1 + min(shape))
    found = rg.grad(lambda x: np.sum(np.diag(x, k) * weights[: len(np.diag(x, k))]))(np.ones(shape))
    expected = np.zeros(shape)
    for number, row in enumerate(range(max(-k, 0), shape[0])):
        if row + k < shape[1]:
            expected[row, row + k] = weights[number]
    np.testing.assert_array_equal(found, expected)


def test_diag_of_a_list_of_traced_numbers():
    assert rg.grad(lambda a: np.sum(rnp.diag([a, a * a])))(3.0) == 7.0


def test_diag_of_a_cube_is_refused():
    with pytest.raises(ArgumentError, match="diag: v has 3 axes"):
        rg.grad(lambda x: np.sum(np.diag(x)))(np.ones((2, 2, 2)))


def test_trace_in_another_dtype_and_into_an_array():
    def f(x):
        out = rnp.zeros(())
        np.trace(x, out=out)
        wide = np.trace(x, dtype=np.float64)
        assert wide.dtype == np.float64
        return wide * 2.0 + out

    found = rg.grad(f)(np.ones((2, 3)))
    np.testing.assert_array_equal(found, 3 * np.eye(2, 3))


def test_triangles_leave_what_is_not_finite_out():
    x = np.array([[1.0, np.inf], [2.0, 3.0]])
    np.testing.assert_array_equal(rg.jvp(np.tril, (x,), (x,))[1], [[1.0, 0.0], [2.0, 3.0]])


@pytest.mark.parametrize("increasing", [True, False])
def test_vander_at_zero_has_finite_derivatives(increasing):
    check_grads(lambda x: np.vander(x, 4, increasing), np.array([0.0, 0.5]))


def test_vander_of_a_matrix_is_refused():
    with pytest.raises(ArgumentError, match="vander: x has 2 axes"):
        rg.grad(lambda x: np.sum(np.vander(x)))(np.ones((2, 2)))
