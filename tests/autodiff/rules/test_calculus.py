"""Differences, slopes, interpolation: what plain NumPy does not let in, and special points."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd.numpy as rnp
from retrograd import grad, jacobian, jvp, vjp
from retrograd.testing import check_grads

X = np.array([-1.9, -0.6, 0.2, 0.9, 1.8])
XP = np.array([-1.2, -0.3, 0.1, 0.8, 1.3])
FP = np.array([0.4, -1.0, 0.7, 1.2, -0.3])


def test_interp_in_the_values_outside() -> None:
    check_grads(lambda left, right: rnp.interp(X, XP, FP, left, right), 0.3, -0.4)
    slope = grad(lambda left: rnp.sum(rnp.interp(X, XP, FP, left)))(2.0)
    assert slope == 1.0


def test_interp_in_its_period() -> None:
    check_grads(lambda period: rnp.interp(X, XP, FP, period=period), 3.45)


def test_interp_outside_is_flat_and_at_a_knot_takes_the_right_slope() -> None:
    slopes = np.diag(jacobian(lambda x: np.interp(x, XP, FP))(np.array([-3.0, -0.3, 5.0])))
    np.testing.assert_allclose(slopes, [0.0, 1.7 / 0.4, 0.0])


def test_interp_with_a_knot_twice_has_a_finite_derivative() -> None:
    heights = np.array([0.0, 1.0, 3.0, 4.0])
    found = grad(lambda f: np.interp(0.5, [0.0, 1.0, 1.0, 2.0], f))(heights)
    np.testing.assert_allclose(found, [0.5, 0.5, 0.0, 0.0])


def test_interp_gives_double_precision_and_cotangents_in_single() -> None:
    x = np.array([0.3, 0.5], np.float32)
    assert grad(lambda x: np.sum(np.interp(x, XP, FP)))(x).dtype == np.float32


@pytest.mark.parametrize("xp", [np.zeros(0), np.zeros((2, 2))])
def test_interp_names_wrong_shapes(xp: np.ndarray) -> None:
    with pytest.raises(ValueError, match="interp: xp and fp have shapes"):
        grad(lambda x: np.interp(x, xp, xp))(0.3)


def test_unwrap_in_its_period() -> None:
    phases = np.array([0.3, 3.0, -3.0, 2.8, 9.0])
    check_grads(lambda period: rnp.unwrap(phases, period=period), 2.3)
    found = grad(lambda p: rnp.unwrap(phases, period=p)[2])(2 * np.pi)
    assert found == 1.0


def test_diff_of_nothing_and_of_order_zero() -> None:
    assert grad(lambda x: np.sum(np.diff(x)))(np.zeros(1)) == 0.0
    assert grad(lambda x: np.sum(np.diff(x, 0)))(np.ones(1)) == 1.0
    assert grad(lambda x: np.sum(np.diff(x, 3)))(np.ones(2)).tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="order n must be non-negative"):
        grad(lambda x: np.sum(np.diff(x, -1)))(np.ones(2))


def test_ediff1d_keeps_the_dtype_or_refuses() -> None:
    assert (
        grad(lambda x: np.sum(np.ediff1d(x, 1.0)))(np.array([1, 2], np.float32)).dtype == np.float32
    )
    with pytest.raises(TypeError, match="ediff1d: to_begin and to_end are cast"):
        grad(lambda x: np.sum(np.ediff1d(x, 1j)))(np.array([1.0, 2.0]))


def test_gradient_in_coordinates_is_right_where_they_happen_to_be_even() -> None:
    # NumPy's formula for even spacing has no derivative in a single coordinate.
    f, even = np.array([0.3, 1.0, -0.4, 0.8]), np.arange(4.0)
    check_grads(lambda x: np.gradient(f, x), even)
    check_grads(lambda x: np.gradient(f, x, edge_order=2), even)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: rnp.gradient(x, edge_order=3), "edge_order=3 was given; give 1 or 2"),
        (lambda x: np.gradient(x, 1.0, 2.0), "2 spacings were given for 1 axes"),
        (lambda x: np.gradient(x, np.ones(2)), "the coordinates along axis 0"),
        (lambda x: np.gradient(x[:1]), "axis 0 has 1 elements"),
    ],
)
def test_gradient_names_what_is_wrong(call, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        grad(lambda x: np.sum(call(x)))(np.ones(3))


@pytest.mark.parametrize("f", [np.diff, np.gradient, np.trapezoid, np.ediff1d])
def test_single_precision_stays(f) -> None:
    x = np.linspace(0, 1, 5, dtype=np.float32) ** 2
    assert f(x).dtype == np.float32
    value = []

    def total(x):
        value.append(f(x))
        return np.sum(value[0])

    assert grad(total)(x).dtype == np.float32
    assert value[0].dtype == np.float32


def test_interp_of_complex_places_is_refused() -> None:
    with pytest.raises(TypeError, match="x or xp is complex"):
        vjp(lambda x: np.interp(x, [0.0, 1.0], [0.0, 1.0], period=2.0), np.array([1j]))


def test_gradient_has_the_dtype_of_the_samples() -> None:
    f = np.array([0.1, 0.5, 0.4], np.float32)
    value, tangent = jvp(lambda f: np.gradient(f, [0.0, 1.0, 2.0]), (f,), (f,))
    assert value.dtype == tangent.dtype == np.gradient(f, [0.0, 1.0, 2.0]).dtype
