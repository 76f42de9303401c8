"""Reductions: ties, zeros, `where=` and `initial=`, constants, and what is refused."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import retrograd.numpy as rnp
from retrograd.autodiff import elementwise_grad, grad, hessian, jvp, vjp
from retrograd.errors import InterceptionError, MissingRuleError
from retrograd.testing import check_grads

X = np.array([[0.5, -1.2, 2.0], [0.7, 0.1, -0.4]])
MASK = np.array([[True, False, True], [False, True, True]])


def test_where_leaves_elements_out() -> None:
    np.testing.assert_array_equal(grad(lambda x: np.sum(x, where=MASK))(X), MASK)
    np.testing.assert_array_equal(grad(lambda x: np.mean(x, where=MASK))(X), MASK / 4)
    product = grad(lambda x: np.prod(x, where=MASK))(X)
    np.testing.assert_allclose(product, np.where(MASK, np.prod(X, where=MASK) / X, 0))
    deviation = grad(lambda x: np.std(x, where=MASK))(X)
    chosen = np.zeros_like(X)
    chosen[MASK] = elementwise_grad(np.std)(X[MASK])
    np.testing.assert_allclose(deviation, chosen)


def test_elements_left_out_may_be_nan() -> None:
    x = np.where(MASK, X, np.nan)
    for f in (np.sum, np.mean, np.prod, np.var, np.std):
        g = grad(lambda x, f=f: f(x, where=MASK))(x)
        np.testing.assert_array_equal(g[~MASK], 0)
        assert np.isfinite(g).all()
        h = hessian(lambda x, f=f: f(x, where=MASK))(x)
        assert np.isfinite(h).all()


def test_a_traced_mask_is_a_plain_one() -> None:
    g = grad(lambda x: np.sum(x, where=x > 0))(X)
    np.testing.assert_array_equal(g, X > 0)


def test_ties_are_split_evenly() -> None:
    x = np.array([[3.0, 1.0, 3.0], [2.0, 2.0, 2.0]])
    np.testing.assert_array_equal(grad(np.max)(x), [[0.5, 0, 0.5], [0, 0, 0]])
    by_row = elementwise_grad(lambda x: np.max(x, axis=1))(x)
    np.testing.assert_allclose(by_row, [[0.5, 0, 0.5], [1 / 3, 1 / 3, 1 / 3]])
    tangent = jvp(lambda x: np.min(x, axis=1), (x,), (np.arange(6.0).reshape(2, 3),))[1]
    np.testing.assert_allclose(tangent, [1, 4])


@pytest.mark.parametrize("name", ["max", "amax"])
def test_the_initial_value_of_a_maximum(name: str) -> None:
    largest = getattr(rnp, name)
    g = grad(lambda x: largest(x, initial=3.0))(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(g, [0, 0])
    g = grad(lambda x: largest(x, initial=2.0))(np.array([1.0, 2.0, 2.0]))
    np.testing.assert_allclose(g, [0, 1 / 3, 1 / 3])
    g, start = grad(lambda x, i: largest(x, initial=i), (0, 1))(np.array([1.0, 2.0]), 2.0)
    np.testing.assert_array_equal(g, [0, 0.5])
    assert start == 0.5


@pytest.mark.parametrize("name", ["sum", "prod", "max", "min"])
@pytest.mark.parametrize(
    "options",
    [{}, {"axis": 1}, {"axis": (-1,), "keepdims": True}, {"axis": 0, "where": MASK},
     {"axis": (1, 0), "keepdims": True}],
)  # fmt: skip
def test_a_traced_initial_value(name: str, options: dict[str, Any]) -> None:
    function = getattr(rnp, name)
    for initial in (0.3, 1.4):
        f = lambda x, i: function(x, initial=i, **options)  # noqa: E731
        np.testing.assert_allclose(
            vjp(f, X, initial)[0], getattr(np, name)(X, initial=initial, **options)
        )
        check_grads(f, X, initial)


def test_a_traced_initial_value_of_an_empty_array() -> None:
    for name in ("sum", "prod", "max", "min"):
        assert grad(lambda i, name=name: getattr(rnp, name)(np.zeros(0), initial=i))(0.3) == 1


def test_a_traced_initial_value_keeps_the_dtype_and_goes_to_out() -> None:
    x = np.array([1, 2], np.float32)
    value, pull = vjp(lambda x, i: rnp.max(x, initial=i), x, np.float64(3))
    assert value.dtype == np.float32
    assert [g.dtype for g in pull(np.float32(1))] == [np.float32, np.float64]

    def into(x: Any, i: Any) -> Any:
        out = x[:1] * 0
        rnp.sum(x, axis=0, initial=i, out=out[0:1].reshape(()))
        return out[0]

    g, start = grad(into, (0, 1))(x, 0.5)
    np.testing.assert_array_equal(g, [1, 1])
    assert start == 1


def test_plain_numpy_refuses_a_traced_initial_value_that_it_does_not_show() -> None:
    with pytest.raises(InterceptionError, match="drop the derivative"):
        grad(lambda i: np.sum(np.ones(2), initial=i))(0.3)


def test_products_with_zeros() -> None:
    one, two = np.array([2.0, 0.0, 3.0]), np.array([0.0, 4.0, 0.0])
    np.testing.assert_array_equal(grad(np.prod)(one), [0, 6, 0])
    np.testing.assert_array_equal(grad(np.prod)(two), [0, 0, 0])
    np.testing.assert_array_equal(hessian(np.prod)(one), [[0, 3, 0], [3, 0, 2], [0, 2, 0]])
    np.testing.assert_array_equal(hessian(np.prod)(two), [[0, 0, 4], [0, 0, 0], [4, 0, 0]])
    assert jvp(np.prod, (one,), (np.ones(3),))[1] == 6


def test_the_deviation_of_a_constant_has_subgradient_zero() -> None:
    np.testing.assert_array_equal(grad(np.std)(np.full(3, 2.0)), np.zeros(3))
    assert jvp(np.std, (np.full(3, 2.0),), (np.arange(3.0),))[1] == 0
    assert np.isfinite(hessian(np.std)(np.full(3, 2.0))).all()
    x = np.array([[1.0, 1.0], [1.0, 3.0]])
    np.testing.assert_allclose(
        elementwise_grad(lambda x: np.std(x, axis=1))(x), [[0, 0], [-0.5, 0.5]]
    )
    g = grad(lambda x: np.std(x, mean=np.mean(x)))(np.full(3, 2.0))
    np.testing.assert_array_equal(g, np.zeros(3))


def test_a_given_mean_is_an_argument() -> None:
    g, mean = grad(lambda x, m: np.var(x, mean=m), (0, 1))(X, 0.2)
    np.testing.assert_allclose(g, (X - 0.2) / 3)
    assert mean == pytest.approx(-2 * np.mean(X - 0.2))
    given = grad(lambda x: np.sum(np.var(x, 1, mean=np.mean(x, 1, keepdims=True), ddof=1)))(X)
    np.testing.assert_allclose(given, grad(lambda x: np.sum(np.var(x, 1, ddof=1)))(X))


def test_weighted_averages() -> None:
    w = np.array([1.0, 2.0, 5.0])
    g = grad(lambda x, w: np.sum(np.average(x, 1, w)), (0, 1))(X, w)
    np.testing.assert_allclose(g[0], np.broadcast_to(w / 8, (2, 3)))
    means = X @ w / 8
    np.testing.assert_allclose(g[1], np.sum((X - means[:, None]) / 8, axis=0))
    mean, total = vjp(lambda x: np.average(x, 1, w, returned=True), X)[0]
    np.testing.assert_allclose((mean, total), np.average(X, 1, w, returned=True))
    with pytest.raises(ZeroDivisionError, match="sum to zero"):
        grad(lambda w: np.average(X[0], weights=w))(np.array([1.0, -1.0, 0.0]))
    with pytest.raises(TypeError, match=r"average: weights of shape \(3,\).*give axis="):
        grad(lambda x: np.average(x, weights=w))(X)
    with pytest.raises(ValueError, match="one weight for each place"):
        grad(lambda x: np.sum(np.average(x, 0, w)))(X)


@pytest.mark.parametrize("f", [np.sum, np.mean, np.prod, np.var, np.std, np.max, np.min, np.ptp])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble, np.complex64])
def test_dtypes_are_kept(f: Any, dtype: type) -> None:
    x = np.array([[0.5, 1.5, 1.5], [2.0, 0.5, 1.0]]).astype(dtype)
    options = [{}, {"axis": 0}, {"axis": -1, "keepdims": True}]
    if f is not np.ptp:
        options.append(
            {"axis": 0, "where": MASK, **({"initial": 1} if "m" in _extremum(f) else {})}
        )
    for option in options:
        ans, pull = vjp(lambda x, o=option: f(x, **o), x)
        assert pull(np.ones_like(ans))[0].dtype == dtype
        tangent = jvp(lambda x, o=option: f(x, **o), (x,), (np.ones_like(x),))[1]
        assert tangent.dtype == ans.dtype == f(x).dtype


def _extremum(f: Any) -> str:
    return "m" if f in (np.max, np.min) else ""


def test_a_wider_dtype_is_calculated_in() -> None:
    x = np.array([1e-3, 1.0], np.float32)
    for f in (np.sum, np.mean, np.prod, np.var, np.cumsum, np.cumprod):
        ans, pull = vjp(lambda x, f=f: f(x, dtype=np.float64), x)
        tangent = jvp(lambda x, f=f: f(x, dtype=np.float64), (x,), (np.ones_like(x),))[1]
        assert tangent.dtype == ans.dtype == np.float64
        assert pull(np.ones_like(ans))[0].dtype == np.float32
    positional = vjp(lambda x: np.sum(x, None, np.float64), x)[0]
    assert positional.dtype == np.float64


@pytest.mark.parametrize("f", [np.sum, np.prod, np.cumsum, np.cumprod])
def test_whole_numbers_have_no_derivative(f: Any) -> None:
    with pytest.raises(MissingRuleError, match=rf"{f.__name__}: dtype=int64 .* float dtype"):
        grad(lambda x: np.sum(f(x, dtype=np.int64) * 1.0))(X)


def test_a_traced_degree_of_freedom_is_refused() -> None:
    with pytest.raises(MissingRuleError, match=r"var: .* ddof="):
        grad(lambda d: np.var(X * d, ddof=d))(1.0)


def test_out_takes_the_result() -> None:
    def into(x: Any) -> Any:
        total = x[0] * 0
        np.sum(x * x, axis=0, out=total)
        return np.sum(total * total)

    np.testing.assert_allclose(grad(into)(X), 4 * X * np.sum(X * X, axis=0))


def test_reductions_by_ufunc() -> None:
    g = grad(lambda x: np.add.reduce(x, axis=None, initial=2.0, where=MASK))(X)
    np.testing.assert_array_equal(g, MASK)
    x = np.array([0.3, 0.1, -0.4])
    np.testing.assert_allclose(grad(np.logaddexp.reduce)(x), np.exp(x) / np.sum(np.exp(x)))
    chosen = np.array([True, False, True])
    options = {"where": chosen, "initial": 0.2, "keepdims": True}
    value, pull = vjp(lambda x: np.logaddexp.reduce(x, **options), x)
    np.testing.assert_allclose(value, np.logaddexp.reduce(x, **options))
    weights = np.where(chosen, np.exp(x), 0)
    np.testing.assert_allclose(pull(np.ones(1))[0], weights / (weights.sum() + np.exp(0.2)))


def test_running_products_with_zeros_are_right_to_second_order() -> None:
    x = np.array([2.0, 0.0, 3.0, 0.0, 5.0])
    weights = np.array([1.0, 10.0, 100.0, 1000.0, 1e4])
    f = lambda x: np.sum(np.cumprod(x) * weights)  # noqa: E731
    by_hand = lambda x: sum(w * np.prod(x[: i + 1]) for i, w in enumerate(weights))  # noqa: E731
    np.testing.assert_array_equal(grad(f)(x), grad(by_hand)(x))
    np.testing.assert_array_equal(hessian(f)(x), hessian(by_hand)(x))
    np.testing.assert_array_equal(jvp(np.cumprod, (x,), (np.ones(5),))[1], [1, 2, 6, 0, 0])


def test_running_products_do_not_overflow_on_the_way() -> None:
    x = np.array([1e-200, 1e200, 1e200])
    np.testing.assert_allclose(grad(lambda x: np.cumprod(x)[2])(x), [np.inf, 1, 1])
    tangent = jvp(np.cumprod, (x,), (np.array([0.0, 1e200, 0.0]),))[1]
    np.testing.assert_allclose(tangent, [0, 1, 1e200])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble, np.complex64])
def test_running_sums_and_products_keep_the_dtype(dtype: type) -> None:
    x = X.astype(dtype)
    for f in (np.cumsum, np.cumprod):
        ans, pull = vjp(lambda x, f=f: f(x, axis=-1), x)
        assert pull(np.ones_like(ans))[0].dtype == dtype
        assert jvp(lambda x, f=f: f(x, axis=-1), (x,), (x,))[1].dtype == dtype


@pytest.mark.skipif(not hasattr(np, "cumulative_sum"), reason="new in NumPy 2.1")
def test_cumulative_functions_want_an_axis() -> None:
    for f in (np.cumulative_sum, np.cumulative_prod):
        with pytest.raises(ValueError, match="axis"):
            grad(lambda x, f=f: np.sum(f(x)))(X)


def test_reductions_of_nothing() -> None:
    for f in (np.sum, np.prod):
        assert grad(f)(np.zeros((0, 3))).shape == (0, 3)
        assert elementwise_grad(lambda x, f=f: f(x, axis=0))(np.zeros((0, 3))).shape == (0, 3)
    assert grad(lambda x: np.sum(np.cumprod(x)))(np.zeros(0)).shape == (0,)


def test_a_maximum_of_nan_shows_in_the_value() -> None:
    x = np.array([np.nan, 1.0])
    value, pull = vjp(np.max, x)
    assert np.isnan(value)
    np.testing.assert_array_equal(pull(1.0)[0], [0, 0])


def test_products_of_no_rows() -> None:
    value, pull = vjp(lambda x: np.prod(x, axis=1), np.zeros((0, 3)))
    assert pull(value)[0].shape == (0, 3)


@pytest.mark.filterwarnings("ignore:Casting complex")  # NumPy's own
@pytest.mark.parametrize("f", [np.prod, np.cumprod])
def test_complex_numbers_that_become_real(f: Any) -> None:
    z: Any = X[0] + 1j * X[1]
    d = np.array([1 + 2j, 0.5j, -1.0 + 0j])
    value, tangent = jvp(lambda z: f(z, dtype=float), (z,), (d,))
    expected = jvp(f, (np.real(z),), (np.real(d),))[1]
    assert value.dtype == tangent.dtype == np.float64
    np.testing.assert_allclose(tangent, expected, rtol=1e-12)


@pytest.mark.parametrize("f", [np.var, np.std, np.nanvar])
def test_variances_of_complex_numbers_in_another_dtype_are_refused(f: Any) -> None:
    with pytest.raises(MissingRuleError, match=r"dtype=.* with complex numbers.*astype"):
        vjp(lambda x: f(x, dtype=complex), X)[1](np.ones((), complex))
    with pytest.raises(MissingRuleError, match="complex mean= of real numbers"):
        vjp(lambda x: np.var(x, mean=x[0, 0] * 1j), X)


@pytest.mark.parametrize("f", [np.var, np.std])
def test_degrees_of_freedom_of_numpys_own_kind_keep_the_precision(f: Any) -> None:
    x = X.astype(np.float32)
    value, tangent = jvp(lambda x: f(x, ddof=np.int64(1)), (x,), (x,))
    assert value.dtype == tangent.dtype == np.float32
    pull = vjp(lambda x: f(x, ddof=np.int64(1), where=x > -9), x)[1]
    assert pull(np.float32(1))[0].dtype == np.float32


def test_numbers_stay_numbers() -> None:
    """An array of no dimensions in place of a number would change with `b = a; b += 1`."""

    def lengthened(f: Any) -> Any:
        def call(x: Any) -> Any:
            a = b = f(x)
            b += 1
            return a

        return call

    for f in (
        np.median, np.nanmedian, lambda x: np.quantile(x, 0.3), np.linalg.vector_norm,
        lambda x: np.linalg.norm(x, "fro", (0, 1)), lambda x: np.std(x, mean=x[0, 0]),
        lambda x: np.interp(x[0, 0], [-9.0, 9.0], [1.0, 2.0]),
    ):  # fmt: skip
        np.testing.assert_allclose(vjp(lengthened(f), X)[0], f(X), rtol=1e-12)


def test_kept_axes_may_be_asked_for_by_any_true_value() -> None:
    functions: list[Any] = [np.median, np.ptp, np.average, partial(np.quantile, q=0.2)]
    for f in functions:
        for true in (1, np.True_):
            assert vjp(lambda x, f=f, t=true: f(x, keepdims=t), X)[0].shape == (1, 1)


def test_average_returns_the_weights_in_the_dtype_of_the_mean() -> None:
    x, weights = X + 1j, np.array([0.5, 1.0])
    mean, total = vjp(lambda x: np.average(x, 0, weights, returned=True), x)[0]
    expected = np.average(x, 0, weights, returned=True)
    np.testing.assert_allclose(mean, expected[0])
    assert total.dtype == expected[1].dtype


@pytest.mark.parametrize("ufunc", [np.subtract, np.divide])
def test_reductions_in_order_by_ufunc(ufunc: Any) -> None:
    x, where = np.array([[0.5, 0.7, 0.9], [1.2, 0.4, 1.6]]), np.array([[True], [False]])
    for options in ({"axis": 1}, {"axis": 0, "where": where}):

        def reduced(x: Any, options: dict[str, Any] = options) -> Any:
            return ufunc.reduce(x, initial=0.7, **options)

        np.testing.assert_allclose(vjp(reduced, x)[0], reduced(x), rtol=1e-12)
        check_grads(reduced, x, directions=1)
    with pytest.raises(ValueError, match="only one axis"):
        vjp(lambda x: ufunc.reduce(x, axis=(0, 1)), x)


def test_reductions_of_what_is_left_by_ufunc() -> None:
    x, where = np.array([[0.5, 0.7, 0.9], [1.2, 0.4, 1.6]]), np.array([[True], [False]])
    found = vjp(lambda x: np.fmax.reduce(x, axis=0, initial=0.6, where=where), x)[0]
    np.testing.assert_allclose(found, [0.6, 0.7, 0.9])


def test_cumulative_products_of_a_number() -> None:
    if hasattr(np, "cumulative_prod"):
        assert grad(lambda x: np.cumulative_prod(x, include_initial=True)[1])(0.7) == 1.0


def test_axes_that_are_not_there() -> None:
    initial = np.float64(0.1)
    for f in (np.median, np.nanmedian, lambda x, axis: np.percentile(x, 30, axis=axis)):
        with pytest.raises(np.exceptions.AxisError):
            vjp(lambda x, f=f: f(x, axis=2), X)
    with pytest.raises(np.exceptions.AxisError):
        vjp(lambda x, y: np.max(x, axis=2, initial=y), X, initial)


def test_an_array_without_axes_stays_one_when_a_sum_is_added() -> None:
    def doubled(x: Any) -> Any:
        total = alias = rnp.zeros(())
        total += np.sum(x)
        alias *= 2
        return total

    value, pull = vjp(doubled, X)
    np.testing.assert_allclose(value, 2 * X.sum())
    np.testing.assert_array_equal(pull(np.ones_like(value))[0], np.full(X.shape, 2.0))
