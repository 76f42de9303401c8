"""reduce, accumulate, outer, reduceat and at of ufuncs: NumPy's values, the right derivatives."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import InterceptionError, MissingRuleError
from retrograd.testing import check_grads

X = np.array([[0.3, 0.7, 1.1], [0.2, 0.9, 0.5]])
UFUNCS = (
    np.add, np.multiply, np.maximum, np.minimum, np.logaddexp, np.hypot, np.subtract,
    np.true_divide,
)  # fmt: skip


def agrees(f, *, exact: bool = True) -> None:
    value = rg.vjp(f, X)[0]
    assert value.dtype == f(X).dtype
    np.testing.assert_allclose(value, f(X), rtol=0 if exact else 1e-14, atol=0)
    check_grads(f, X)


@pytest.mark.parametrize("ufunc", UFUNCS)
@pytest.mark.parametrize("keywords", [{}, {"axis": 1}, {"axis": -1, "keepdims": True}])
def test_reduce(ufunc, keywords) -> None:
    agrees(lambda x: ufunc.reduce(x, **keywords), exact=False)


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.logaddexp, np.hypot])
def test_reduce_over_all_axes(ufunc) -> None:
    agrees(lambda x: ufunc.reduce(x, axis=None), exact=False)
    agrees(lambda x: ufunc.reduce(x, axis=(1, 0), keepdims=True), exact=False)


def test_reduce_with_a_start_and_a_choice() -> None:
    where = [True, False, True]
    agrees(lambda x: np.logaddexp.reduce(x, axis=1, where=where, initial=0.3), exact=False)
    agrees(lambda x: np.hypot.reduce(x[:, :0], axis=1, initial=0.3) * x[0, 0])
    agrees(lambda x: np.exp(np.logaddexp.reduce(x[:0])) + np.hypot.reduce(x[:0]) + x[0])
    agrees(lambda x: np.logaddexp.reduce(x, dtype=np.float64), exact=False)
    with pytest.raises(ValueError, match="no identity"):
        rg.grad(lambda x: np.arctan2.reduce(x[:0])[0])(X)


def test_reduce_of_truth_values_is_plain() -> None:
    def f(x):
        assert np.logical_and.reduce(x, axis=None) is np.True_
        assert np.logical_or.accumulate(x[0] - 0.3).tolist() == [False, True, True]
        return np.sum(x)

    np.testing.assert_array_equal(rg.grad(f)(X), np.ones((2, 3)))


@pytest.mark.parametrize("ufunc", [u for u in UFUNCS if u is not np.multiply])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_accumulate(ufunc, axis) -> None:
    agrees(lambda x: ufunc.accumulate(x, axis))


def test_running_extrema_split_ties_and_pass_on_nan() -> None:
    x = np.array([1.0, 2.0, 0.0, 2.0, 1.0])
    total = rg.grad(lambda x: np.sum(np.maximum.accumulate(x)))(x)
    np.testing.assert_array_equal(total, [1.0, 3.0, 0.0, 1.0, 0.0])
    holed = np.array([1.0, np.nan, 3.0])
    for ufunc in (np.maximum, np.minimum):
        value = rg.vjp(ufunc.accumulate, holed)[0]
        np.testing.assert_array_equal(value, ufunc.accumulate(holed))
    single = rg.vjp(np.maximum.accumulate, x.astype(np.float32))[0]
    assert single.dtype == np.float32


@pytest.mark.parametrize("ufunc", UFUNCS)
def test_outer(ufunc) -> None:
    agrees(lambda x: ufunc.outer(x, np.array([0.4, 0.6])))
    agrees(lambda x: ufunc.outer(x[0], x))
    agrees(lambda x: ufunc.outer(2.0, x[0, 0]))


@pytest.mark.parametrize("ufunc", UFUNCS)
def test_reduceat(ufunc) -> None:
    agrees(lambda x: ufunc.reduceat(x, [0, 2, 1], axis=1), exact=False)
    agrees(lambda x: ufunc.reduceat(x, np.array([1, 0])), exact=False)


@pytest.mark.parametrize("ufunc", UFUNCS)
def test_at_with_repeated_indices(ufunc) -> None:
    def f(x):
        y = x * 1.0
        ufunc.at(y, ([0, 1, 0, 0], [1, 1, 1, -2]), np.concatenate([x[1], x[0, :1]]) * 0.5 + 0.3)
        return y

    agrees(f)


def test_results_are_written_to_out() -> None:
    def f(x):
        y = np.zeros_like(x)
        np.logaddexp.reduce(x, axis=0, out=y[0])
        np.maximum.accumulate(x[1], out=y[1])
        np.hypot.reduceat(x[0], [0, 2], out=y[1, :2])
        np.multiply.outer(x[0, :2], x[1], out=x)
        return x * y

    expected, value = f(X.copy()), rg.vjp(f, X)[0]
    np.testing.assert_allclose(value, expected, rtol=1e-14)


def test_where_a_plain_array_would_have_to_take_the_result() -> None:
    for call in (
        lambda x: np.logaddexp.reduce(x, out=np.zeros(3)),
        lambda x: np.maximum.accumulate(x, out=np.zeros((2, 3))),
        lambda x: np.hypot.reduceat(x, [0], out=np.zeros((1, 3))),
    ):
        with pytest.raises(InterceptionError, match="plain array"):
            rg.grad(lambda x: np.sum(call(x)))(X)  # noqa: B023


def test_ufuncs_that_nobody_knows() -> None:
    doubled = np.frompyfunc(lambda v: v * 2, 1, 1)
    with pytest.raises(MissingRuleError, match=r"no derivative rule.*extend"):
        rg.grad(lambda x: np.sum(doubled(x)))(X)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x & 1, lambda x: 1 | x, lambda x: ~x, lambda x: x << 1, lambda x: x ^ x,
        lambda x: np.ones(3, int) & x, lambda x: np.invert(x), lambda x: np.gcd(x, 2),
        lambda x: np.bitwise_or.reduce(x), lambda x: np.left_shift.outer(x, x),
    ],
)  # fmt: skip
def test_functions_of_integers_refuse_floats_as_numpy_does(call) -> None:
    with pytest.raises(TypeError) as plain:
        call(X)
    with pytest.raises(TypeError) as traced:
        rg.grad(lambda x: np.sum(call(x)))(X)
    assert not isinstance(traced.value, MissingRuleError)
    assert plain.value
