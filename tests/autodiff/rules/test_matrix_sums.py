"""What differentiated products and sums over rows come down to: BLAS, in its quicker layouts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.autodiff.primitive import line_sums
from retrograd.autodiff.rules.products import times_transposed, transposed_times
from retrograd.errors import MissingRuleError
from retrograd.extend import defvjp, primitive
from retrograd.testing import check_grads

RNG = np.random.default_rng(0)
SHAPES = [(3, 4, 2), (5, 784, 50), (5, 40, 300), (2, 200, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, complex])
def test_products_of_transposes(shape: tuple[int, int, int], dtype: Any) -> None:
    batch, rows, columns = shape
    x, y = RNG.normal(size=(batch, rows)).astype(dtype), RNG.normal(size=(batch, columns))
    found = transposed_times(x, y.astype(dtype))
    tolerance = 1e-5 if dtype is np.float32 else 1e-13
    np.testing.assert_allclose(found, x.T @ y, rtol=tolerance, atol=tolerance)
    assert found.flags.c_contiguous
    assert found.dtype == dtype


def test_products_of_transposes_can_be_differentiated() -> None:
    x, y = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 2))
    check_grads(lambda x, y: np.sin(transposed_times(x, y)), x, y)
    check_grads(lambda x, y: np.sin(times_transposed(x, y)), x.T, y.T)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [(3, 4), (0, 4), (5000, 2), (2, 5000)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, complex])
def test_sums_over_one_axis_of_a_matrix(axis: int, shape: tuple[int, int], dtype: Any) -> None:
    x = RNG.integers(-3, 4, shape).astype(dtype)  # so that every order gives the same sum
    found = line_sums(x, axis)
    np.testing.assert_array_equal(found, np.add.reduce(x, axis=axis))
    assert found.dtype == dtype


@pytest.mark.parametrize("axis", [0, 1])
def test_sums_over_one_axis_can_be_differentiated(axis: int) -> None:
    check_grads(lambda x: np.sin(line_sums(x, axis)), RNG.normal(size=(3, 4)))


def test_jacobians_take_all_directions_at_once() -> None:
    x, w, b = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2)), RNG.normal(size=2)

    def loss(w: Any, b: Any) -> Any:
        return np.sum(np.tanh(x @ w + b) ** 3)

    hessian = rg.hessian(loss, (0, 1))(w, b)
    for v, u in ((np.ones_like(w), np.zeros_like(b)), (np.zeros_like(w), np.ones_like(b))):
        product = rg.hvp(loss, (0, 1))(w, b, (v, u))
        for row, expected in zip(hessian, product, strict=True):
            total = np.tensordot(row[0], v, 2) + np.tensordot(row[1], u, 1)
            np.testing.assert_allclose(total, expected, atol=1e-12)


def test_gradients_have_the_same_bits_under_forward_mode() -> None:
    x, w, b = RNG.normal(size=(7, 300)), RNG.normal(size=(300, 30)), RNG.normal(size=30)
    gradient = rg.grad(lambda w, b: np.sum(np.tanh(x @ w + b)), (0, 1))
    under = rg.jvp(gradient, (w, b), (np.ones_like(w), np.ones_like(b)))[0]
    for one, other in zip(gradient(w, b), under, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_index_error_of_a_rule_is_its_own() -> None:
    broken = primitive(lambda x: x * 1.0)
    defvjp(broken, lambda g, ans, x: [][0])
    with pytest.raises(IndexError):
        rg.grad(broken)(1.0)
    half = primitive(lambda x, y: x * y)
    defvjp(half, lambda g, ans, x, y: g * y)
    with pytest.raises(MissingRuleError, match="argument 1"):
        rg.grad(half, 1)(1.0, 2.0)
