"""Where other differentiators of NumPy are known to be silently wrong, and where a NaN has a limit.

Each gradient is compared with the one of an equivalent program, or with a known number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from retrograd.autodiff import elementwise_grad, grad, hessian, jvp, vjp
from retrograd.testing import check_grads

if TYPE_CHECKING:
    from collections.abc import Callable

X = np.array([[0.3, -1.2, 0.8], [1.7, 0.4, -0.6]])
MASK = np.array([[True, False, True], [False, True, True]])


def agree(f: Callable[..., Any], same: Callable[..., Any], *args: Any) -> None:
    """Two programs have the same value and gradient."""
    value, pull = vjp(f, *args)
    expected, pull_expected = vjp(same, *args)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    g = np.cos(np.arange(np.size(value)) + 1.0).reshape(np.shape(value)).astype(value.dtype)
    for found, wanted in zip(pull(g), pull_expected(g), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)
    check_grads(f, *args, directions=1)


@pytest.mark.parametrize("f", [np.sum, np.mean, np.prod, np.std, np.var])
def test_where_leaves_elements_out_of_a_reduction(f: Any) -> None:
    mask = np.array([[True, False, True, True], [True, True, False, True]])
    x = np.array([[0.3, -1.2, 0.8, 0.5], [1.7, 0.4, -0.6, 0.9]])

    def chosen(x: Any) -> Any:
        return np.stack([f(x[0][mask[0]]), f(x[1][mask[1]])])

    agree(lambda x: f(x, axis=1, where=mask), chosen, x)


@pytest.mark.parametrize("axis", [-1, -2])
def test_repeat_with_a_negative_axis(axis: int) -> None:
    agree(lambda x: np.repeat(x, 2, axis), lambda x: np.repeat(x, 2, axis + 2), X)


def test_kron_of_cubes() -> None:
    a, b = np.arange(8.0).reshape(2, 2, 2) / 5, np.arange(1.0, 9.0).reshape(2, 2, 2) / 7

    def by_hand(a: Any, b: Any) -> Any:
        return np.reshape(np.einsum("ijk,lmn->iljmkn", a, b), (4, 4, 4))

    agree(np.kron, by_hand, a, b)


@pytest.mark.parametrize("length", [5, 6])
@pytest.mark.parametrize("norm", [None, "forward", "backward", "ortho"])
def test_real_transforms_of_even_and_odd_length_in_every_norm(length: int, norm: Any) -> None:
    x = np.sin(np.arange(1.0, length + 1))

    def half_spectrum(x: Any) -> Any:
        return np.fft.fft(x, norm=norm)[: length // 2 + 1]

    agree(lambda x: np.fft.rfft(x, norm=norm), half_spectrum, x)
    agree(lambda x: np.fft.irfft(np.fft.rfft(x, norm=norm), length, norm=norm), lambda x: x * 1, x)


@pytest.mark.parametrize("function", [np.linalg.pinv, np.linalg.cholesky, np.linalg.slogdet])
def test_complex_matrices(function: Any) -> None:
    a = X[:, :2] + 1j * X[:, 1:]

    def call(a: Any) -> Any:
        return function(a @ np.conj(a.T) if function is np.linalg.cholesky else a)

    check_grads(call, a)


@pytest.mark.parametrize(("ord", "axis"), [(None, None), (2, 1), (1, 0), (3, 1), ("fro", (0, 1))])
def test_norm_that_keeps_its_axes(ord: Any, axis: Any) -> None:
    def dropped(x: Any) -> Any:
        kept = (1, 1) if axis is None or isinstance(axis, tuple) else (2, 1) if axis else (1, 3)
        return np.reshape(np.linalg.norm(x, ord, axis), kept)

    agree(lambda x: np.linalg.norm(x, ord, axis, keepdims=True), dropped, X)


def test_broadcast_where() -> None:
    column, row, number = np.array([[0.5], [0.7]]), np.array([1.5, -2.0, 0.1]), np.array(2.5)
    agree(lambda x, y: np.where(MASK, x, y), lambda x, y: MASK * x + (1 - MASK) * y, column, row)
    agree(
        lambda x, y: np.where(MASK[:, :1], x, y),
        lambda x, y: MASK[:, :1] * x + (1 - MASK[:, :1]) * y, row, number,
    )  # fmt: skip


def test_broadcast_cross() -> None:
    def by_hand(x: Any, y: Any) -> Any:
        x, y = np.broadcast_to(x, (2, 3)), np.broadcast_to(y, (2, 3))
        return np.roll(x, -1, 1) * np.roll(y, 1, 1) - np.roll(x, 1, 1) * np.roll(y, -1, 1)

    agree(np.cross, by_hand, X, np.array([0.2, 0.9, -1.1]))
    agree(np.cross, by_hand, X[0], X[:1] + 0.5 * X)


@pytest.mark.parametrize("k", [-1, 0, 1])
def test_diag_of_a_rectangle(k: int) -> None:
    rows = np.arange(max(-k, 0), min(2, 3 - k))
    agree(lambda x: np.diag(x, k), lambda x: x[rows, rows + k], X)


def test_full_with_an_array() -> None:
    import retrograd.numpy as rnp

    agree(lambda row: rnp.full((2, 3), row), lambda row: np.stack([row, row]), X[0])


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_sorting_several_rows_forward(axis: int | None) -> None:
    d = np.arange(6.0).reshape(2, 3)
    order = np.argsort(X, axis=axis)
    tangent = jvp(lambda x: np.sort(x, axis=axis), (X,), (d,))[1]
    np.testing.assert_array_equal(tangent, np.take_along_axis(d, order, axis))


def test_ties_of_a_maximum_are_split_evenly() -> None:
    x = np.array([2.0, 1.0, 2.0])
    np.testing.assert_array_equal(grad(np.max)(x), [0.5, 0, 0.5])
    np.testing.assert_array_equal(grad(np.min)(-x), [0.5, 0, 0.5])
    assert jvp(np.max, (x,), (np.array([1.0, 7.0, 3.0]),))[1] == 2.0
    np.testing.assert_array_equal(grad(np.maximum)(1.0, 1.0), 0.5)


def test_a_product_with_zeros() -> None:
    np.testing.assert_array_equal(grad(np.prod)(np.array([2.0, 0.0, 3.0])), [0, 6, 0])
    expected = [[0, 0, 0], [0, 0, 2], [0, 2, 0]]
    np.testing.assert_array_equal(hessian(np.prod)(np.array([2.0, 0.0, 0.0])), expected)


@pytest.mark.parametrize("ord", [None, 1, 2, 3, np.inf])
def test_a_norm_at_zero(ord: Any) -> None:
    def norm(x: Any) -> Any:
        return np.linalg.norm(x, ord)

    np.testing.assert_array_equal(grad(norm)(np.zeros(3)), np.zeros(3))
    assert jvp(norm, (np.zeros(3),), (np.ones(3),))[1] == 0


def test_the_deviation_of_a_constant() -> None:
    np.testing.assert_array_equal(grad(np.std)(np.ones(3)), np.zeros(3))
    assert jvp(np.std, (np.ones(3),), (np.arange(3.0),))[1] == 0


def test_hypot_at_the_origin() -> None:
    assert grad(np.hypot, 0)(0.0, 0.0) == grad(np.hypot, 1)(0.0, 0.0) == 0


def test_sinc_at_zero() -> None:
    assert grad(np.sinc)(0.0) == 0
    np.testing.assert_allclose(grad(grad(np.sinc))(0.0), -(np.pi**2) / 3)


def test_a_maximum_with_an_initial_value() -> None:
    x = np.array([1.0, 2.0])
    np.testing.assert_array_equal(grad(lambda x: np.max(x, initial=5.0))(x), [0, 0])
    np.testing.assert_array_equal(grad(lambda x: np.max(x, initial=0.5))(x), [0, 1])
    np.testing.assert_array_equal(grad(lambda x: np.max(x, initial=2.0))(x), [0, 0.5])
    assert grad(lambda x: np.max(x, initial=2.0))(np.zeros(0)).shape == (0,)


GUARDED = {
    "sqrt": (np.sqrt, 0.0), "log": (np.log, 0.0), "log10": (np.log10, 0.0),
    "log1p": (lambda x: np.log1p(x - 1), 0.0), "cbrt": (np.cbrt, 0.0),
    "reciprocal": (np.reciprocal, 0.0), "quotient": (lambda x: 1 / x, 0.0),
    "root": (lambda x: x**0.5, 0.0), "power": (lambda x: x**1.5, 0.0),
    "inverse": (lambda x: x**-1.0, 0.0), "arccosh": (np.arccosh, 1.0),
    "arcsin": (lambda x: np.arcsin(1 - x), 0.0), "sqrt of a cube": (lambda x: np.sqrt(x**3), 0.0),
    "sqrt of a multiple": (lambda x: np.sqrt(2 * x), 0.0),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's own, from where it is not used
@pytest.mark.parametrize("name", GUARDED)
def test_nothing_comes_back_from_behind_a_where_to_second_order(name: str) -> None:
    function, limit = GUARDED[name]

    def guarded(x: Any) -> Any:
        return np.where(x > limit, function(x), 0)

    def forward(f: Any) -> Any:
        return lambda x: jvp(f, (x,), (np.ones_like(x),))[1]

    first, second = elementwise_grad(function), elementwise_grad(elementwise_grad(function))
    inside = np.array([1.3, 1.6])
    for outside in ([-1.0, 0.0], [-1.0], [0.0]):
        x = np.array([*outside, *inside])
        nothing = np.zeros(len(outside))
        for mode in (elementwise_grad, forward):
            expected = [*nothing, *first(inside)]
            np.testing.assert_allclose(mode(guarded)(x), expected, rtol=1e-12)
            for again in (elementwise_grad, forward):
                expected = [*nothing, *second(inside)]
                np.testing.assert_allclose(again(mode(guarded))(x), expected, rtol=1e-10)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nothing_comes_back_from_an_exponent_behind_a_where() -> None:
    def guarded(x: Any) -> Any:
        return np.where(x > 0, x**x, 0)

    x = np.array([-1.0, 0.0, 2.0])
    expected = [0, 0, 4 * (np.log(2) + 1)]
    np.testing.assert_allclose(elementwise_grad(guarded)(x), expected)
    np.testing.assert_allclose(jvp(guarded, (x,), (np.ones(3),))[1], expected)
    assert grad(guarded)(-1.0) == 0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("size", [1, 700])
def test_nothing_comes_back_from_a_quotient_of_what_is_undefined(size: int) -> None:
    for function, limit in ((lambda x: 1 / np.sqrt(x), 0), (lambda x: np.log(np.log(x)), 1)):

        def guarded(x: Any, function: Any = function, limit: int = limit) -> Any:
            return np.where(x > limit, function(x), 0)

        inside, outside = np.full(size, 1.7), np.full(size, -1.0)
        expected = np.concatenate([elementwise_grad(function)(inside), 0 * outside])
        x = np.concatenate([inside, outside])
        np.testing.assert_allclose(elementwise_grad(guarded)(x), expected, rtol=1e-12)
        found = jvp(guarded, (x,), (np.ones_like(x),))[1]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
