"""`check_hypergradient`: what it confirms, what it refutes, and where it says that it cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ArgumentError
from retrograd.training.check import check_hypergradient

SEEDS = range(3)


def point() -> dict[str, Any]:
    return {"w": np.array([0.3, -0.5, 0.9]), "scale": np.array([1.0, 0.5, 0.25]), "rate": 0.05}


def trained(steps: int, kind: Any = rg.Momentum) -> Callable[[Any], Any]:
    def loss(w: Any, hyper: Any, step: int) -> Any:
        return np.sum(np.cos(3 * w + step) * hyper) + np.sum(w * w)

    def objective(x: Any) -> Any:
        return np.sum(np.sin(rg.train(loss, x["w"], x["scale"], kind(x["rate"]), steps)))

    return objective


@pytest.mark.parametrize("kind", [rg.Momentum, rg.Adam])
@pytest.mark.parametrize("steps", [1, 25])
def test_a_right_gradient_agrees(kind: Any, steps: int) -> None:
    for seed in SEEDS:
        found = check_hypergradient(trained(steps, kind), point(), seed=seed)
        assert found.verdict == "agrees"
        assert abs(found.slope - found.difference) <= 1e-6 * found.norm


@pytest.mark.parametrize("factor", [1.001, 0.99, -1.0, 0.0])
def test_a_gradient_that_is_off_by_a_factor_disagrees(factor: float) -> None:
    objective = trained(20)
    gradient = rg.tree.map(lambda bar: factor * bar, rg.grad(objective)(point()))
    for seed in SEEDS:
        found = check_hypergradient(objective, point(), gradient, seed=seed)
        assert found.verdict == "disagrees"
        assert "apart" in str(found)


def test_a_gradient_with_one_wrong_leaf_disagrees() -> None:
    objective = trained(20)
    gradient = rg.grad(objective)(point())
    gradient["scale"] = gradient["scale"] * 1.01
    for seed in SEEDS:
        assert check_hypergradient(objective, point(), gradient, seed=seed).verdict == "disagrees"


def noisy(noise: float) -> Callable[[Any], float]:
    rng = np.random.default_rng(0)
    return lambda x: float(np.sum(x**2)) + noise * rng.normal()


def test_noise_that_hides_the_answer_is_inconclusive() -> None:
    x = np.ones(3)
    for seed in SEEDS:
        found = check_hypergradient(noisy(1e-3), x, 2 * x, seed=seed)
        assert found.verdict == "inconclusive"
        assert 1e-4 < found.noise < 1e-1
        assert "too rough to decide" in str(found)


def test_noise_that_hides_little_decides() -> None:
    x = np.ones(3)
    assert check_hypergradient(noisy(1e-9), x, 2 * x).verdict == "agrees"
    assert check_hypergradient(noisy(1e-9), x, 2.02 * x).verdict == "disagrees"
    assert check_hypergradient(noisy(1e-3), x, -2 * x).verdict == "disagrees"


def logistic(steps: int) -> Callable[[Any], Any]:
    return lambda rate: rg.iterate(
        lambda x, rate, t: rate * x * (1 - x), np.array([0.3]), rate, steps
    )[0]


@pytest.mark.parametrize(
    ("steps", "verdict"), [(10, "agrees"), (25, "agrees"), (60, "inconclusive")]
)
def test_chaos_is_inconclusive_when_it_has_outgrown_every_step(steps: int, verdict: str) -> None:
    """At a rate of 3.9 the logistic map doubles a change with every 1.4 steps."""
    for seed in SEEDS:
        assert check_hypergradient(logistic(steps), 3.9, seed=seed).verdict == verdict


def test_an_objective_that_is_nowhere_finite_is_inconclusive() -> None:
    assert check_hypergradient(lambda x: float("nan"), 1.0, 1.0).verdict == "inconclusive"


def test_an_objective_that_does_not_move() -> None:
    assert check_hypergradient(lambda x: 3.0, 1.0, 0.0).verdict == "agrees"
    assert check_hypergradient(lambda x: 3.0, 1.0, 0.1).verdict == "disagrees"


def test_the_printout_has_the_numbers() -> None:
    text = str(check_hypergradient(trained(5), point()))
    assert text.startswith("agrees: along a random direction the gradient gives")
    assert "central differences" in text
    assert "noise of the objective" in text


@pytest.mark.parametrize(
    ("x", "gradient"), [({"n": 3}, None), ([], None), (np.ones(3), np.ones(2)), (1.0, [1.0])]
)
def test_arguments_that_do_not_fit(x: Any, gradient: Any) -> None:
    with pytest.raises(ArgumentError, match=r"check_hypergradient: .*give a container"):
        check_hypergradient(lambda x: 0.0, x, gradient)
