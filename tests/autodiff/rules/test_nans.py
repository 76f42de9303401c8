"""Functions that pass over NaN: those elements have derivative zero, in both modes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retrograd.autodiff import elementwise_grad, grad, hessian, jvp, vjp
from retrograd.errors import InterceptionError

X = np.array([[0.5, np.nan, 2.0, 1.2], [np.nan, 0.7, -0.4, np.nan]])
THERE = ~np.isnan(X)
TWINS = {
    np.nansum: np.sum, np.nanmean: np.mean, np.nanprod: np.prod, np.nanvar: np.var,
    np.nanstd: np.std, np.nanmax: np.max, np.nanmin: np.min, np.nanmedian: np.median,
}  # fmt: skip


@pytest.mark.parametrize(("f", "twin"), TWINS.items(), ids=lambda f: f.__name__)
def test_the_derivative_is_that_of_the_numbers_alone(f: Any, twin: Any) -> None:
    chosen = X[THERE]
    expected = np.zeros_like(X)
    expected[THERE] = grad(twin)(chosen)
    np.testing.assert_allclose(grad(f)(X), expected, rtol=1e-12)
    second = np.zeros((8, 8))
    second[np.ix_(THERE.ravel(), THERE.ravel())] = hessian(twin)(chosen)
    np.testing.assert_allclose(hessian(f)(X).reshape(8, 8), second, rtol=1e-10, atol=1e-13)
    d = np.arange(8.0).reshape(2, 4)
    value, tangent = jvp(f, (X,), (d,))
    assert value == pytest.approx(f(X), rel=1e-13)
    assert tangent == pytest.approx(np.sum(expected * d), rel=1e-12)


@pytest.mark.parametrize(("f", "twin"), TWINS.items(), ids=lambda f: f.__name__)
def test_along_an_axis(f: Any, twin: Any) -> None:
    expected = np.zeros_like(X)
    for i in range(2):
        expected[i, THERE[i]] = grad(twin)(X[i, THERE[i]])
    for axis in (1, -1):
        g = elementwise_grad(lambda x, axis=axis: f(x, axis=axis, keepdims=True))(X)
        np.testing.assert_allclose(g, expected, rtol=1e-12)


def test_running_sums_and_products() -> None:
    x = X[0]
    np.testing.assert_array_equal(elementwise_grad(np.nancumsum)(x), [4, 0, 2, 1])
    f = lambda x: np.nancumprod(x)[-1]  # noqa: E731
    np.testing.assert_allclose(grad(f)(x), [2.4, 0, 0.6, 1])
    np.testing.assert_allclose(jvp(np.nancumsum, (x,), (np.ones(4),))[1], [1, 1, 2, 3])
    flat = vjp(lambda x: np.nancumsum(x, dtype=np.float64), X)[0]
    np.testing.assert_allclose(flat, np.nancumsum(X))


def test_rows_of_nan() -> None:
    x = np.array([[np.nan, np.nan], [1.0, 2.0]])
    for f in (np.nansum, np.nanprod):
        g = grad(lambda x, f=f: np.sum(f(x, axis=1)))(x)
        np.testing.assert_array_equal(g[0], [0, 0])
    with pytest.warns(RuntimeWarning, match="All-NaN"):
        value, pull = vjp(lambda x: np.nanmax(x, axis=1), x)
    np.testing.assert_array_equal(value, [np.nan, 2])
    np.testing.assert_array_equal(pull(np.ones(2))[0], [[0, 0], [0, 1]])


def test_further_arguments() -> None:
    chosen = np.array([[True, True, False, True], [True, True, True, True]])
    g = grad(lambda x: np.nansum(x, where=chosen))(X)
    np.testing.assert_array_equal(g, chosen & THERE)
    value = vjp(lambda x: np.nanvar(x, axis=1, ddof=1), X)[0]
    np.testing.assert_allclose(value, np.nanvar(X, axis=1, ddof=1))
    value = vjp(lambda x: np.nansum(x, 1, np.float64), X)[0]
    np.testing.assert_allclose(value, np.nansum(X, 1))
    np.testing.assert_array_equal(grad(lambda x: np.nanmax(x, initial=5.0))(X), np.zeros_like(X))

    def into(x: Any) -> Any:
        y = x[0] * 0
        np.nanmean(x, axis=0, out=y)
        return np.sum(y)

    np.testing.assert_array_equal(grad(into)(X), [[1, 0, 0.5, 1], [0, 1, 0.5, 0]])


@pytest.mark.parametrize("f", TWINS, ids=lambda f: f.__name__)
def test_single_precision_stays(f: Any) -> None:
    x = X.astype(np.float32)
    ans, pull = vjp(lambda x: f(x, axis=1), x)
    assert ans.dtype == pull(np.ones_like(ans))[0].dtype == np.float32
    assert jvp(lambda x: f(x, axis=1), (x,), (np.ones_like(x),))[1].dtype == np.float32


def test_ties_are_split_evenly() -> None:
    x = np.array([2.0, np.nan, 2.0, 1.0])
    np.testing.assert_array_equal(grad(np.nanmax)(x), [0.5, 0, 0.5, 0])


@pytest.mark.parametrize(("f", "worst"), [(np.nanmax, -9.0), (np.nanmin, 9.0)])
def test_a_traced_initial_value(f: Any, worst: float) -> None:
    for initial, expected in ((worst, 0.0), (-worst, 1.0)):
        value, pull = vjp(lambda x, y: f(x, initial=y), X, initial)
        assert value == f(X, initial=initial)
        gradient, share = pull(1.0)
        assert share == expected
        assert gradient.sum() == 1 - expected


def test_a_traced_mean_of_plain_numbers_that_numpy_does_not_show() -> None:
    with pytest.raises(InterceptionError, match="plain array"):
        grad(lambda mean: np.nanvar(X, mean=mean))(0.3)
