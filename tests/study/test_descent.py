"""The outer loop: what each meta-step hands out, and what is refused."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ArgumentError, NonFiniteError
from retrograd.study import descend


def bowl(hyper: Any, index: int) -> tuple[Any, Any]:
    value = np.sum((hyper["a"] - 1.0) ** 2) + (hyper["b"][0] + 2.0) ** 2
    return value, {"index": index, "half": value / 2}


START = {"a": np.array([[0.0, 3.0]]), "b": [0.5]}


def test_the_meta_steps_and_the_result() -> None:
    steps = list(descend(bowl, START, rg.Adam(rate=0.1), 5))
    assert [step.index for step in steps] == [0, 1, 2, 3, 4, 5]
    assert [step.aux["index"] for step in steps] == [0, 1, 2, 3, 4, 5]
    assert all(a.value > b.value for a, b in pairwise(steps))
    for step in steps:
        assert step.hyper["a"].shape == (1, 2)
        value, aux = bowl(step.hyper, step.index)
        assert step.value == pytest.approx(value)
        assert float(step.aux["half"]) == pytest.approx(aux["half"])
        assert isinstance(step.aux["half"], float), "a traced value has escaped"
    last = steps[-1]
    assert (last.hypergradient, last.norm, last.cosine) == (None, None, None)


def test_it_starts_where_it_was_told_to_and_leaves_that_alone() -> None:
    first = next(iter(descend(bowl, START, rg.Adam(rate=0.1), 3)))
    assert np.array_equal(first.hyper["a"], START["a"])
    assert first.hyper["b"][0] == 0.5
    assert np.array_equal(START["a"], [[0.0, 3.0]])


def test_norm_and_cosine() -> None:
    steps = list(descend(bowl, START, rg.Momentum(rate=0.2, momentum=0.5), 6))[:-1]
    assert steps[0].cosine is None
    before = None
    for step in steps:
        flat = np.concatenate([np.ravel(x) for x in rg.tree.leaves(step.hypergradient)])
        expected = 2 * np.array([*(step.hyper["a"][0] - 1), step.hyper["b"][0] + 2])
        assert flat == pytest.approx(expected)
        assert step.norm == pytest.approx(math.sqrt(flat @ flat))
        if before is not None:
            assert step.cosine == pytest.approx(
                flat @ before / math.sqrt((flat @ flat) * (before @ before))
            )
        before = flat
    assert steps[1].cosine == pytest.approx(1.0)  # still on the same side of the bowl


def test_a_turn_has_cosine_minus_one() -> None:
    """Plain descent at this rate jumps to the other side: from 1 to -1."""
    steps = list(descend(lambda x, i: (x * x, None), 1.0, rg.Momentum(1.0, 0.0), 2))
    assert [float(step.hyper) for step in steps] == [1.0, -1.0, 1.0]
    assert steps[1].cosine == pytest.approx(-1.0)


def test_no_cosine_where_a_hypergradient_is_zero() -> None:
    steps = list(descend(lambda x, i: (x * 0.0, None), 1.0, rg.Adam(), 2))
    assert steps[1].cosine is None
    assert steps[1].norm == 0.0


def test_the_moves_are_the_optimizers() -> None:
    """Momentum by hand."""
    steps = list(descend(lambda x, i: (x * x, None), 1.0, rg.Momentum(0.1, 0.5), 3))
    w, v = 1.0, 0.0
    for step in steps:
        assert float(step.hyper) == pytest.approx(w)
        v = 0.5 * v - 2 * w
        w = w + 0.1 * v


def test_meta_steps_are_handed_out_as_they_are_done() -> None:
    calls = []

    def objective(x: Any, index: int) -> tuple[Any, Any]:
        calls.append(index)
        return x * x, None

    study = descend(objective, 1.0, rg.Adam(), 10)
    next(study)
    assert calls == [0]
    next(study)
    assert calls == [0, 1]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_hypergradient_that_is_not_finite(bad: float) -> None:
    def objective(x: Any, index: int) -> tuple[Any, Any]:
        return x * (bad if index == 2 else 1.0), None

    study = descend(objective, 1.0, rg.Adam(), 5)
    assert [next(study).index, next(study).index] == [0, 1]
    with pytest.raises(NonFiniteError, match=r"meta-step 2 is not finite.*meta-rate"):
        next(study)


@pytest.mark.parametrize("meta_steps", [0, -3, 1.5, True, None, "5"])
def test_meta_steps(meta_steps: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^meta_steps: .* whole number of at least 1"):
        next(descend(bowl, START, rg.Adam(), meta_steps))


@pytest.mark.parametrize("hyper", [None, {}, []])
def test_no_hyperparameters(hyper: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^hyper: it holds no array"):
        next(descend(bowl, hyper, rg.Adam(), 3))


@pytest.mark.parametrize(
    ("optimizer", "pattern"),
    [
        ("adam", "^optimizer: 'adam' was given"),
        (rg.Adam, "^optimizer: "),
        (rg.Adam(rate=rg.per_step([0.1, 0.2])), "^rate: .*single number"),
        (rg.Adam(rate=np.ones(3)), "^rate: .*single number"),
        (rg.Adam(rate=math.nan), "^rate: nan was given to Adam"),
        (rg.Adam(beta1=1.0), "^beta1: 1 was given to Adam"),
    ],
)
def test_meta_optimizer(optimizer: Any, pattern: str) -> None:
    with pytest.raises(ArgumentError, match=pattern):
        next(descend(bowl, START, optimizer, 3))


def test_it_learns_a_rate_of_a_training() -> None:
    def objective(log_rate: Any, index: int) -> tuple[Any, Any]:
        loss = lambda w, hyper, step: np.sum((w - 1.0) ** 2)  # noqa: E731
        w = rg.train(loss, np.zeros(3), None, rg.Momentum(np.exp(log_rate), 0.5), 10)
        return np.sum((w - 1.0) ** 2), None

    steps = list(descend(objective, -4.0, rg.Adam(rate=0.3), 10))
    assert steps[-1].value < 0.01 * steps[0].value
    assert steps[-1].hyper > -4.0
