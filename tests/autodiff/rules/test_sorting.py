"""Sorting and order statistics: which element has the derivative."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retrograd.autodiff import elementwise_grad, grad, hessian, jvp, value_and_grad, vjp
from retrograd.autodiff.trace import Traced
from retrograd.errors import MissingRuleError
from retrograd.testing import check_grads

X = np.array([[3.0, 1.0, 2.0], [0.5, 2.5, -1.0]])


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_sorting_moves_tangents_along_any_axis(axis: int) -> None:
    d = np.arange(6.0).reshape(2, 3)
    value, tangent = jvp(lambda x: np.sort(x, axis=axis), (X,), (d,))
    np.testing.assert_array_equal(value, np.sort(X, axis=axis))
    np.testing.assert_array_equal(
        tangent, np.take_along_axis(d, np.argsort(X, axis=axis), axis=axis)
    )


def test_sorting_flat() -> None:
    weights = np.arange(6.0)
    g = grad(lambda x: np.sum(np.sort(x, axis=None) * weights))(X)
    np.testing.assert_array_equal(g, [[5, 2, 3], [1, 4, 0]])
    assert vjp(lambda x: np.sort(x, axis=None), 0.3)[0].shape == (1,)


def test_equal_elements_are_sorted_in_their_order() -> None:
    x = np.array([1.0, 0.0, 1.0, 0.0])
    g = grad(lambda x: np.sum(np.sort(x) * np.arange(4.0)))(x)
    np.testing.assert_array_equal(g, [2, 0, 3, 1])


def test_nan_is_sorted_to_the_end() -> None:
    x = np.array([np.nan, 2.0, 1.0])
    value, g = value_and_grad(lambda x: np.sum(np.sort(x)[:2] * np.array([1.0, 10.0])))(x)
    assert value == 21
    np.testing.assert_array_equal(g, [0, 10, 1])


@pytest.mark.parametrize("size", [3, 50, 1000])
def test_partition_leaves_the_elements_as_numpy_does(size: int) -> None:
    x = np.random.default_rng(size).normal(size=(2, size))
    d = np.arange(2.0 * size).reshape(2, size)
    value, tangent = jvp(lambda x: np.partition(x, size // 2), (x,), (d,))
    np.testing.assert_array_equal(value, np.partition(x, size // 2))
    where = dict(zip(x.ravel(), d.ravel(), strict=True))
    np.testing.assert_array_equal(tangent.ravel(), [where[v] for v in value.ravel()])


def test_places_are_plain() -> None:
    found: list[Any] = []

    def places(x: Any) -> Any:
        found[:] = [
            np.argsort(x), np.argpartition(x, 1), np.lexsort((x[0], x[1])),
            np.searchsorted(x[0], 1.5), np.searchsorted(np.arange(3.0), x),
            np.digitize(x, np.arange(3.0)), np.argmax(x), np.count_nonzero(x), np.nanargmin(x),
        ]  # fmt: skip
        return np.sum(x)

    np.testing.assert_array_equal(grad(places)(X), np.ones((2, 3)))
    assert not any(isinstance(part, Traced) for part in found)
    np.testing.assert_array_equal(found[2], np.lexsort((X[0], X[1])))


def test_distinct_values() -> None:
    x = np.array([2.0, 1.0, 2.0, 1.0, 3.0])
    g = grad(lambda x: np.sum(np.unique(x) * np.array([1.0, 10.0, 100.0])))(x)
    np.testing.assert_array_equal(g, [10, 1, 0, 0, 100])
    outputs = vjp(lambda x: np.unique(x, True, True, True)[0], x)[0]
    np.testing.assert_array_equal(outputs, [1, 2, 3])

    def numbered(x: Any) -> Any:
        values, index, inverse, counts = np.unique(
            x, return_index=True, return_inverse=True, return_counts=True
        )
        assert [index.tolist(), inverse.tolist(), counts.tolist()] == [
            [1, 0, 4], [1, 0, 1, 0, 2], [2, 2, 1],
        ]  # fmt: skip
        return np.sum(values * counts)

    np.testing.assert_array_equal(grad(numbered)(x), [2, 2, 0, 0, 1])


def test_distinct_rows_and_named_results() -> None:
    x = np.array([[1.0, 2.0], [0.0, 5.0], [1.0, 2.0]])
    g = grad(lambda x: np.sum(np.unique(x, axis=0) * np.array([[1.0], [10.0]])))(x)
    np.testing.assert_array_equal(g, [[10, 10], [1, 1], [0, 0]])
    flat = np.array([2.0, 1.0, 2.0])
    for function in (np.unique_all, np.unique_counts, np.unique_inverse):
        g = grad(lambda x, f=function: np.sum(f(x).values * np.array([1.0, 10.0])))(flat)
        np.testing.assert_array_equal(g, [10, 1, 0])
    assert vjp(lambda x: np.unique_counts(x).counts * x[0], flat)[0].tolist() == [2.0, 4.0]
    value, pull = vjp(np.unique_values, flat)
    np.testing.assert_array_equal(value, np.unique_values(flat))
    assert pull(value)[0].tolist() == [2.0, 1.0, 0.0]


def test_medians() -> None:
    np.testing.assert_array_equal(grad(np.median)(np.array([5.0, 1.0, 3.0])), [0, 0, 1])
    np.testing.assert_array_equal(grad(np.median)(np.array([5.0, 1.0, 3.0, 2.0])), [0, 0, 0.5, 0.5])
    rows = elementwise_grad(lambda x: np.median(x, axis=1, keepdims=True))(X)
    np.testing.assert_array_equal(rows, [[0, 0, 1], [1, 0, 0]])
    assert not hessian(np.median)(np.array([5.0, 1.0, 3.0])).any()


def test_the_median_of_nan_is_nan_and_the_others_keep_theirs() -> None:
    x = np.array([[np.nan, 1.0, 2.0], [4.0, 6.0, 5.0]])
    value, pull = vjp(lambda x: np.median(x, axis=1), x)
    np.testing.assert_array_equal(value, [np.nan, 5])
    np.testing.assert_array_equal(pull(np.ones(2))[0], [[0, 0, 0], [0, 0, 1]])


def test_infinite_neighbours() -> None:
    for x in ([-np.inf, 1.0, np.inf], [1.0, np.inf, np.inf, np.inf], [1.0, 2.0, 3.0, np.inf]):
        for f in (np.median, lambda x: np.quantile(x, 0.25)):
            with np.errstate(invalid="ignore"):
                value = vjp(f, np.array(x))[0]
            assert value == np.median(x) or f is not np.median
            assert not np.isnan(value)


@pytest.mark.parametrize("method", ["linear", "hazen", "weibull", "median_unbiased"])
def test_the_slope_in_q(method: Any) -> None:
    x = np.array([1.0, 2.0, 4.0, 8.0])
    f = lambda q: np.quantile(x, q, method=method)  # noqa: E731
    check_grads(f, np.array([0.3, 0.55]))
    check_grads(lambda q: np.percentile(x, q, method=method), np.array([30.0, 55.0]))


def test_the_slope_in_q_at_an_element_and_beyond_the_last() -> None:
    x = np.array([1.0, 2.0, 4.0])
    assert grad(lambda q: np.quantile(x, q))(0.5) == 4  # to the right
    assert grad(lambda q: np.quantile(x, q))(1.0) == 4  # to the left
    assert grad(lambda q: np.quantile(x, q, method="hazen"))(0.99) == 0
    assert grad(lambda q: np.quantile(x, q, method="lower"))(0.4) == 0


def test_quantiles_of_rows_with_holes() -> None:
    x = np.array([[1.0, np.nan, 3.0, 2.0], [np.nan, 5.0, np.nan, 7.0]])
    value, pull = vjp(lambda x: np.nanquantile(x, [0.25, 0.5], axis=1), x)
    np.testing.assert_allclose(value, np.nanquantile(x, [0.25, 0.5], axis=1))
    g = pull(np.array([[1.0, 1.0], [0.0, 0.0]]))[0]
    np.testing.assert_allclose(g, [[0.5, 0, 0, 0.5], [0, 0.75, 0, 0.25]])
    np.testing.assert_allclose(
        grad(lambda x: np.sum(np.nanmedian(x, axis=1)))(x), [[0, 0, 0, 1], [0, 0.5, 0, 0.5]]
    )
    slope = grad(lambda q: np.sum(np.nanpercentile(x, q, axis=1)))(30.0)
    assert slope == pytest.approx((2 + 2) / 100)


def test_a_row_of_nan_gives_nan_and_no_derivative() -> None:
    x = np.array([[np.nan, np.nan], [1.0, 2.0]])
    with pytest.warns(RuntimeWarning, match="All-NaN"):
        value, pull = vjp(lambda x: np.nanmedian(x, axis=1), x)
    np.testing.assert_array_equal(value, [np.nan, 1.5])
    np.testing.assert_array_equal(pull(np.ones(2))[0], [[0, 0], [0.5, 0.5]])


@pytest.mark.parametrize("function", [np.quantile, np.percentile, np.nanquantile])
def test_weighted_quantiles_are_refused(function: Any) -> None:
    with pytest.raises(MissingRuleError, match=rf"{function.__name__}: .* weights="):
        grad(lambda x: function(x, 0.5, weights=[1, 2, 3], method="inverted_cdf"))(X[0])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble])
def test_dtypes_are_numpys(dtype: type) -> None:
    x = X.astype(dtype)
    for f in (
        np.median, np.nanmedian, np.sort, np.unique, lambda x: np.partition(x, 1),
        lambda x: np.quantile(x, 0.3), lambda x: np.quantile(x, [0.3]),
        lambda x: np.percentile(x, np.float32(30)), lambda x: np.quantile(x, 0.3, method="lower"),
    ):  # fmt: skip
        ans, pull = vjp(f, x)
        assert ans.dtype == f(x).dtype
        assert pull(np.ones_like(ans))[0].dtype == dtype
        assert jvp(f, (x,), (np.ones_like(x),))[1].dtype == ans.dtype


def test_out_takes_the_result() -> None:
    def into(x: Any) -> Any:
        y = x[0] * 0
        np.median(x, axis=0, out=y)
        return np.sum(y)

    np.testing.assert_array_equal(grad(into)(X), np.full((2, 3), 0.5))


def test_many_quantiles_of_a_long_array() -> None:
    x = np.random.default_rng(0).normal(size=2000)
    q = np.linspace(0, 1, 41)
    value, pull = vjp(lambda x: np.quantile(x, q), x)
    np.testing.assert_allclose(value, np.quantile(x, q))
    assert pull(np.ones(41))[0].sum() == pytest.approx(41)


@pytest.mark.parametrize("f", [np.median, lambda x, **k: np.quantile(x, [0.2, 0.7], **k)])
def test_quantiles_of_no_rows(f: Any) -> None:
    value, pull = vjp(lambda x: f(x, axis=1), np.zeros((0, 3)))
    assert value.shape == f(np.zeros((0, 3)), axis=1).shape
    assert pull(value)[0].shape == (0, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble, np.complex64])
def test_sort_complex_has_the_dtype_of_numpy(dtype: type) -> None:
    x = np.array([2.0, 1.0], dtype)
    assert vjp(np.sort_complex, x)[0].dtype == np.sort_complex(x).dtype
