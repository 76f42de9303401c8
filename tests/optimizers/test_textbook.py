"""The programs against the textbook's formulas, in floats and on the lattice."""

from __future__ import annotations

from typing import Any

import books
import numpy as np
import pytest

import retrograd as rg

STEPS = 200
GIVEN = {"root": np.sqrt, "xp": np}

CASES = [
    (rg.SGD(0.1), books.sgd(0.1)),
    (rg.Momentum(0.1, 0.9), books.momentum(0.1, 0.9)),
    (rg.Momentum(0.3, 0.8, 0.8), books.momentum(0.3, 0.8, 0.8)),
    (rg.Nesterov(0.1, 0.8), books.nesterov(0.1, 0.8)),
    (rg.Adam(0.01), books.adam(0.01, 0.9, 0.999, 1e-8)),
    (rg.Adam(0.02, beta1=0.5, beta2=0.9, epsilon=1e-3), books.adam(0.02, 0.5, 0.9, 1e-3)),
    (rg.AdamW(0.01, decay=0.1), books.adam(0.01, 0.9, 0.999, 1e-8, 0.1)),
    (rg.DecoupledDecay(rg.Adam(0.01), 0.1), books.adam(0.01, 0.9, 0.999, 1e-8, 0.1)),
    (rg.Adamax(0.01), books.adamax(0.01, 0.9, 0.999, 1e-8)),
    (rg.Adamax(0.01, beta1=0.5, beta2=0.75, epsilon=0.01), books.adamax(0.01, 0.5, 0.75, 0.01)),
    (rg.NAdam(0.01), books.nadam(0.01, 0.9, 0.999, 1e-8, 0.004)),
    (rg.NAdam(0.01, momentum_decay=0.5), books.nadam(0.01, 0.9, 0.999, 1e-8, 0.5)),
    (rg.RMSprop(0.005), books.rmsprop(0.005, 0.99, 0.0, 1e-8)),
    (rg.RMSprop(0.005, 0.9, 0.5, 1e-3), books.rmsprop(0.005, 0.9, 0.5, 1e-3)),
    (rg.Signum(0.01, 0.8), books.signum(0.01, 0.8)),
    (rg.Lion(0.01), books.lion(0.01, 0.9, 0.99)),
    (rg.DecoupledDecay(rg.Lion(0.01), 0.1), books.lion(0.01, 0.9, 0.99, 0.1)),
    (rg.Muon(0.02, 0.05, 0.75), books.muon(0.02, 0.05, 0.75)),
    (
        rg.ClippedByNorm(rg.Momentum(0.1), 0.5),
        books.clipped_by_norm(books.momentum(0.1, 0.9), 0.5),
    ),
    (
        rg.ClippedByValue(rg.Adam(0.01), 0.1),
        books.clipped_by_value(books.adam(0.01, 0.9, 0.999, 1e-8), 0.1),
    ),
    (
        rg.CoupledDecay(rg.Momentum(0.1), 0.01),
        books.coupled_decay(books.momentum(0.1, 0.9), 0.01),
    ),
    (rg.Averaged(rg.Momentum(0.1), 0.99), books.averaged(books.momentum(0.1, 0.9), 0.99)),
    (rg.Polyak(rg.SGD(0.1)), books.mean(books.sgd(0.1))),
    (
        rg.Polyak(rg.Averaged(rg.Adam(0.01), 0.9)),
        books.mean(books.averaged(books.adam(0.01, 0.9, 0.999, 1e-8), 0.9)),
    ),
    (
        rg.ClippedByNorm(rg.CoupledDecay(rg.ClippedByValue(rg.Momentum(0.1), 0.3), 0.1), 0.5),
        books.clipped_by_norm(
            books.coupled_decay(books.clipped_by_value(books.momentum(0.1, 0.9), 0.3), 0.1), 0.5
        ),
    ),
    (
        rg.CoupledDecay(rg.CoupledDecay(rg.AdamW(0.01, decay=0.1), 0.02), 0.03),
        books.coupled_decay(books.adam(0.01, 0.9, 0.999, 1e-8, 0.1), 0.05),
    ),
]
cases = pytest.mark.parametrize(
    ("optimizer", "rule"), CASES, ids=[optimizer.name for optimizer, _ in CASES]
)


@cases
def test_in_floats(optimizer: Any, rule: Any) -> None:
    found = books.flat(rg.train_in_floats(books.loss, books.start(), None, optimizer, STEPS))
    expected = books.by_the_book(rule, STEPS)
    # The book's way to orthogonal matrices is another one, by a decomposition.
    tolerance = 1e-9 if isinstance(optimizer, rg.Muon) else 1e-11
    assert np.abs(found - expected).max() < tolerance * np.abs(expected).max()


@cases
def test_on_the_lattice(optimizer: Any, rule: Any) -> None:
    reversible = optimizer.program.obstacle() is None
    adjoint = rg.Reversible() if reversible else rg.Stored()
    found = rg.train(books.loss, books.start(), None, optimizer, STEPS, adjoint=adjoint)
    expected = books.by_the_book(rule, STEPS)
    assert np.abs(books.flat(found) - expected).max() < 1e-6 * np.abs(expected).max()


@cases
def test_training_helps(optimizer: Any, rule: Any) -> None:
    seen = rg.Diagnostics()
    adjoint = rg.Stored()
    rg.train(books.loss, books.start(), None, optimizer, STEPS, adjoint=adjoint, diagnostics=seen)
    assert np.mean(seen.losses[-3:]) < 0.5 * np.mean(seen.losses[:3])


def test_one_update_of_momentum() -> None:
    optimizer = rg.Momentum(0.5, 0.25, 0.75)
    slots = {"weights": np.array([1.0]), "velocity": np.array([2.0])}
    given = optimizer.hyperparameters()
    found = optimizer.update(slots, np.array([4.0]), given, 0, GIVEN)
    assert found["velocity"] == 0.25 * 2 - 0.25 * 4
    assert found["weights"] == 1 + 0.5 * found["velocity"]
    assert slots["velocity"] == 2.0


def test_one_update_of_adam() -> None:
    optimizer = rg.Adam(0.5, beta1=0.5, beta2=0.75, epsilon=0.125)
    slots = {"weights": np.array([1.0]), "first": np.array([2.0]), "second": np.array([8.0])}
    found = optimizer.update(slots, np.array([4.0]), optimizer.hyperparameters(), 1, GIVEN)
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
