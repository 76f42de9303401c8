"""Schedules: their values, their derivatives in every number, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ArgumentError
from retrograd.optimizers.schedules import constant, cosine, piecewise, warm_up


def test_values() -> None:
    assert constant(2.0, 3).values.tolist() == [2.0, 2.0, 2.0]
    assert piecewise([3.0, 2.0, 1.0], [1, 4], 6).values.tolist() == [3, 2, 2, 2, 1, 1]
    assert piecewise([3.0], [], 2).values.tolist() == [3, 3]
    assert cosine(2.0, 2).values == pytest.approx([1.0, 0.0], abs=1e-15)
    assert cosine(2.0, 3, final=0.5).values[-1] == pytest.approx(1.0)
    assert constant(1.0, 4, warmup=3.0).values == pytest.approx([1 / 3, 2 / 3, 1, 1])
    assert cosine(1.0, 10, warmup=4).values[:4].tolist() == [0.25, 0.5, 0.75, 1.0]
    assert np.diff(cosine(1.0, 10, warmup=4).values[3:]).max() < 0


def test_composed() -> None:
    per_leaf = rg.per_step(np.ones((4, 2)) * [1.0, 10.0])
    assert warm_up(per_leaf, 2).values.tolist() == [[0.5, 5], [1, 10], [1, 10], [1, 10]]
    slowly = warm_up(piecewise([1.0, 0.5], [2], 4), 4)
    assert slowly.values.tolist() == [0.25, 0.5, 0.375, 0.5]


SMOOTH: dict[str, tuple[Callable[..., Any], list[Any]]] = {
    "constant": (lambda value, warmup: constant(value, 6, warmup=warmup), [0.5, 2.5]),
    "piecewise": (
        lambda values, warmup: piecewise(values, [2, 4], 6, warmup=warmup),
        [np.array([0.5, 0.25, 0.125]), 2.5],
    ),
    "piecewise of a list": (lambda a, b: piecewise([a, b], [3], 6), [0.5, 0.25]),
    "cosine": (
        lambda peak, warmup, final: cosine(peak, 6, warmup=warmup, final=final),
        [0.5, 2.5, 0.1],
    ),
    "a corner": (lambda warmup: cosine(0.5, 6, warmup=warmup), [3.0]),
    "warm-up": (lambda values, length: warm_up(rg.per_step(values), length), [np.arange(6.0), 3.7]),
    "warm-up per leaf": (
        lambda values, length: warm_up(rg.per_step(values), length),
        [np.arange(12.0).reshape(6, 2), 3.7],
    ),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_in_all_numbers(name: str) -> None:
    schedule, numbers = SMOOTH[name]

    def total(numbers: Any) -> Any:
        values = schedule(*numbers).values
        return np.sum(values * np.cos(np.arange(values.size)).reshape(values.shape))

    found = rg.grad(total)(numbers)
    for i, number in enumerate(numbers):
        for index in np.ndindex(np.shape(number)):
            change = np.zeros(np.shape(number))
            change[index] = 1e-6
            ends = [total([*numbers[:i], number + c, *numbers[i + 1 :]]) for c in (change, -change)]
            expected = (ends[0] - ends[1]) / 2e-6
            assert np.asarray(found[i])[index] == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_the_hypergradient_reaches_a_warm_ups_length() -> None:
    loss = lambda w, hyper, step: np.sum((w - 1) ** 2)  # noqa: E731

    def final(length: Any, train: Any) -> Any:
        rate = cosine(0.05, 20, warmup=length, final=0.1)
        return np.sum(train(loss, np.zeros(2), None, rg.Momentum(rate, 0.5), 20))

    found = rg.grad(lambda length: final(length, rg.train))(4.5)
    ends = [final(4.5 + c, rg.train_in_floats) for c in (1e-5, -1e-5)]
    assert found == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)


@pytest.mark.parametrize(
    ("make", "pattern"),
    [
        (lambda: constant(1.0, 0), r"constant: steps=0 was given; give a whole number"),
        (lambda: cosine(1.0, 2.5), r"cosine: steps=2\.5"),
        (lambda: cosine(1.0, True), r"cosine: steps=True"),
        (lambda: cosine(1.0, 4, warmup=4), r"cosine: a warm-up of 4 steps .* 4 steps; .*shorter"),
        (lambda: constant(1.0, 4, warmup=-1), r"constant: a warm-up of -1 steps.*one finite"),
        (lambda: constant(1.0, 4, warmup=np.nan), r"constant: a warm-up of nan"),
        (lambda: constant(1.0, 4, warmup=[1, 2]), r"constant: a warm-up of \[1, 2\]"),
        (lambda: piecewise([1.0, 2.0], [1, 2], 4), r"piecewise: 2 values .* 2 boundaries; .*more"),
        (lambda: piecewise([1.0, 2.0], [0], 4), r"boundaries \[0\] .* 4 steps; give whole numbers"),
        (lambda: piecewise([1.0, 2.0], [4], 4), r"boundaries \[4\]"),
        (lambda: piecewise([1.0, 2.0, 3.0], [2, 1], 4), r"boundaries \[2, 1\]"),
        (lambda: piecewise([1.0, 2.0, 3.0], [1, 1], 4), r"boundaries \[1, 1\]"),
        (lambda: piecewise([1.0, 2.0], [1.5], 4), r"boundaries \[1\.5\]"),
        (lambda: warm_up(np.ones(3), 2), r"warm_up: array.* was given as the schedule"),
        (lambda: warm_up(rg.per_step({"a": 1.0}), 2), r"warm_up: PerStep.* as the schedule"),
    ],
)
def test_what_is_refused(make: Any, pattern: str) -> None:
    with pytest.raises(ArgumentError, match=pattern):
        make()
