"""Solutions of equations: closed forms, values of SciPy, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

from retrograd import grad, jacobian, value_of
from retrograd.errors import DifferentiationError, InterceptionError, MissingRuleError
from retrograd.scipy import optimize
from retrograd.testing import check_grads


def square(x, a):
    return x * x - a


def coupled(x, p):
    return [x[0] ** 2 + p["a"] * x[1] - 2.0, x[1] ** 3 - p["b"][0]]


def bowl(x, a):
    return np.sum((x - a) ** 4) + np.sum(x**2) + x[0] * x[1]


def slope(x, a):
    return 4 * (x - a) ** 3 + 2 * x + x[::-1]


def test_root_of_a_system_with_containers() -> None:
    def solve(p):
        return optimize.root(coupled, np.ones(2), (p,), tol=1e-13).x

    check_grads(solve, {"a": 0.7, "b": [1.3]})


@pytest.mark.parametrize("method", ["hybr", "lm", "broyden1", "krylov"])
def test_root_with_several_methods(method: str) -> None:
    found = grad(lambda a: optimize.root(square, np.ones(1), (a,), method, tol=1e-12).x[0])(4.0)
    np.testing.assert_allclose(found, 0.25, rtol=1e-8)


def test_root_uses_the_jacobian_that_it_is_given() -> None:
    calls = []

    def derivative(x, a):
        calls.append(a)
        return np.diag(2 * x)

    found = grad(lambda a: optimize.root(square, np.ones(1), (a,), jac=derivative).x[0])(4.0)
    np.testing.assert_allclose(found, 0.25)
    assert set(calls) == {4.0}


def test_root_gives_the_report_and_values_of_scipy() -> None:
    kept = {}

    def solve(a):
        kept["found"] = optimize.root(square, np.ones(1), (a,))
        return kept["found"].x[0]

    grad(solve)(4.0)
    expected = scipy.optimize.root(square, np.ones(1), (4.0,))
    np.testing.assert_array_equal(value_of(kept["found"].x), expected.x)
    assert kept["found"].success is True
    assert kept["found"].nfev == expected.nfev
    assert "fjac" not in kept["found"]  # it would be a constant that is none


def test_the_start_has_no_influence() -> None:
    assert grad(lambda x0: optimize.root(square, np.stack([x0]), (4.0,)).x[0] * 1.0)(1.3) == 0.0


def test_what_is_not_found_is_not_differentiated() -> None:
    with pytest.raises(DifferentiationError, match="root: no solution was found"):
        grad(lambda a: optimize.root(lambda x, a: x * x + a, np.ones(1), (a,)).x[0])(1.0)
    with pytest.raises(DifferentiationError, match="minimize: no solution was found"):
        grad(lambda a: optimize.minimize(bowl, np.ones(2), (a,), options={"maxiter": 1}).x[0])(0.7)


def test_a_double_root_has_no_derivative() -> None:
    def touching(x, a):
        return (x - a) ** 2

    with pytest.raises(DifferentiationError, match="the solution is not isolated"):
        grad(lambda a: optimize.root(touching, np.array([1.0]), (a,)).x[0])(1.0)


SOLVERS = {
    "root": lambda f, *args: optimize.root(f, np.ones(1), args).x[0],
    "fsolve": lambda f, *args: optimize.fsolve(f, 1.0, args)[0],
    "fixed_point": lambda f, *args: optimize.fixed_point(lambda x, *p: x - f(x, *p), 1.0, args),
    "newton": lambda f, *args: optimize.newton(f, 1.0, args=args),
    "brentq": lambda f, *args: optimize.brentq(f, 0.0, 9.0, args),
    "root_scalar": lambda f, *args: optimize.root_scalar(f, args, bracket=(0.0, 9.0)).root,
}


@pytest.mark.parametrize("name", SOLVERS)
def test_a_captured_traced_value_is_named(name: str) -> None:
    with pytest.raises(InterceptionError, match=f"{name}: the function uses a traced value"):
        grad(lambda a: SOLVERS[name](lambda x, b: 0.2 * (x * x - a), a))(2.0)


@pytest.mark.parametrize("name", SOLVERS)
def test_square_roots(name: str) -> None:
    def solve(a):
        return SOLVERS[name](lambda x, a: 0.2 * (x * x - a), a)

    np.testing.assert_allclose(grad(solve)(4.0), 0.25, rtol=1e-6)
    np.testing.assert_allclose(grad(grad(solve))(4.0), -1 / 32, rtol=1e-6)


def test_a_fixed_point_of_a_contraction_with_matrix_parameters() -> None:
    matrix = np.array([[0.3, 0.1], [-0.2, 0.4]])

    def settle(matrix, b):
        return optimize.fixed_point(
            lambda x, m, b: np.tanh(m @ x + b), np.zeros(2), (matrix, b), xtol=1e-13
        )

    check_grads(settle, matrix, np.array([0.5, -0.3]))


def test_minimum_and_its_place() -> None:
    def found(a):
        report = optimize.minimize(bowl, np.zeros(2), (a,), jac=slope, tol=1e-12)
        return report.x, report.fun

    check_grads(found, np.array([0.7, 0.4]), tolerance=1e-4)


def test_minimize_with_a_pair_of_value_and_gradient() -> None:
    def both(x, a):
        return bowl(x, a), slope(x, a)

    a = np.array([0.7, 0.4])
    pair = jacobian(lambda a: optimize.minimize(both, np.zeros(2), (a,), jac=True, tol=1e-12).x)(a)
    one = jacobian(lambda a: optimize.minimize(bowl, np.zeros(2), (a,), jac=slope, tol=1e-12).x)(a)
    np.testing.assert_allclose(pair, one, rtol=1e-6)


def test_what_lies_on_a_bound_stays() -> None:
    def place(a):
        return optimize.minimize(
            lambda x, a: np.sum((x - a) ** 2), np.zeros(2), (a,), bounds=[(None, 1.0), (0.0, None)],
            tol=1e-12,
        ).x  # fmt: skip

    np.testing.assert_allclose(jacobian(place)(np.array([2.0, 2.0])), [[0, 0], [0, 1]], atol=1e-6)


def test_refusals() -> None:
    with pytest.raises(MissingRuleError, match="minimize: no derivative rule covers constraints"):
        grad(lambda a: optimize.minimize(bowl, np.zeros(2), (a,), constraints=[{}]).x[0])(1.0)
    with pytest.raises(MissingRuleError, match="root: no derivative rule covers jac=True"):
        grad(lambda a: optimize.root(square, 1.0, (a,), jac=True).x[0])(1.0)
    for solve in (optimize.brentq, optimize.bisect):
        with pytest.raises(MissingRuleError, match="full_output=True"):
            grad(lambda a, solve=solve: solve(square, 0.0, 9.0, (a,), full_output=True)[0])(1.0)


def test_plain_values_go_to_scipy() -> None:
    assert optimize.brentq(square, 0.0, 9.0, (4.0,)) == scipy.optimize.brentq(
        square, 0.0, 9.0, (4.0,)
    )
    assert optimize.curve_fit is scipy.optimize.curve_fit
    root, report = optimize.brentq(square, 0.0, 9.0, (4.0,), full_output=True)
    assert report.converged
    assert root == report.root


def test_options_by_position_as_in_scipy() -> None:
    found = grad(lambda a: optimize.brentq(square, 0.0, 9.0, (a,), 1e-12, 1e-14))(4.0)
    np.testing.assert_allclose(found, 0.25)
    found = grad(lambda a: optimize.fixed_point(lambda x, a: np.cos(a * x), 1.0, (a,), 1e-12))(1.0)
    x = scipy.optimize.fixed_point(np.cos, 1.0, xtol=1e-12)
    np.testing.assert_allclose(found, -np.sin(x) * x / (1 + np.sin(x)))
