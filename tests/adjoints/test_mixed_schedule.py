"""Schedules with derivatives: legal, within the budget, of the stated cost, and nearly the best."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from functools import cache
from itertools import count

import pytest

from retrograd.adjoints.mixed_schedule import MixedSchedule, What
from retrograd.adjoints.schedule import (
    Advance,
    Drop,
    Keep,
    Pull,
    PullKept,
    Restore,
    Save,
    binomial,
    forward_steps,
)
from retrograd.errors import ArgumentError

WHAT: tuple[What, ...] = ("states", "derivatives", "both")


def simulate(schedule: MixedSchedule) -> int:
    """Run a schedule on bare step numbers; how many steps are taken without their derivative."""
    at, saved, kept, next_pull, taken = 0, set[int](), set[int](), schedule.steps - 1, 0
    for action in schedule:
        match action:
            case Advance(start, stop):
                assert at == start < stop <= next_pull
                at, taken = stop, taken + stop - start
            case Save(step):
                assert at == step
                assert step not in saved
                saved.add(step)
            case Restore(step):
                assert step in saved
                at = step
            case Drop(step):
                saved.remove(step)
            case Keep(step):
                assert at == step < next_pull
                assert step not in kept
                kept.add(step)
                at = step + 1
            case Pull(step):
                assert at == step == next_pull
                assert step not in kept
                next_pull -= 1
            case PullKept(step):
                assert step == next_pull
                kept.remove(step)
                next_pull -= 1
                at = step
        assert schedule.state * len(saved) + schedule.derivative * len(kept) <= schedule.budget
    assert next_pull == -1
    assert not saved
    assert not kept
    return taken


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("derivative", [1, 2, 3, 7])
@pytest.mark.parametrize("state", [1, 2])
def test_legal_within_the_budget_and_of_the_stated_cost(
    what: What, derivative: int, state: int
) -> None:
    for steps in (1, 2, 3, 5, 12, 40):
        for budget in (2, 3, 5, 9, 20, 60):
            schedule = MixedSchedule(steps, budget, derivative, state, what)
            assert simulate(schedule) == schedule.cost


def test_states_alone_are_the_binomial_schedule() -> None:
    for steps in (1, 2, 10, 57, 120):
        for slots in (1, 2, 3, 10):
            schedule = MixedSchedule(steps, slots, derivative=5, what="states")
            assert schedule.cost == forward_steps(steps, slots)


def paper(steps: int, units: int, derivative: int) -> int:
    """The mixed recursion as the paper has it: each kept derivative brings the state after it."""

    @cache
    def cost(length: int, left: int) -> int:
        if length <= 1:
            return 0
        costs = [length * (length - 1) // 2]
        for y in range(1, length):
            if left >= 1:
                costs.append(y + cost(length - y, left - 1) + cost(y, left))
            if left >= derivative + 1:
                costs.append(y + cost(length - y - 1, left - derivative - 1) + cost(y, left))
        if left >= derivative + 1:
            costs.append(cost(length - 1, left - derivative - 1))
        return min(costs)

    return cost(steps, units - 1)


@pytest.mark.parametrize("derivative", [1, 2, 4])
def test_no_worse_than_the_recursion_of_the_paper(derivative: int) -> None:
    for steps in (2, 5, 13, 30):
        for budget in (1, 3, 6, 12):
            found = MixedSchedule(steps, budget, derivative).cost
            assert found <= paper(steps, budget, derivative)


State = tuple[int, frozenset[int], frozenset[int], int]


def successors(state: State, budget: int, derivative: int) -> Iterator[tuple[int, State]]:
    """Everything that may be done next, with the steps that it takes (of either kind)."""
    at, saved, kept, pull = state
    room = budget - len(saved) - derivative * len(kept)
    if at < pull:
        yield 1, (at + 1, saved, kept, pull)
        if room >= derivative:
            yield 1, (at + 1, saved, kept | {at}, pull)
    if room >= 1:
        yield 0, (at, saved | {at}, kept, pull)
    for step in saved:
        yield 0, (step, saved, kept, pull)
        if step:
            yield 0, (at, saved - {step}, kept, pull)
    for step in kept:
        yield 0, (at, saved, kept - {step}, pull)
    if at == pull:
        yield 1, (at, saved, kept, pull - 1)
    if pull in kept:
        yield 0, (pull, saved, kept - {pull}, pull - 1)


def exhaustive(steps: int, budget: int, derivative: int) -> int:
    """The least cost of any way that keeps the first state, by a search through all of them."""
    first: State = (0, frozenset([0]), frozenset(), steps - 1)
    best: dict[State, int] = {first: 0}
    queue: list[tuple[int, int, State]] = [(0, 0, first)]
    order = count(1)
    while queue:
        cost, _, state = heapq.heappop(queue)
        if state[-1] < 0:
            return cost - steps  # one step of each pull keeps its derivative
        if cost == best[state]:
            for more, following in successors(state, budget, derivative):
                if cost + more < best.get(following, 10**9):
                    best[following] = cost + more
                    heapq.heappush(queue, (cost + more, next(order), following))
    raise AssertionError("no way through")


@pytest.mark.parametrize("derivative", [1, 2, 3])
def test_nothing_is_much_cheaper(derivative: int) -> None:
    for steps in range(1, 7):
        for budget in range(1, 5):
            best = exhaustive(steps, budget, derivative)
            found = MixedSchedule(steps, budget, derivative).cost
            # Six steps are the first where replacing a state by a derivative saves one of them.
            assert best <= found <= best + (steps >= 6)


def test_derivatives_pay_where_they_are_small() -> None:
    costs = [MixedSchedule(300, 40, derivative).cost for derivative in (1, 3, 10, 39)]
    assert costs == sorted(costs)
    assert costs[0] < costs[-1]
    assert costs[-1] <= forward_steps(300, 40)
    assert MixedSchedule(50, 51 + 50, derivative=1).cost == 0


def test_without_room_for_a_derivative_it_takes_the_states_of_the_binomial_schedule() -> None:
    schedule = MixedSchedule(60, 4, derivative=9)
    count_of_pulls = sum(isinstance(action, Pull) for action in schedule)
    assert count_of_pulls == sum(isinstance(action, Pull) for action in binomial(60, 4)) == 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 3, 2), "steps=0 was given"),
        ((3, 0, 2), "budget=0 was given"),
        ((3, 3, 0), "derivative=0 was given"),
        ((3, 3, 2, 0), "state=0 was given"),
        ((3, 3, 2, 4), "budget=3 does not hold the first state, which takes 4"),
        ((30_001, 3, 2), r".*give at most 30000, or use binomial\(steps, slots\)"),
        ((3, 3, 2, 1, "all"), "what='all' was given; give one of"),
    ],
)
def test_what_is_refused(arguments, message: str) -> None:
    with pytest.raises(ArgumentError, match=f"MixedSchedule: {message}"):
        MixedSchedule(*arguments)
