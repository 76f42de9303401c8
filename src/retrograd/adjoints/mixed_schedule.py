"""Schedules that keep states, or derivatives of steps, or both, within one budget of memory.

A state is small, but its step must be taken again before it can be pulled. The derivative of a step
(what reverse mode records while the step is taken) is larger, and ready to be pulled. Which of them
to keep, and where, is found by dynamic programming.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints.schedule import (
    Action,
    Advance,
    Drop,
    Keep,
    Pull,
    PullKept,
    Restore,
    Save,
)
from retrograd.counts import check_count
from retrograd.errors import ArgumentError

__all__ = ["MixedSchedule", "What"]

What = Literal["states", "derivatives", "both"]

# No schedule of at most 30,000 steps costs as much, and twice as much still fits in int32.
_NEVER = 2**29
_MOST_STEPS = 30_000

_Tables = tuple[NDArray[np.int32], NDArray[np.int32]]


class _Segment(NamedTuple):
    """Steps to be pulled, all of them and no others.

    Attributes:
        start: the first.
        length: how many.
        units: the memory left for them.
        stored: whether the state at `start` is stored; if not, it is at hand.
    """

    start: int
    length: int
    units: int
    stored: bool


class MixedSchedule:
    """The schedules of Gruslys et al. for sequences: their cost, and their actions in order.

    The cost counts *repeated work*: forward steps that keep no derivative. Pulling a step whose
    derivative was not kept takes the step once more, with its derivative; that costs what keeping
    it would have cost, so neither is counted. Let S(l, m) be the least cost of pulling l steps
    whose first state is stored, with m units of memory left, and A(l, m) the same where the first
    state is at hand but not stored. With h units for a state and a for a derivative,

        S(l, m) = min over 0 < y < l of  y + A(l - y, m) + S(y, m),  and  A(l - 1, m - a)
        A(l, m) = min of  S(l, m - h)  and  A(l - 1, m - a)
        S(1, m) = A(1, m) = A(0, m) = 0

    With what="states" (BPTT-HSM in the reference) derivatives are never kept; S is then the
    binomial optimum. With what="derivatives" (BPTT-ISM) each state but the first is stored
    together with the derivative of the step that led to it: A(l, m) = S(l - 1, m - a - h). With
    what="both" (BPTT-MSM) either may be kept, and a derivative also without a state.

    Not considered is to replace a stored state by a derivative when it is used for the last time:
    that would save at most a few hundredths of the cost, and leave nothing to repair a run from.

    Args:
        steps: how many steps, at most 30,000. As in `binomial`, the last one is pulled without
            being taken before.
        budget: units of memory, for all that is kept at once, the first state included.
        derivative: units that the derivative of one step takes (a).
        state: units that one state takes (h).
        what: what may be kept.

    Attributes:
        cost: how many forward steps that keep no derivative the whole run takes.

    Raises:
        ArgumentError: a number is not a whole one of at least 1, `steps` is above 30,000, the
            budget does not hold one state, or `what` is none of the three.

    Example:
        >>> [MixedSchedule(100, 12, derivative=3, what=what).cost for what in ("states", "both")]
        [195, 170]
        >>> for action in MixedSchedule(3, 3, derivative=2, what="both"):
        ...     print(action)
        Save(step=0)
        Advance(start=0, stop=1)
        Keep(step=1)
        Pull(step=2)
        PullKept(step=1)
        Restore(step=0)
        Pull(step=0)
        Drop(step=0)

    References:
        Gruslys, Munos, Danihelka, Lanctot & Graves, "Memory-Efficient Backpropagation Through
        Time", NIPS 2016.
    """

    def __init__(
        self, steps: int, budget: int, derivative: int, state: int = 1, what: What = "both"
    ) -> None:
        _check(steps, budget, derivative, state, what)
        self.steps = steps
        self.budget = budget
        self.derivative = derivative
        self.state = state
        self.what: What = what
        self._stored, self._live = self._tables()
        self.cost = int(self._stored[steps, -1])

    @property
    def nbytes(self) -> int:
        """The bytes of the tables that the schedule is read from."""
        return self._stored.nbytes + self._live.nbytes

    @staticmethod
    def work(steps: int, budget: int) -> int:
        """Elementary operations that making the schedule takes: about one nanosecond each."""
        return steps * steps * budget

    def __iter__(self) -> Iterator[Action]:
        whole = _Segment(0, self.steps, self.budget - self.state, stored=True)
        tasks: list[_Segment | Action] = [Drop(0), whole, Save(0)]  # the last comes first
        at = 0
        while tasks:
            task = tasks.pop()
            if isinstance(task, _Segment):
                tasks += reversed(self._tasks(task, at))
            else:
                yield task
                at = _state_after(task, at)

    def _tasks(self, segment: _Segment, at: int) -> list[_Segment | Action]:
        """What a segment's pulls consist of, in order, with the state at `at` at hand."""
        start, length, _, stored = segment
        if length == 0:
            return []
        if at != start:
            return [Restore(start), segment]
        if length == 1:
            return [Pull(start)]
        return self._from_stored(segment) if stored else self._from_live(segment)

    def _from_stored(self, segment: _Segment) -> list[_Segment | Action]:
        start, length, units, _ = segment
        stride = self._stride(length, units)
        if stride == 0:
            return self._with_derivative(segment)
        middle = start + stride
        return [
            Advance(start, middle),
            _Segment(middle, length - stride, units, stored=False),
            _Segment(start, stride, units, stored=True),
        ]

    def _from_live(self, segment: _Segment) -> list[_Segment | Action]:
        start, length, units, _ = segment
        if self.what == "derivatives":
            return self._with_both(segment)
        left = units - self.state
        if left >= 0 and self._stored[length, left] == self._live[length, units]:
            return [Save(start), _Segment(start, length, left, stored=True), Drop(start)]
        return self._with_derivative(segment)

    def _with_derivative(self, segment: _Segment) -> list[_Segment | Action]:
        start, length, units, _ = segment
        rest = _Segment(start + 1, length - 1, units - self.derivative, stored=False)
        return [Keep(start), rest, PullKept(start)]

    def _with_both(self, segment: _Segment) -> list[_Segment | Action]:
        start, length, units, _ = segment
        rest = _Segment(start + 1, length - 1, units - self.derivative - self.state, stored=True)
        return [Keep(start), Save(start + 1), rest, Drop(start + 1), PullKept(start)]

    def _stride(self, length: int, units: int) -> int:
        """How far to go from a stored state; 0 is to keep the derivative of the first step."""
        costs = self._costs_of_strides(length)[:, units]
        best = int(np.argmin(costs))
        left = units - self.derivative
        if self.what == "both" and left >= 0 and self._live[length - 1, left] < costs[best]:
            return 0
        return best + 1

    def _costs_of_strides(self, length: int) -> NDArray[np.int32]:
        """The costs of strides 1, ..., length - 1, for each number of units."""
        strides = np.arange(1, length, dtype=np.int32)[:, None]
        return strides + self._live[length - 1 : 0 : -1] + self._stored[1:length]

    def _tables(self) -> _Tables:
        shape = self.steps + 1, self.budget - self.state + 1
        self._stored, self._live = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        for length in range(2, self.steps + 1):
            stored = self._costs_of_strides(length).min(axis=0)
            kept = _after(self._live[length - 1], self.derivative)
            if self.what == "both":
                stored = np.minimum(stored, kept)
            self._stored[length] = stored
            self._live[length] = self._cost_from_live(length, kept)
        return self._stored, self._live

    def _cost_from_live(self, length: int, kept: NDArray[np.int32]) -> NDArray[np.int32]:
        if self.what == "derivatives":
            return _after(self._stored[length - 1], self.derivative + self.state)
        saved = _after(self._stored[length], self.state)
        return saved if self.what == "states" else np.minimum(saved, kept)


