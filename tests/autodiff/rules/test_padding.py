"""`numpy.pad`: traced values of the sides, modes that are refused."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.errors import MissingRuleError
from retrograd.testing import check_grads

X = np.array([[0.3, -0.7, 1.1], [0.5, 0.9, -1.3]])
SIDES = {
    "a number": 0.7,
    "a pair": np.array([0.7, -0.4]),
    "a pair for each axis": np.array([[0.7, -0.4], [1.2, 0.1]]),
}


@pytest.mark.parametrize("values", SIDES.values(), ids=SIDES)
@pytest.mark.parametrize(
    ("mode", "keyword"), [("constant", "constant_values"), ("linear_ramp", "end_values")]
)
def test_values_of_the_sides_may_be_traced(mode, keyword, values):
    widths = ((1, 2), (0, 3))

    def padded(x, values):
        return rnp.pad(x, widths, mode, **{keyword: values})

    check_grads(padded, X, values)
    expected = np.pad(X, widths, mode, **{keyword: values})
    np.testing.assert_allclose(rg.vjp(padded, X, values)[0], expected, rtol=1e-12)
    found = rg.vjp(lambda v: padded(X, v), values)[0]  # only the values are traced
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_values_of_the_sides_may_be_a_list_of_traced_numbers():
    found = rg.grad(lambda a, b: np.sum(rnp.pad(X, 1, constant_values=[a, b])), (0, 1))(0.3, 0.7)
    assert found == (7.0, 7.0)


@pytest.mark.parametrize("width", [{0: (1, 2), 1: 1}, {-1: 2}, 0, [[1, 2]], np.int64(1)])
@pytest.mark.parametrize("mode", ["constant", "edge", "mean"])
def test_widths_in_every_form(width, mode):
    def padded(x):
        return np.pad(x, width, mode)

    value, tangent = rg.jvp(padded, (X,), (X,))
    np.testing.assert_allclose(value, np.pad(X, width, mode), rtol=1e-15)
    np.testing.assert_allclose(tangent, np.pad(X, width, mode), rtol=1e-15)


@pytest.mark.parametrize("mode", ["constant", "edge", "wrap", "mean", "linear_ramp"])
def test_single_precision_stays(mode):
    x = X.astype(np.float32)
    value, pullback = rg.vjp(lambda x: np.pad(x, 2, mode), x)
    assert value.dtype == pullback(np.ones_like(value))[0].dtype == np.float32


def test_constants_that_are_not_finite_leave_the_array_alone():
    value, tangent = rg.jvp(lambda x: np.pad(x, 1, constant_values=np.nan), (X,), (X,))
    np.testing.assert_array_equal(value, np.pad(X, 1, constant_values=np.nan))
    np.testing.assert_array_equal(tangent, np.pad(X, 1))


def _callable(vector, width, axis, kwargs):
    vector[: width[0]] = 0.0


@pytest.mark.parametrize("mode", ["empty", _callable])
def test_modes_without_a_derivative_are_refused(mode):
    with pytest.raises(MissingRuleError, match=r"pad: no derivative rule covers mode=.*constant"):
        rg.grad(lambda x: np.sum(np.pad(x, 1, mode)))(X)


def test_what_numpy_refuses_is_refused():
    for arguments in [(-1,), (1, "edge", {"constant_values": 1}), (1.5,)]:
        *args, kwargs = [*arguments, {}] if not isinstance(arguments[-1], dict) else arguments
        with pytest.raises((TypeError, ValueError)) as plain:
            np.pad(X, *args, **kwargs)
        with pytest.raises(plain.type, match=str(plain.value)[:20]):
            rg.grad(lambda x, a=args, k=kwargs: np.sum(np.pad(x, *a, **k)))(X)


@pytest.mark.parametrize("mode", ["edge", "wrap", "mean", "linear_ramp"])
def test_an_empty_axis_cannot_be_extended(mode):
    with pytest.raises(ValueError, match="can't extend empty axis"):
        rg.grad(lambda x: np.sum(np.pad(x, 1, mode)))(np.ones((0, 2)))
