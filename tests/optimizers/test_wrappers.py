"""Wrappers: their names, their order, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ArgumentError
from retrograd.optimizers import WRAPPERS


def test_names_do_not_collide() -> None:
    optimizer = rg.CoupledDecay(rg.CoupledDecay(rg.AdamW(0.1, decay=0.3), 0.2), 0.1)
    found = optimizer.hyperparameters()
    names = ("decay", "outer decay", "outer outer decay")
    assert [found[name] for name in names] == [0.3, 0.2, 0.1]
    assert set(found) == set(optimizer.program.hyperparameters)


def test_slots_do_not_collide() -> None:
    optimizer = rg.Averaged(rg.Averaged(rg.Momentum(0.1), 0.5), 0.25)
    program = optimizer.program
    assert program.all_slots == ("weights", "velocity", "average", "outer average")
    assert program.result == "outer average"
    assert dict(program.starts) == {"average": "weights", "outer average": "weights"}
    assert optimizer.slot_words()["outer average"] == 2
    assert set(optimizer.slot_radixes()) == set(program.all_slots)


def test_own_radixes_and_those_of_the_wrapped_optimizer() -> None:
    inner = rg.Adam(0.1, radix={"second": 80})
    optimizer = rg.Averaged(inner, radix={"average": 60, "first": 65})
    found = optimizer.slot_radixes()
    assert found == {"weights": 44, "first": 65, "second": 80, "average": 60}
    with pytest.raises(ArgumentError, match=r"Averaged\(Adam\) has no slot \['mean'\]"):
        rg.Averaged(inner, radix={"mean": 60}).slot_radixes()


def test_the_outermost_transforms_the_gradient_first() -> None:
    def one_step(optimizer: Any) -> Any:
        loss = lambda w, hyper, step: np.sum(4.0 * w)  # noqa: E731
        return float(rg.train(loss, np.ones(1), None, optimizer, 1)[0])

    momentum = rg.Momentum(1.0)
    assert one_step(rg.ClippedByValue(rg.CoupledDecay(momentum, 0.5), 1.0)) == 1 - (1 + 0.5)
    assert one_step(rg.CoupledDecay(rg.ClippedByValue(momentum, 1.0), 0.5)) == 1 - 1


def test_clipping_leaves_short_gradients_alone_and_takes_zeros() -> None:
    def final(scale: Any) -> Any:
        optimizer = rg.ClippedByNorm(rg.ClippedByValue(rg.Momentum(1.0), 1.0), 1.0)
        return rg.train(lambda w, hyper, step: np.sum(scale * w), np.zeros(2), None, optimizer, 1)

    assert final(0.0).tolist() == [0.0, 0.0]
    assert final(0.5).tolist() == [-0.5, -0.5]
    assert final(-3.0) == pytest.approx([0.5**0.5, 0.5**0.5])


def test_what_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"Averaged: 0\.1 was given as the optimizer to wrap"):
        rg.Averaged(0.1)
    with pytest.raises(ArgumentError, match=r"Polyak: <class .*give an instance"):
        rg.Polyak(rg.Adam)
    for optimizer, pattern in [
        (rg.ClippedByNorm(rg.Adam(), 0.0), r"threshold: 0 was given to ClippedByNorm\(Adam\).*\(0"),
        (rg.ClippedByValue(rg.Adam(), -1.0), r"threshold: -1 was given to ClippedByValue\(Adam\)"),
        (rg.CoupledDecay(rg.AdamW(), np.inf), r"outer decay: inf was given to CoupledDecay"),
        (rg.DecoupledDecay(rg.Adam(), -0.1), r"decay: -0\.1 was given to DecoupledDecay\(Adam\)"),
        (rg.Averaged(rg.Adam(), 1.0), r"decay: 1 was given to Averaged\(Adam\).*\[0, 1\)"),
        (rg.Averaged(rg.Adam(beta1=-1.0)), r"beta1: -1 was given to Averaged\(Adam\)"),
        (rg.DecoupledDecay(rg.Adam(1.0), 1.5), r"multiplies slot 'weights' by -0\.5"),
    ]:
        with pytest.raises(ArgumentError, match=pattern):
            rg.train(lambda w, hyper, step: np.sum(w), np.ones(1), None, optimizer, 1)


def test_decoupled_decay_needs_a_rate() -> None:
    class Plain(rg.SGD):
        """An optimizer that calls its rate something else."""

        program = rg.optimizers.Program(
            (), (rg.optimizers.add("weights", "gradient", lambda speed: -speed),)
        )

    with pytest.raises(ArgumentError, match=r"Plain has no hyperparameter 'rate'.*CoupledDecay"):
        rg.DecoupledDecay(Plain(0.1), 0.1)


def test_representations() -> None:
    found = repr(rg.ClippedByNorm(rg.Momentum(0.1, radix={"velocity": 40}), threshold=2.0))
    assert found == (
        "ClippedByNorm(optimizer=Momentum(rate=0.1, momentum=0.9, dampening=0.0, "
        "radix={'velocity': 40}), threshold=2.0)"
    )
    long = repr(rg.SGD(rg.per_step(np.arange(1000.0))))
    assert long.startswith("SGD(rate=PerStep(values=array([")
    assert len(long) < 80


@pytest.mark.parametrize("kind", WRAPPERS, ids=lambda kind: kind.__name__)
def test_the_own_numbers_may_vary_like_all_others(kind: Any) -> None:
    """Per step and leaf: the second leaf's number does nothing to the first leaf."""
    own = [rg.per_step(np.array([[0.5, x]] * 3)) for x in (0.25, 0.75)]
    loss = lambda w, hyper, step: np.sum(w[0] ** 2) + np.sum(w[1] ** 2)  # noqa: E731
    found = [
        rg.train(
            loss,
            [np.ones(2), np.ones(2)],
            None,
            kind(rg.Momentum(0.1), *[x] * len(kind.own_domains)),
            3,
        )
        for x in own
    ]
    assert np.array_equal(found[0][0], found[1][0]) or kind is rg.ClippedByNorm
    assert np.array_equal(found[0][1], found[1][1]) is (kind is rg.Polyak)
