"""Functions that apply functions: traced arguments of these, special cases, errors."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.errors import ArgumentError, InterceptionError, MissingRuleError
from retrograd.testing import check_grads

X = np.array([-0.7, 0.3, 1.1, -0.2])


def test_arguments_of_the_functions_may_be_traced():
    def pieces(x, factor):
        return rnp.piecewise(x, [x > 0], [lambda p, f: f * p * p, lambda p, f: p / f], factor)

    def slices(x, factor):
        return rnp.apply_along_axis(lambda row, f: row[1:] * f * row[:-1], 0, x, factor)

    for f in (pieces, slices):
        check_grads(f, X, 0.7)
        value = rg.vjp(lambda factor, f=f: f(X, factor), 0.7)[0]
        np.testing.assert_allclose(value, f(X, 0.7), rtol=1e-15)


def test_piecewise_keeps_a_pole_out_of_the_other_pieces():
    f = rg.grad(lambda x: np.sum(np.piecewise(x, [x > 0], [np.sqrt, 0.0])))
    np.testing.assert_array_equal(f(np.array([0.0, 4.0, -1.0])), [0.0, 0.25, 0.0])


def test_piecewise_lets_the_last_condition_win():
    f = rg.grad(lambda x: np.sum(np.piecewise(x, [x > 0, x > 1], [np.square, lambda p: 5 * p])))
    np.testing.assert_allclose(f(X), [0.0, 0.6, 5.0, 0.0])


def test_piecewise_of_integers_is_refused():
    with pytest.raises(MissingRuleError, match=r"piecewise: x has dtype int64.*astype\(float\)"):
        rg.grad(lambda a: np.sum(rnp.piecewise(np.arange(3), [True], [lambda p, a: p * a], a)))(2.0)


def test_numbers_of_conditions_and_functions():
    with pytest.raises(ArgumentError, match="piecewise: 1 conditions and 3 functions"):
        rg.grad(lambda x: np.sum(np.piecewise(x, [x > 0], [1.0, 2.0, np.sin])))(X)
    with pytest.raises(ArgumentError, match="select: 2 conditions and 1 choices"):
        rg.grad(lambda x: np.sum(np.select([x > 0, x < 0], [x])))(X)
    with pytest.raises(ArgumentError, match="condition 0 in condlist is no boolean"):
        rg.grad(lambda x: np.sum(np.select([np.ones(4)], [x])))(X)


def test_select_takes_the_first_that_holds_and_a_traced_default():
    def f(x, default):
        return np.sum(np.select([x > 1, x > 0], [3 * x, x * x], default))

    found = rg.grad(f, (0, 1))(X, 0.5)
    np.testing.assert_allclose(found[0], [0.0, 0.6, 3.0, 0.0])
    assert found[1] == 2.0


def test_apply_along_an_axis_without_slices():
    with pytest.raises(ArgumentError, match=r"apply_along_axis.*shape \(0, 3\).*axis 1"):
        rg.grad(lambda x: np.sum(np.apply_along_axis(np.sum, 1, x)))(np.ones((0, 3)))


def test_apply_over_axes_refuses_functions_that_drop_two():
    def drop(x, axis):
        return np.sum(x)

    with pytest.raises(ArgumentError, match="apply_over_axes: the function gave 0 axes for 2"):
        rg.grad(lambda x: np.sum(np.apply_over_axes(drop, x, 0)))(np.ones((2, 2)))


def test_vectorize_is_refused():
    with pytest.raises(InterceptionError, match=r"np.asarray\(x\)"):
        rg.grad(lambda x: np.sum(np.vectorize(lambda a: a * a)(x)))(X)