def _state_after(action: Action, at: int) -> int:
    """Which state is at hand after an action."""
    match action:
        case Drop():
            return at
        case Advance(stop=stop):
            return stop
        case Keep(step):
            return step + 1
        case _:
            return action.step


def _after(costs: NDArray[np.int32], units: int) -> NDArray[np.int32]:
    """The costs when so many units of memory have been taken first."""
    shifted = np.full_like(costs, _NEVER)
    if units < len(costs):
        shifted[units:] = costs[: len(costs) - units]
    return shifted


def _check(steps: int, budget: int, derivative: int, state: int, what: str) -> None:
    numbers = {"steps": steps, "budget": budget, "derivative": derivative, "state": state}
    for name, given in numbers.items():
        check_count(name, given, caller="MixedSchedule")
    if steps > _MOST_STEPS:
        raise ArgumentError(
            f"MixedSchedule: steps={steps} was given, and its work grows with the square of it; "
            f"give at most {_MOST_STEPS}, or use binomial(steps, slots)"
        )
    if budget < state:
        raise ArgumentError(
            f"MixedSchedule: budget={budget} does not hold the first state, which takes {state}"
        )
    if what not in get_args(What):
        raise ArgumentError(f"MixedSchedule: what={what!r} was given; give one of {get_args(What)}")
