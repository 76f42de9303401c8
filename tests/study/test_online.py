"""T1-T2: the hypergradient of each elementary step, and the hyper-step after it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ArgumentError, NonFiniteError
from retrograd.optimizers import SGD, Adam, Averaged, Momentum
from retrograd.study import descend_online

W0 = {"a": np.array([0.5, -1.0]), "b": np.array(0.25)}
HYPER = {"decay": np.array(0.3), "log_rate": np.array(-2.0)}


def loss(w: Any, hyper: Any, step: int) -> Any:
    fit = np.sum(np.cos(w["a"] + 0.1 * step) * w["b"])
    return fit + hyper["decay"] * (np.sum(w["a"] ** 2) + w["b"] ** 2)


def validation(w: Any, step: int) -> Any:
    return np.sum(np.sin(w["a"] * w["b"])) + 0.01 * step * w["b"]


def optimizer(hyper: Any) -> Any:
    return Momentum(np.exp(hyper["log_rate"]), 0.5)


def path(steps: int, meta: Any, optimizer: Any = optimizer) -> Any:
    return list(descend_online(loss, validation, W0, HYPER, optimizer, meta, steps))


MAKERS = {
    "single numbers": optimizer,
    "a rate per leaf": lambda h: Momentum(rg.per_leaf(np.exp(h["log_rate"] * np.ones(2))), 0.5),
    "a rate per element": lambda h: Momentum({"a": h["decay"] * np.ones(2), "b": 0.1}, 0.5),
    "a rate per step": lambda h: Momentum(rg.per_step(np.exp(h["log_rate"] * np.ones(1))), 0.5),
    "an average": lambda h: Averaged(Momentum(np.exp(h["log_rate"]), 0.5), h["decay"]),
    "a root": lambda h: Adam(np.exp(h["log_rate"])),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_first_hypergradient_is_that_of_a_training_of_one_step(make: Any) -> None:
    def trained(hyper: Any) -> Any:
        w = rg.train(loss, W0, hyper, make(hyper), 1, adjoint=rg.Stored())
        return validation(w, 0)

    expected = rg.grad(trained)(HYPER)
    (found,) = path(1, SGD(0.1), make)
    for name, value in expected.items():
        assert found.hypergradient[name] == pytest.approx(value, rel=1e-9)
    assert found.value == pytest.approx(trained(HYPER), rel=1e-9)


def test_still_hyperparameters_train_as_ever() -> None:
    rates = rg.per_step(np.linspace(0.2, 0.05, 6))
    make = lambda hyper: Averaged(Adam(rates), 0.75)  # noqa: E731
    found = path(6, SGD(0.0), make)[-1].w
    expected = rg.train_in_floats(loss, W0, HYPER, make(HYPER), 6)
    for name, leaf in expected.items():
        assert found[name] == pytest.approx(leaf, rel=1e-12)


def test_a_root_at_zero_has_a_derivative() -> None:
    """A gradient that is exactly zero, as that of a weight behind a black pixel."""
    judged = lambda w, step: np.sum(w)  # noqa: E731
    dark = lambda w, hyper, step: hyper * w[0] ** 2  # noqa: E731
    given = dark, judged, np.ones(2), np.array(0.5), lambda h: Adam(h), SGD(0.0), 3
    slopes = [float(step.hypergradient) for step in descend_online(*given)]
    assert slopes == pytest.approx([-1.0] * 3, abs=0.3)


def test_what_is_done_to_the_weights_afterwards_changes_nothing() -> None:
    undisturbed = path(3, SGD(0.1))[-1]
    for found in descend_online(loss, validation, W0, HYPER, optimizer, SGD(0.1), 3):
        last = found.value
        found.w["a"][:] = np.nan
    assert last == undisturbed.value


@pytest.mark.parametrize("name", list(HYPER))
def test_a_later_hypergradient_is_the_derivative_of_its_step_alone(name: str) -> None:
    """The state before the step stays: only the step itself sees the change."""
    ends = []
    still = SGD(0.0)
    right = path(4, still)[3].hypergradient[name]
    for change in (1e-6, -1e-6):
        moved = {**HYPER, name: HYPER[name] + change}
        changed = [HYPER, HYPER, HYPER, moved]
        optimizers = iter(changed)

        def at_step(given: Any, optimizers: Any = optimizers) -> Any:
            return optimizer(next(optimizers))

        losses = lambda w, h, t, hypers=changed: loss(w, hypers[t], t)  # noqa: E731
        ends.append(list(descend_online(losses, validation, W0, HYPER, at_step, still, 4))[3].value)
    assert right == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


def test_hyperparameters_move_after_every_step() -> None:
    found = path(5, SGD(0.5))
    for before, after in itertools.pairwise(found):
        for name in HYPER:
            step = -0.5 * before.hypergradient[name]
            assert after.hyper[name] == pytest.approx(before.hyper[name] + step)
    assert [step.index for step in found] == list(range(5))


def test_a_decay_that_overfitting_asks_for_is_found() -> None:
    """Few noisy examples, many weights: the validation loss falls when the decay is learned."""
    rng = np.random.default_rng(0)
    true = rng.normal(size=20) * (np.arange(20) < 3)
    x, x_valid = rng.normal(size=(15, 20)), rng.normal(size=(200, 20))
    y, y_valid = x @ true + rng.normal(size=15), x_valid @ true

    def fit(w: Any, hyper: Any, step: int) -> Any:
        return np.mean((x @ w - y) ** 2) + np.exp(hyper) * np.sum(w**2)

    def judged(w: Any, step: int) -> Any:
        return np.mean((x_valid @ w - y_valid) ** 2)

    def last(meta: Any) -> float:
        given = fit, judged, np.zeros(20), np.array(-8.0), lambda h: Momentum(0.02, 0.5), meta
        return list(descend_online(*given, 400))[-1].value

    assert last(Adam(0.05)) < 0.9 * last(SGD(0.0))


@pytest.mark.parametrize("steps", [0, -1, 1.5, True])
def test_steps(steps: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^steps: "):
        path(steps, SGD(0.1))


def test_empty_containers() -> None:
    with pytest.raises(ArgumentError, match=r"^hyper: "):
        next(descend_online(loss, validation, W0, {}, optimizer, SGD(0.1), 3))
    with pytest.raises(ArgumentError, match=r"^w0: "):
        next(descend_online(loss, validation, {}, HYPER, optimizer, SGD(0.1), 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Momentum(0.1, 0.5), r"^optimizer: Momentum.* give a function"),
        (lambda h: 0.1, r"^optimizer: 0\.1 was given; give one of retrograd's"),
        (lambda h: Momentum(0.1, h["decay"] + 1), r"^momentum: 1\.3 was given to Momentum"),
        (lambda h: Momentum(rg.per_leaf(np.ones(3)), 0.5), r"^rate: an array of shape \(3,\)"),
    ],
)
def test_what_makes_no_optimizer(make: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        path(3, SGD(0.1), make)


def test_a_validation_loss_that_is_not_finite() -> None:
    far = lambda w, step: np.sum(w["a"]) + (np.inf if step else 0.0)  # noqa: E731
    with pytest.raises(NonFiniteError, match="validation loss of step 1"):
        list(descend_online(loss, far, W0, HYPER, optimizer, SGD(0.1), 3))


def test_a_hypergradient_that_is_not_finite() -> None:
    def broken(w: Any, step: int) -> Any:
        return np.sum(np.log(np.abs(w["a"]) * 0.0))

    with np.errstate(all="ignore"), pytest.raises(NonFiniteError, match="step 0"):
        next(descend_online(loss, broken, W0, HYPER, optimizer, SGD(0.1), 3))
