"""Polynomials: what plain NumPy does not let in, multiple roots, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd.numpy as rnp
from retrograd import grad, jacobian, jvp
from retrograd.errors import DifferentiationError, InterceptionError, MissingRuleError
from retrograd.testing import check_grads

P = np.array([1.2, -0.4, 0.7])


def test_constants_of_integration() -> None:
    check_grads(lambda k: rnp.polyint(P, 2, k), np.array([0.3, -0.8]))
    check_grads(lambda k: rnp.polyint(P, 2, k), 0.4)
    with pytest.raises(ValueError, match="polyint: k has 2 constants"):
        grad(lambda k: rnp.sum(rnp.polyint(P, 3, k)))(np.ones(2))


def test_a_list_of_traced_coefficients() -> None:
    check_grads(lambda a, b: rnp.polyval([a, 1.0, b], np.array([0.3, 0.4])), 0.7, -0.2)


def test_roots_by_the_implicit_function_theorem() -> None:
    # of x^2 - s x + p with roots 1 and 3: dr/ds = r/(2r - s), dr/dp = -1/(2r - s)
    found = jacobian(np.roots)(np.array([1.0, -4.0, 3.0]))
    np.testing.assert_allclose(found[:, 1:], [[-1.5, -0.5], [0.5, 0.5]])


def test_a_leading_zero_leaves_the_derivatives_of_the_other_roots() -> None:
    _, slope = jvp(np.roots, (np.array([0.0, 2.0, -4.0]),), (np.array([0.0, 0.0, 1.0]),))
    np.testing.assert_allclose(slope, [-0.5])


@pytest.mark.parametrize("p", [[1.0, 0.0, 0.0], [1.0, 2.0, 1.0]])
def test_multiple_roots_are_refused(p: list[float]) -> None:
    with pytest.raises(DifferentiationError, match="a multiple root is not a differentiable"):
        grad(lambda p: np.sum(np.real(np.roots(p))))(np.array(p))


def test_polyfit_recovers_what_it_fitted() -> None:
    x = np.array([-1.0, -0.2, 0.4, 1.1])
    found = jacobian(lambda p: np.polyfit(x, np.polyval(p, x), 2))(P)
    np.testing.assert_allclose(found, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("option", [{"full": True}, {"cov": True}])
def test_polyfit_refuses_its_other_results(option: Any) -> None:
    with pytest.raises(MissingRuleError, match="polyfit: no derivative rule covers full=True"):
        grad(lambda y: np.polyfit(np.arange(4.0), y, 1, **option)[0][0])(np.ones(4))


def test_polyfit_refuses_what_the_points_do_not_determine() -> None:
    with pytest.raises(DifferentiationError, match="the points determine only 1 of 2"):
        grad(lambda y: np.polyfit(np.ones(4), y, 1)[0])(np.ones(4))


def test_polydiv_divides_by_a_number() -> None:
    check_grads(lambda u, v: np.polydiv(u, v)[0], P, np.array([0.8]), order=1)


def test_polynomial_objects_are_right_or_refused() -> None:
    def at_two(p):
        return np.poly1d(p)(2.0)

    try:
        np.testing.assert_allclose(grad(at_two)(P), [4.0, 2.0, 1.0])
    except InterceptionError as error:
        assert "retrograd" in str(error)  # noqa: PT017  # either is right, silence is not
    with pytest.raises(MissingRuleError, match="x is a poly1d"):
        grad(lambda p: np.sum(np.polyval(p, np.poly1d([1.0, 2.0]))))(P)


FAMILIES = {
    "chebyshev": "cheb", "legendre": "leg", "hermite": "herm", "hermite_e": "herme",
    "laguerre": "lag", "polynomial": "poly",
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_series_have_the_slopes_that_numpy_knows(family: str) -> None:
    plain, traced = getattr(np.polynomial, family), getattr(rnp.polynomial, family)
    name = FAMILIES[family]
    value, derivative = getattr(plain, f"{name}val"), getattr(plain, f"{name}der")
    found = grad(lambda x: getattr(traced, f"{name}val")(x, P))(0.3)
    np.testing.assert_allclose(found, value(0.3, derivative(P)))


def test_plain_series_refuse_traced_values() -> None:
    with pytest.raises(InterceptionError):
        grad(lambda c: np.polynomial.chebyshev.chebval(0.3, c))(P)
