"""Differential equations and integrals: against solutions in closed form, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.integrate

import retrograd as rg
from retrograd import grad, jacobian, jvp, value_of
from retrograd.errors import DifferentiationError, InterceptionError, MissingRuleError
from retrograd.scipy.integrate import cumulative_trapezoid, odeint, quad, solve_ivp
from retrograd.scipy.linalg import expm
from retrograd.testing import check_grads

EXACT: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-11}
TIMES = np.array([0.0, 0.5, 1.2])


def decay(y, t, rate):
    return -rate * y


def decay_first_time(t, y, rate):
    return -rate * y


def test_odeint_of_plain_values_is_scipys() -> None:
    expected = scipy.integrate.odeint(decay, 1.0, TIMES, (2.0,))
    np.testing.assert_array_equal(odeint(decay, 1.0, TIMES, (2.0,)), expected)


def test_odeint_meets_the_closed_form_in_everything() -> None:
    def last(y0, rate, t):
        return odeint(decay, y0, t, (rate,), **EXACT)[-1, 0]

    found = grad(last, (0, 1, 2))(2.0, 0.7, TIMES)
    e = np.exp(-0.7 * 1.2)
    np.testing.assert_allclose(found[0], e, rtol=1e-7)
    np.testing.assert_allclose(found[1], -1.2 * 2 * e, rtol=1e-7)
    np.testing.assert_allclose(found[2], [1.4 * e, 0.0, -1.4 * e], rtol=1e-7, atol=1e-9)


def test_odeint_takes_containers_and_lists() -> None:
    def hunt(y, t, p):
        return [y[0] * (p["birth"] - y[1]), y[1] * (y[0] - p["death"][0])]

    def at(p):
        return odeint(hunt, [1.0, 0.7], TIMES, (p,), **EXACT)

    check_grads(at, {"birth": 1.1, "death": (0.8,)}, order=1)


def test_odeint_without_a_tuple_around_the_parameter() -> None:
    found = grad(lambda k: odeint(decay, 1.0, [0.0, 1.0], k)[-1, 0])(2.0)
    np.testing.assert_allclose(found, -np.exp(-2.0), rtol=1e-5)


def test_odeint_of_single_precision() -> None:
    y0 = np.array([1.0, 2.0], np.float32)
    found = grad(lambda y0: np.sum(odeint(decay, y0, TIMES, (2.0,))))(y0)
    assert found.dtype == np.float32


def test_small_directions_are_as_accurate_as_large_ones() -> None:
    # The solver's absolute tolerance would not see them.
    _, tangent = jvp(lambda k: odeint(decay, 1.0, [0.0, 1.0], (k,))[-1, 0], (2.0,), (1e-12,))
    np.testing.assert_allclose(tangent, -1e-12 * np.exp(-2.0), rtol=1e-5)
    found = grad(lambda k: 1e-12 * odeint(decay, 1.0, [0.0, 1.0], (k,))[-1, 0])(2.0)
    np.testing.assert_allclose(found, -1e-12 * np.exp(-2.0), rtol=1e-5)


def test_stiff_equations_are_followed_backwards_from_points_in_between() -> None:
    def pulled(y, t, rate):
        return -rate * (y - np.cos(t))

    def last(rate):
        return odeint(pulled, 0.0, [0.0, 1.0], (rate,), **EXACT)[-1, 0]

    found, (_, forward) = grad(last)(50.0), jvp(last, (50.0,), (1.0,))
    np.testing.assert_allclose(found, forward, rtol=1e-5)


def test_what_cannot_be_followed_backwards_raises() -> None:
    # What has come to rest does not tell when.
    def stopping(y, t, rate):
        return np.where(y > 0, -rate, 0.0) * np.ones(1)

    def last(rate):
        return np.sum(odeint(stopping, 1.0, [0.0, 2.0], (rate,))[-1])

    with pytest.raises(DifferentiationError, match="cannot be followed backwards"):
        grad(last)(0.9)


def test_odeint_names_a_captured_traced_value() -> None:
    with pytest.raises(
        InterceptionError, match=r"odeint: the function uses a traced value .* args="
    ):
        grad(lambda k: odeint(lambda y, t: -k * y, 1.0, [0.0, 1.0])[-1, 0])(2.0)
    # also beside one that is passed
    with pytest.raises(InterceptionError, match="odeint: the function uses a traced value"):
        grad(lambda k: odeint(lambda y, t, p: -k * p * y, 1.0, [0.0, 1.0], (k,))[-1, 0])(2.0)


def test_odeint_refuses_full_output_and_reports_failure() -> None:
    with pytest.raises(MissingRuleError, match="odeint: no derivative rule covers full_output"):
        grad(lambda k: odeint(decay, 1.0, TIMES, (k,), full_output=True)[0][-1, 0])(2.0)
    with pytest.raises(DifferentiationError, match=r"odeint: .* was not solved"):
        grad(lambda k: odeint(decay, 1.0, [0.0, 1e6], (k,), mxstep=2)[-1, 0])(2.0)


@pytest.mark.parametrize("method", ["RK45", "DOP853", "Radau", "BDF", "LSODA"])
def test_solve_ivp_with_every_method(method: str) -> None:
    def last(rate):
        found = solve_ivp(
            decay_first_time, (0.0, 1.0), [1.0], method, args=(rate,), rtol=1e-8, atol=1e-9
        )
        return found.y[0, -1]

    np.testing.assert_allclose(grad(last)(2.0), -np.exp(-2.0), rtol=1e-5)
    np.testing.assert_allclose(jvp(last, (2.0,), (1.0,))[1], -np.exp(-2.0), rtol=1e-5)


def test_solve_ivp_at_given_times() -> None:
    def at(y0, times, start, rate):
        return solve_ivp(
            decay_first_time, (start, 1.5), y0, "DOP853", t_eval=times, args=(rate,), **EXACT
        ).y

    check_grads(at, np.array([1.0, -0.4]), TIMES[1:], 0.1, 0.7, order=1)


def test_solve_ivp_gives_scipys_values_and_report() -> None:
    kept = {}

    def last(rate):
        kept["found"] = solve_ivp(decay_first_time, (0.0, 1.0), [1.0], args=(rate,))
        return kept["found"].y[0, -1]

    grad(last)(2.0)
    expected = scipy.integrate.solve_ivp(decay_first_time, (0.0, 1.0), [1.0], args=(2.0,))
    found = kept["found"]
    np.testing.assert_allclose(value_of(found.t), expected.t)
    np.testing.assert_allclose(value_of(found.y), expected.y, rtol=1e-12)
    assert (found.success, found.status, found.nfev) == (True, expected.status, expected.nfev)


def test_solve_ivp_ends_where_it_is_told_to() -> None:
    def last(end, rate):
        return solve_ivp(decay_first_time, (0.0, end), [1.0], args=(rate,), **EXACT).y[0, -1]

    found = grad(last, (0, 1))(1.2, 0.7)
    np.testing.assert_allclose(found, [-0.7 * np.exp(-0.84), -1.2 * np.exp(-0.84)], rtol=1e-6)


def test_solve_ivp_backwards_in_time() -> None:
    def last(rate):
        return solve_ivp(decay_first_time, (1.0, 0.0), [1.0], args=(rate,), **EXACT).y[0, -1]

    np.testing.assert_allclose(grad(last)(0.7), np.exp(0.7), rtol=1e-6)


def test_solve_ivp_of_complex_states() -> None:
    def turn(t, y, speed):
        return 1j * speed * y

    def last(y0, speed):
        return solve_ivp(turn, (0.0, 1.0), y0, "DOP853", args=(speed,), **EXACT).y[:, -1]

    check_grads(last, np.array([1.0 + 0.5j, -0.3j]), 0.7, order=1)


def test_second_derivatives_of_a_solution() -> None:
    def last(rate):
        return odeint(decay, 1.0, [0.0, 1.0], (rate,), **EXACT)[-1, 0]

    for outer in (grad, lambda f: lambda x: jvp(f, (x,), (1.0,))[1]):
        np.testing.assert_allclose(outer(grad(last))(0.7), np.exp(-0.7), rtol=1e-6)


@pytest.mark.parametrize(
    ("option", "message"),
    [({"dense_output": True}, "dense_output"), ({"events": lambda t, y, k: y[0]}, "events")],
)
def test_solve_ivp_refuses(option, message: str) -> None:
    with pytest.raises(MissingRuleError, match=f"solve_ivp: no derivative rule covers {message}"):
        grad(
            lambda k: solve_ivp(decay_first_time, (0.0, 1.0), [1.0], args=(k,), **option).y[0, -1]
        )(2.0)


def test_solve_ivp_names_a_captured_traced_value() -> None:
    with pytest.raises(InterceptionError, match="solve_ivp: the function uses a traced value"):
        grad(lambda k: solve_ivp(lambda t, y: -k * y, (0.0, k), [1.0]).y[0, -1])(2.0)


def wave(x, k):
    return np.exp(-k[0] * x) * np.cos(k[1] * x)


def test_quad_in_limits_and_parameters() -> None:
    check_grads(lambda a, b, k: quad(wave, a, b, (k,))[0], 0.3, 1.2, np.array([0.5, 2.0]))


def test_quad_over_a_half_line() -> None:
    # exp(-a x) cos(b x) has the integral a / (a^2 + b^2)
    k = np.array([0.5, 2.0])
    found = grad(lambda k: quad(wave, 0.0, np.inf, (k,))[0])(k)
    square = np.sum(k**2)
    np.testing.assert_allclose(
        found, [(4.0 - 0.25) / square**2, -2 * 0.5 * 2.0 / square**2], rtol=1e-6
    )


def test_quad_refuses_what_it_does_not_cover() -> None:
    with pytest.raises(MissingRuleError, match="quad: no derivative rule covers weight"):
        grad(lambda b: quad(np.cos, 0.0, b, weight="sin", wvar=1.0)[0])(1.0)
    with pytest.raises(InterceptionError, match="quad: the function uses a traced value"):
        grad(lambda k: quad(lambda x: k * x, 0.0, k)[0])(1.0)
    with pytest.raises(DifferentiationError, match="limit at inf"):
        grad(lambda b: quad(lambda x: np.exp(-x), 0.0, b)[0])(np.inf)


def test_quad_gives_the_error_of_scipy_as_a_number() -> None:
    kept = {}

    def area(b):
        value, kept["error"] = quad(np.cos, 0.0, b)
        return value

    assert grad(area)(1.0) == np.cos(1.0)
    assert kept["error"] == scipy.integrate.quad(np.cos, 0.0, 1.0)[1]


def test_cumulative_trapezoid_takes_zero_alone_as_its_start() -> None:
    with pytest.raises(ValueError, match="cumulative_trapezoid: initial=1"):
        grad(lambda y: np.sum(cumulative_trapezoid(y, initial=1)))(np.ones(3))


def test_drop_in_namespace() -> None:
    assert rg.scipy.integrate.dblquad is scipy.integrate.dblquad
    assert "odeint" in dir(rg.scipy.integrate)
    np.testing.assert_allclose(jacobian(rg.scipy.integrate.trapezoid)(np.ones(3)), [0.5, 1.0, 0.5])


def test_odeint_at_a_single_time_is_the_start() -> None:
    def f(y0):
        return np.sum(odeint(decay, y0, np.zeros(2), (1.0,)))

    assert grad(f)(1.5) == 2.0


def test_options_by_position_as_in_scipy() -> None:
    found = grad(lambda k: quad(lambda x, k: np.exp(-k * x), 0.0, 1.0, (k,), 0, 1e-10)[0])(2.0)
    np.testing.assert_allclose(found, 0.75 * np.exp(-2.0) - 0.25)
    np.testing.assert_array_equal(
        odeint(decay, 1.0, TIMES, (2.0,), None, 0, 0),
        scipy.integrate.odeint(decay, 1.0, TIMES, (2.0,)),
    )
    with pytest.raises(TypeError, match="quad: 20 arguments were given by position"):
        quad(*range(20))


@pytest.mark.parametrize("times", [(0.0, 2.0), (2.0, 0.0), (1.0, -1.0)])
def test_linear_equations_in_both_directions_of_time(times: tuple[float, float]) -> None:
    """Everything at once, against the matrix exponential: state, matrix, both ends."""
    matrix, start = np.array([[-0.5, 1.0], [-1.0, -0.3]]), np.array([1.0, -2.0])

    def exact(y0, a, first, last):
        return expm(a * (last - first)) @ y0

    def by_odeint(y0, a, first, last):
        return odeint(lambda y, t, a: a @ y, y0, np.stack([first, last]), (a,), **EXACT)[-1]

    def by_ivp(y0, a, first, last):
        span = (first, last)
        return solve_ivp(lambda t, y, a: a @ y, span, y0, args=(a,), **EXACT).y[:, -1]

    places = (0, 1, 2, 3)
    wanted = jacobian(exact, places)(start, matrix, *times)
    for f in (by_odeint, by_ivp):
        for found, one in zip(jacobian(f, places)(start, matrix, *times), wanted, strict=True):
            np.testing.assert_allclose(found, one, atol=1e-6)
