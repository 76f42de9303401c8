"""The programs against the textbook's formulas, in floats and on the lattice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg

STEPS = 200
RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(30, 4))
TARGETS = np.sin(INPUTS @ RNG.normal(size=4)) + 0.1 * RNG.normal(size=30)


def loss(w: Any, hyper: Any, step: int) -> Any:
    """A small network's regression, on ten examples a step."""
    chosen = (np.arange(10) + 10 * step) % 30
    hidden = np.tanh(INPUTS[chosen] @ w["W"])
    return np.mean((hidden @ w["u"] - TARGETS[chosen]) ** 2)


def start() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {"W": rng.normal(size=(4, 5)) / 2, "u": rng.normal(size=5) / 2}


def gradient(w: Any, step: int) -> Any:
    return rg.grad(loss)(w, None, step)


def momentum_by_the_book(rate: float, momentum: float, dampening: float, steps: int) -> Any:
    w = start()
    v = {name: np.zeros_like(x) for name, x in w.items()}
    for t in range(steps):
        g = gradient(w, t)
        for name in w:
            v[name] = momentum * v[name] - (1 - dampening) * g[name]
            w[name] = w[name] + rate * v[name]
    return w


def adam_by_the_book(rate: float, beta1: float, beta2: float, epsilon: float, steps: int) -> Any:
    w = start()
    m = {name: np.zeros_like(x) for name, x in w.items()}
    s = {name: np.zeros_like(x) for name, x in w.items()}
    for t in range(1, steps + 1):
        g = gradient(w, t - 1)
        for name in w:
            m[name] = beta1 * m[name] + (1 - beta1) * g[name]
            s[name] = beta2 * s[name] + (1 - beta2) * g[name] ** 2
            corrected = m[name] / (1 - beta1**t), s[name] / (1 - beta2**t)
            w[name] = w[name] - rate * corrected[0] / (np.sqrt(corrected[1]) + epsilon)
    return w


CASES = [
    (rg.Momentum(0.1, 0.9), lambda n: momentum_by_the_book(0.1, 0.9, 0.0, n)),
    (rg.Momentum(0.3, 0.8, 0.8), lambda n: momentum_by_the_book(0.3, 0.8, 0.8, n)),
    (rg.Adam(0.01), lambda n: adam_by_the_book(0.01, 0.9, 0.999, 1e-8, n)),
    (
        rg.Adam(0.02, beta1=0.5, beta2=0.9, epsilon=1e-3),
        lambda n: adam_by_the_book(0.02, 0.5, 0.9, 1e-3, n),
    ),
]
cases = pytest.mark.parametrize(("optimizer", "book"), CASES)


@cases
def test_in_floats(optimizer: Any, book: Any) -> None:
    found = rg.train_in_floats(loss, start(), None, optimizer, STEPS)
    for name, expected in book(STEPS).items():
        assert found[name] == pytest.approx(expected, rel=1e-11)


@cases
@pytest.mark.parametrize("adjoint", [rg.Reversible(), rg.Stored()], ids=repr)
def test_on_the_lattice(optimizer: Any, book: Any, adjoint: Any) -> None:
    found = rg.train(loss, start(), None, optimizer, STEPS, adjoint=adjoint)
    for name, expected in book(STEPS).items():
        assert np.abs(found[name] - expected).max() < 1e-6 * np.abs(expected).max()


@cases
def test_training_helps(optimizer: Any, book: Any) -> None:
    seen = rg.Diagnostics()
    rg.train(loss, start(), None, optimizer, STEPS, diagnostics=seen)
    assert np.mean(seen.losses[-3:]) < 0.5 * np.mean(seen.losses[:3])


def test_one_update_of_momentum() -> None:
    optimizer = rg.Momentum(0.5, 0.25, 0.75)
    slots = {"weights": np.array([1.0]), "velocity": np.array([2.0])}
    given = optimizer.hyperparameters()
    found = optimizer.update(slots, np.array([4.0]), given, 0, np.sqrt)
    assert found["velocity"] == 0.25 * 2 - 0.25 * 4
    assert found["weights"] == 1 + 0.5 * found["velocity"]
    assert slots["velocity"] == 2.0


def test_one_update_of_adam() -> None:
    optimizer = rg.Adam(0.5, beta1=0.5, beta2=0.75, epsilon=0.125)
    slots = {"weights": np.array([1.0]), "first": np.array([2.0]), "second": np.array([8.0])}
    found = optimizer.update(slots, np.array([4.0]), optimizer.hyperparameters(), 1, np.sqrt)
    assert found["first"] == 0.5 * 2 + 0.5 * 4
    assert found["second"] == 0.75 * 8 + 0.25 * 16
    first, second = 3.0 / (1 - 0.5**2), 10.0 / (1 - 0.75**2)
    assert found["weights"] == pytest.approx(1 - 0.5 * first / (np.sqrt(second) + 0.125))


def test_the_first_step_of_adam_where_a_gradient_is_zero() -> None:
    """The root of a second moment of zero: the step is 0, and so is its derivative, not NaN."""

    def final(rate: Any) -> Any:
        return rg.train(
            lambda w, hyper, step: np.sum(w * np.array([0.0, 1.0])),
            np.zeros(2),
            None,
            rg.Adam(rate),
            3,
        )

    w, pullback = rg.vjp(final, 0.1)
    assert w == pytest.approx([0.0, -0.3])
    assert pullback(np.array([1.0, 0.0]))[0] == 0.0
    assert rg.vjp(final, 0.1)[1](np.array([0.0, 1.0]))[0] == pytest.approx(-3.0)
