"""`iterate`: the loop that it stands for, its derivatives, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.adjoints import Adjoint
from retrograd.errors import ArgumentError, NonFiniteError, NotReversibleError, ReversalError

STEPS = 7
ADJOINTS = [rg.Checkpointed(), rg.Checkpointed(2), rg.Checkpointed(memory="2 kB"), rg.Stored()]


def step(x: Any, params: Any, t: int) -> Any:
    """A forced pendulum."""
    angle, speed = x
    speed = speed - params["dt"] * (np.sin(angle) + params["force"] * np.cos(1.0 * t))
    return [angle + params["dt"] * speed, speed]


def written(x: Any, params: Any, t: int) -> Any:
    """The same, in place."""
    angle, speed = x
    speed -= params["dt"] * (np.sin(angle) + params["force"] * np.cos(1.0 * t))
    angle += params["dt"] * speed
    return [angle, speed]


def start() -> dict[str, Any]:
    return {
        "x0": [np.array([0.3, -1.2]), np.array([0.5, 0.1])],
        "params": {"dt": 0.25, "force": np.array([0.2, 0.4])},
    }


def energy(x: Any) -> Any:
    return np.sum(x[1] ** 2) / 2 - np.sum(np.cos(x[0]))


def iterated(step: Callable[..., Any], adjoint: Adjoint | None = None) -> Callable[[Any], Any]:
    return lambda p: energy(rg.iterate(step, p["x0"], p["params"], STEPS, adjoint=adjoint))


def looped(point: Any) -> Any:
    x = point["x0"]
    for t in range(STEPS):
        x = step(x, point["params"], t)
    return energy(x)


@pytest.mark.parametrize("adjoint", ADJOINTS, ids=repr)
@pytest.mark.parametrize("kind", [step, written], ids=lambda kind: kind.__name__)
def test_it_is_the_loop_and_so_is_its_derivative(kind: Any, adjoint: Adjoint) -> None:
    value, gradient = rg.value_and_grad(iterated(kind, adjoint))(start())
    expected_value, expected = rg.value_and_grad(looped)(start())
    assert value == expected_value
    for found, right in zip(rg.tree.leaves(gradient), rg.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-13, atol=1e-15)


def test_arguments_stay_as_they_are() -> None:
    point = start()
    rg.grad(iterated(written))(point)
    for x, y in zip(rg.tree.leaves(point), rg.tree.leaves(start()), strict=True):
        assert np.array_equal(x, y)


def test_the_result_is_an_array_of_its_own() -> None:
    target = np.array([1.0, 2.0])
    last = rg.iterate(lambda x, p, t: p, np.zeros(2), target, 2)
    assert np.array_equal(last, target)
    assert not np.shares_memory(last, target)


def test_float32_stays_float32() -> None:
    def last(rate: Any) -> Any:
        x0 = np.array([0.25, 0.5], np.float32)
        return np.sum(rg.iterate(lambda x, r, t: r * x * (1 - x), x0, rate, STEPS))

    value, gradient = rg.value_and_grad(last)(np.float32(2.5))
    assert (value.dtype, gradient.dtype) == (np.float32, np.float32)


def test_parameters_that_are_no_floats_have_no_derivative() -> None:
    def last(params: Any) -> Any:
        x = rg.iterate(lambda x, p, t: x * p["a"] ** p["n"], np.ones(1), params, 3)
        return np.sum(x)

    gradient = rg.grad(last)({"a": 0.5, "n": 2})
    assert gradient["a"] == pytest.approx(6 * 0.5**5)
    assert gradient["n"] is None


def steady(x: Any, params: Any, t: int) -> Any:
    return x * params


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": 3}, r"^step: 3 was given; give a function step\(x, params, t\)"),
        ({"x0": []}, "^x0: it holds no float array"),
        ({"steps": 0}, "^steps: 0 was given; give a whole number of at least 1"),
        ({"adjoint": "stored"}, "^adjoint: 'stored' was given; give an instance"),
        ({"step": lambda x, p, t: [x]}, "^step: at step 0 it returned another container"),
        ({"step": lambda x, p, t: x[:1]}, r"float64 of shape \(1,\) for .*; keep shapes and dty"),
        ({"step": lambda x, p, t: x.astype("f4")}, "float32 of shape .* which was float64"),
    ],
)
def test_what_is_refused(changes: Any, message: str) -> None:
    arguments = {"step": steady, "x0": np.ones(2), "params": 0.5, "steps": 3, **changes}
    with pytest.raises(ArgumentError, match=message):
        rg.iterate(**arguments)


def test_running_backwards_is_refused() -> None:
    with pytest.raises(NotReversibleError, match=r"iterate cannot .* has no known inverse"):
        rg.iterate(steady, np.ones(2), 0.5, 3, adjoint=rg.Reversible())


def test_a_traced_value_by_closure_is_refused() -> None:
    def last(rate: Any) -> Any:
        return np.sum(rg.iterate(lambda x, p, t: x * rate, np.ones(2), None, 3))

    with pytest.raises(ArgumentError, match=r"by closure.*pass that value to iterate as params"):
        rg.grad(last)(0.5)


def test_a_map_that_is_not_deterministic_is_refused() -> None:
    rng = np.random.default_rng(0)

    def last(rate: Any) -> Any:
        return np.sum(rg.iterate(lambda x, p, t: p * x + rng.normal(), np.ones(2), rate, 3))

    with pytest.raises(ReversalError, match="not a deterministic function"):
        rg.grad(last)(0.5)


def test_an_adjoint_that_is_not_finite_is_refused() -> None:
    def last(x0: Any) -> Any:
        return np.sum(rg.iterate(lambda x, p, t: np.sqrt(x), x0, None, 2))

    with (
        np.errstate(all="ignore"),
        pytest.raises(NonFiniteError, match="adjoint is not finite"),
    ):
        rg.grad(last)(np.zeros(2))
