"""`numpy.einsum`: forms that no sample can have, second thoughts about memory, errors."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.errors import ArgumentError, InterceptionError


def test_the_trace_and_the_diagonal():
    x = np.arange(9.0).reshape(3, 3)
    np.testing.assert_array_equal(rg.grad(lambda x: np.einsum("ii", x))(x), np.eye(3))
    np.testing.assert_array_equal(
        rg.grad(lambda x: np.sum(np.einsum("ii->i", x) ** 2))(x), 2 * np.diag([0.0, 4.0, 8.0])
    )


@pytest.mark.parametrize("size", [3, 50])
def test_small_and_large_sums_agree_with_matmul(size):
    x, y = np.random.default_rng(0).normal(size=(2, size, size))
    found = rg.grad(lambda x, y: np.sum(np.einsum("ij,jk", x, y) ** 2), (0, 1))(x, y)
    expected = rg.grad(lambda x, y: np.sum((x @ y) ** 2), (0, 1))(x, y)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_an_operand_that_is_used_twice():
    x = np.array([0.5, 2.0])
    np.testing.assert_array_equal(rg.grad(lambda x: np.einsum("i,i", x, x))(x), 2 * x)


def test_operands_of_different_kinds():
    z = np.array([1.0 + 2.0j, 3.0 - 1.0j])
    found = rg.grad(lambda x: np.einsum("i,i", x, z).real)(np.ones(2, np.float32))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, z.real)


def test_lists_of_traced_numbers():
    found = rg.grad(lambda a, b: rnp.einsum("i,i", [a, b], [b, a]), (0, 1))(3.0, 5.0)
    assert found == (10.0, 6.0)


def test_out_and_dtype():
    def f(x):
        out = rnp.zeros(2)
        assert np.einsum("ij->j", x, out=out) is out
        wide = np.einsum("ij->j", x, dtype=np.float64)
        assert wide.dtype == np.float64
        return np.sum(out * wide)

    x = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    found = rg.grad(f)(x)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[8.0, 12.0], [8.0, 12.0]])
    with pytest.raises(InterceptionError, match="out="):
        rg.grad(lambda x: np.sum(np.einsum("ij->j", x, out=np.zeros(2))))(x)
    with pytest.raises(ArgumentError, match=r"float64 to dtype=float32.*same_kind"):
        rg.grad(lambda x: np.einsum("ij->", x, dtype=np.float32))(np.ones((2, 2)))


@pytest.mark.parametrize("subscripts", ["ii->i", "ij->ji"])
def test_gradients_share_no_memory_with_what_was_given(subscripts):
    g = np.ones((2,) if subscripts == "ii->i" else (2, 2))
    _, pullback = rg.vjp(lambda x: np.einsum(subscripts, x), np.ones((2, 2)))
    assert not np.shares_memory(pullback(g)[0], g)


@pytest.mark.parametrize(
    ("subscripts", "message"),
    [
        ("ij,jk->il", "subscript 'l'"),
        ("i->i", "more dimensions than subscripts"),
        ("ijk", "too many subscripts"),
        ("ij->jj", "subscript 'j' multiple times"),
    ],
)
def test_subscripts_that_numpy_refuses(subscripts, message):
    operands = [np.ones((2, 2))] * (1 + subscripts.count(","))
    with pytest.raises(ValueError, match=message):
        rg.grad(lambda *xs: np.sum(np.einsum(subscripts, *xs)))(*operands)


def test_einsum_path_sees_plain_arrays():
    def f(x):
        path, _ = np.einsum_path("ij,jk,kl->il", x, x, x, optimize="greedy")
        return np.sum(np.einsum("ij,jk,kl->il", x, x, x, optimize=path))

    x = np.array([[0.5, 0.1], [0.2, 0.3]])
    np.testing.assert_allclose(rg.grad(f)(x), rg.grad(lambda x: np.sum(x @ x @ x))(x))
