"""Schedules without a model: legal, and as cheap as they can be."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import count
from math import comb

import pytest

from retrograd.adjoints.schedule import (
    Action,
    Advance,
    Drop,
    Keep,
    Pull,
    PullKept,
    Restore,
    Save,
    binomial,
    forward_steps,
    least_slots,
    resumed,
    uses_of_levels,
)
from retrograd.errors import ArgumentError


def simulate(
    actions: Iterable[Action],
    steps: int,
    slots: int,
    *,
    saved: Iterable[int] = (),
    at: int | None = 0,
) -> int:
    """Run a schedule on bare step numbers; how many steps it advances. Illegal actions fail."""
    held, next_pull, taken = list(saved), steps - 1, 0
    for action in actions:
        match action:
            case Advance(start, stop):
                assert at == start < stop <= next_pull
                at, taken = stop, taken + stop - start
            case Save(step):
                assert at == step
                assert all(step > other for other in held)
                held.append(step)
                assert len(held) <= slots
            case Restore(step):
                assert step == held[-1]
                at = step
            case Drop(step):
                assert step == held.pop()
            case Pull(step):
                assert at == step == next_pull
                next_pull -= 1
            case Keep() | PullKept():
                pytest.fail(f"{action} in a schedule of states")
    assert next_pull == -1
    assert not held
    return taken


@cache
def least(steps: int, slots: int) -> int:
    """The fewest forward steps, by trying every place for the next checkpoint."""
    if steps == 1 or slots == 1:
        return steps * (steps - 1) // 2
    return min(m + least(m, slots) + least(steps - m, slots - 1) for m in range(1, steps))


@cache
def least_saves(steps: int, slots: int) -> int:
    """The fewest states saved, the first aside, among the schedules with the fewest steps."""
    if steps <= 2 or slots == 1:
        return 0
    return min(
        least_saves(m, slots) + (steps - m > 1) * (1 + least_saves(steps - m, slots - 1))
        for m in range(1, steps)
        if m + least(m, slots) + least(steps - m, slots - 1) == least(steps, slots)
    )


def griewank(steps: int, slots: int) -> int:
    """The closed form, written down from the paper: r l - beta(s + 1, r - 1)."""
    if steps == 1:
        return 0
    r = next(r for r in count(1) if comb(slots + r, r) >= steps)
    return r * steps - comb(slots + r, r - 1)


@pytest.mark.parametrize("slots", range(1, 13))
def test_all_schedules_up_to_200_steps_are_legal_and_optimal(slots: int) -> None:
    for steps in range(1, 201):
        taken = simulate(binomial(steps, slots), steps, slots)
        assert taken == least(steps, slots) == griewank(steps, slots)
        assert taken == forward_steps(steps, slots)


@pytest.mark.parametrize("slots", [1, 2, 3, 5, 8, 12])
def test_no_optimal_schedule_saves_fewer_states(slots: int) -> None:
    for steps in range(1, 121):
        saves = sum(isinstance(action, Save) for action in binomial(steps, slots))
        assert saves == 1 + least_saves(steps, slots)


def test_known_counts() -> None:
    # Griewank's examples: beta(3, 3) = 20 steps with 3 slots, beta(5, 3) = 56 with 5.
    assert forward_steps(20, 3) == 3 * 20 - comb(6, 4)
    assert forward_steps(56, 5) == 3 * 56 - comb(8, 6)
    assert forward_steps(10**6, 1) == 10**6 * (10**6 - 1) // 2
    assert forward_steps(10**6, 10**6) == 10**6 - 1


def test_a_long_schedule_is_made_without_recursion_or_tables() -> None:
    steps, slots = 100_000, 30
    assert simulate(binomial(steps, slots), steps, slots) == forward_steps(steps, slots)
    first = binomial(10**6, 100)
    assert next(first) == Save(0)
    assert isinstance(next(first), Advance)


@pytest.mark.parametrize("rounds", [1, 2, 3, 5])
def test_least_slots(rounds: int) -> None:
    for steps in [2, 3, 10, 99, 100, 101, 1000, 12345]:
        slots = least_slots(steps, rounds)
        assert comb(slots + rounds, rounds) >= steps
        assert slots == 1 or comb(slots - 1 + rounds, rounds) < steps


def test_two_rounds_cost_less_than_one_more_run() -> None:
    for steps in [1, 2, 10, 100, 1001, 5000]:
        slots = least_slots(steps + 1, rounds=2)
        assert forward_steps(steps + 1, slots) - steps < steps


@pytest.mark.parametrize(("steps", "slots"), [(40, 3), (101, 7), (30, 30)])
def test_a_schedule_can_be_resumed_at_every_pull(steps: int, slots: int) -> None:
    saved: list[int] = []
    for action in binomial(steps, slots):
        match action:
            case Save(step):
                saved.append(step)
            case Drop():
                saved.pop()
            case Pull(step) if step:
                rest = resumed(list(saved), step, slots)
                simulate(rest, step, slots, saved=saved, at=None)
            case _:
                pass


def test_resuming_right_after_the_forward_run_costs_what_the_schedule_costs() -> None:
    steps, slots = 200, 6
    saved, taken, whole = [], 0, binomial(steps, slots)
    for action in whole:
        if isinstance(action, Save):
            saved.append(action.step)
        elif isinstance(action, Pull):
            break
        elif isinstance(action, Advance):
            taken += action.stop - action.start
    rest = resumed(saved, steps - 1, slots)
    taken += simulate(rest, steps - 1, slots, saved=saved, at=None)
    assert taken == forward_steps(steps, slots)


def test_uses_of_levels_counts_writes_and_reads() -> None:
    uses = uses_of_levels(binomial(200, 5))
    reads = sum(isinstance(action, Save | Restore) for action in binomial(200, 5))
    assert sum(uses) == reads
    assert len(uses) == 5
    assert uses == sorted(uses)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: binomial(0, 3), r"binomial: steps=0 was given; give a whole number of at least 1"),
        (lambda: binomial(3, 0), r"binomial: slots=0 was given"),
        (lambda: forward_steps(2.5, 1), r"forward_steps: steps=2.5"),  # pyright: ignore[reportArgumentType]
        (lambda: least_slots(5, 0), r"least_slots: rounds=0"),
    ],
)
def test_what_is_refused(call, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        call()
